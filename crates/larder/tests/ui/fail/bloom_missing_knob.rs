//! A filter needs to know how large it is.

use larder::bloom;

#[bloom(capacity = 1_000)]
fn exists(id: u64) -> bool {
    id == 7
}

fn main() {}
