//! The function's error has no place for a refusal.

use larder::cached;

#[derive(Debug)]
struct UserError;

#[cached(ttl = "10m", hard_timeout = "5s")]
async fn user(id: u64) -> Result<String, UserError> {
    if id == 0 { Err(UserError) } else { Ok(id.to_string()) }
}

fn main() {
    let _ = user(7);
}
