//! The trait has no room for what the filter is filled by.

use larder::bloom;

trait Users {
    fn exists(&self, id: u64) -> bool;
}

struct Service;

impl Users for Service {
    #[bloom(capacity = 1_000, false_positives = "1%", key = "{id}")]
    fn exists(&self, id: u64) -> bool {
        id == 7
    }
}

fn main() {}
