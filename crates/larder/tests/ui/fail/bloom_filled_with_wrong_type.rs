//! What the filter is filled by has the types of the arguments.

use larder::bloom;

#[bloom(capacity = 1_000, false_positives = "1%", key = "{id}")]
fn exists(id: u64, name: &str) -> bool {
    id == 7 && name.is_empty()
}

fn fill() {
    let _ = exists::add("seven");
}

fn main() {}
