//! Which errors are failures is a question to each of them.

use larder::{Refused, circuit_breaker};

#[circuit_breaker(errors = "10%", per = "1m", open_for = "30s", exceptions = "io")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
