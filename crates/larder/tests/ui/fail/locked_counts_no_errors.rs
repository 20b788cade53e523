//! A lock does not ask what came back.

use larder::{Refused, locked};

#[locked(ttl = "10s", exceptions = |_| true)]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
