//! The shorter of the two comes first.

use larder::cached;

#[cached(ttl = "10m", hard_timeout = "1s", timeout = "5s")]
async fn user(id: u64) -> std::io::Result<String> {
    Ok(id.to_string())
}

fn main() {
    let _ = user(7);
}
