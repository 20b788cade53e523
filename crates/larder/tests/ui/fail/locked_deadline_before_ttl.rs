//! A lock is held for its ttl at least.

use larder::{Refused, locked};

#[locked(ttl = "1m", deadline = "10s")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
