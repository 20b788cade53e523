//! Without a handle the body is not apart, and a guard under `#[cached]` would stand before hits.

use larder::{Refused, cached, rate_limit};

#[cached(key = "user:{id}", ttl = "1m", no_handle)]
#[rate_limit(limit = 10, per = "1m")]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
