//! A guard says what it needs.

use larder::{Refused, rate_limit};

#[rate_limit(limit = 10)]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
