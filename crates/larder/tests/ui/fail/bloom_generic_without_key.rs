//! Keys of different types would meet.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%")]
fn exists<T: ToString>(id: T) -> bool {
    id.to_string() == "7"
}

fn main() {}
