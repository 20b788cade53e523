//! The error has no place for what keeps a transaction from being committed.

use larder::transactional;

struct Taken;

#[transactional(mode = "locked")]
async fn book(seat: u64) -> Result<u64, Taken> {
    if seat == 0 { Err(Taken) } else { Ok(seat) }
}

fn main() {}
