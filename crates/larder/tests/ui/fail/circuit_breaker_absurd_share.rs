//! More than all calls cannot fail.

use larder::{Refused, circuit_breaker};

#[circuit_breaker(errors = "110%", per = "1m", open_for = "30s")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

#[circuit_breaker(errors = 10, per = "1m", open_for = "30s")]
fn other(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

#[circuit_breaker(errors = "10%", per = "1m", open_for = "30s", half_open = 0)]
fn third(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
