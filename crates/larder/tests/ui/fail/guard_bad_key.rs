//! The key of a guard names arguments, as that of an entry does.

use larder::{Refused, rate_limit};

#[rate_limit(limit = 10, per = "1m", key = "user:{idd}")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
