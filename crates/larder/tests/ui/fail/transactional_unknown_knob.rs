//! A knob that there is not.

use larder::{Error, transactional};

#[transactional(time_limit = "5s")]
async fn book(seat: u64) -> Result<u64, Error> {
    Ok(seat)
}

fn main() {}
