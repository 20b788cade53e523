//! A number has no value that says "not there".

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%")]
fn count(id: u64) -> u64 {
    id
}

fn main() {}
