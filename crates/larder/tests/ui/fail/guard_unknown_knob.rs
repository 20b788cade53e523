//! The compiler answers a knob that a guard does not have.

use larder::{Refused, rate_limit};

#[rate_limit(limit = 10, per = "1m", windw = "fixed")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
