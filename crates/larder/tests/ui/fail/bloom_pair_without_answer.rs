//! A pair learns what is not there, and a number never says so.

use larder::{Refused, bloom};

#[bloom(capacity = 1_000, false_positives = "1%", pair)]
fn user(id: u64) -> Result<u64, Refused> {
    Ok(id)
}

fn main() {}
