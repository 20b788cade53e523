//! Half a gigabyte is what a row of bits has at most.

use larder::bloom;

#[bloom(capacity = 4_000_000_000, false_positives = "0.01%")]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
