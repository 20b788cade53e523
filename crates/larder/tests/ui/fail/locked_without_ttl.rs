//! A lock ends by itself, so it needs a time.

use larder::{Refused, locked};

#[locked(wait = "5s")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
