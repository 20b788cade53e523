//! The function's error has to be able to carry the refusal.

use larder::rate_limit;

struct DbError;

#[rate_limit(limit = 10, per = "1m")]
async fn user(id: u64) -> Result<u64, DbError> {
    Ok(id)
}

fn main() {}
