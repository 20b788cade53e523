//! One name cannot fill two filters.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%", filter = "users")]
#[bloom(capacity = 1_000, false_positives = "1%", filter = "blocked")]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
