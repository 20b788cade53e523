//! The compiler answers a knob that the filter does not have.

use larder::bloom;

#[bloom(capcity = 1_000, false_positives = "1%")]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
