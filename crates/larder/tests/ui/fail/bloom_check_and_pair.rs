//! A pair calls the function where its halves do not agree, and nowhere else.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%", check, pair)]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
