//! A lock that never ends would be held for ever by a process that was killed.

use larder::{Refused, locked};

#[locked(ttl = "forever")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
