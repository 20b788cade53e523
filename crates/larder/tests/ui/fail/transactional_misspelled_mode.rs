//! A mode that is none.

use larder::{Error, transactional};

#[transactional(mode = "serialisable")]
async fn book(seat: u64) -> Result<u64, Error> {
    Ok(seat)
}

fn main() {}
