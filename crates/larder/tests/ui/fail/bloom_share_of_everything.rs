//! A filter that lets everything pass is none.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = 1)]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
