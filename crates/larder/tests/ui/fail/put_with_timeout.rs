//! What always runs waits for nothing.

use larder::cache_put;

#[cache_put(key = "user:{id}", ttl = "10m", timeout = "5s")]
async fn rename(id: u64) -> String {
    id.to_string()
}

fn main() {
    let _ = rename(7);
}
