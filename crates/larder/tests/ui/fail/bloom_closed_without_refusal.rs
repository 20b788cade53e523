//! This error cannot tell that the store is down.

use larder::bloom;

#[derive(Debug)]
struct DbError;

#[bloom(capacity = 1_000, false_positives = "1%", on_outage = "closed")]
fn exists(id: u64) -> Result<bool, DbError> {
    Ok(id == 7)
}

fn main() {}
