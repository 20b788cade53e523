//! A refusal is an error, and this function has none.

use larder::cached;

#[cached(ttl = "10m", hard_timeout = "5s")]
async fn user(id: u64) -> String {
    id.to_string()
}

fn main() {
    let _ = user(7);
}
