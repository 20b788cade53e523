//! Without a `Result` there is no place for what keeps a transaction from being committed.

use larder::transactional;

#[transactional(mode = "locked", timeout = "5s")]
async fn book(seat: u64) -> u64 {
    seat
}

fn main() {}
