//! A circuit needs to know over what time it counts, and for how long it opens.

use larder::{Refused, circuit_breaker};

#[circuit_breaker(errors = "10%")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
