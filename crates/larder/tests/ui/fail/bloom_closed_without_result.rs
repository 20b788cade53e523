//! A `bool` cannot tell that the store is down.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%", on_outage = "closed")]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
