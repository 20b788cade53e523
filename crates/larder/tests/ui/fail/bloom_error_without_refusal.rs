//! What is not there has to be told by the error, and that cannot.

use larder::bloom;

#[derive(Debug)]
struct DbError;

#[bloom(capacity = 1_000, false_positives = "1%")]
async fn user(id: u64) -> Result<u64, DbError> {
    Ok(id)
}

fn main() {}
