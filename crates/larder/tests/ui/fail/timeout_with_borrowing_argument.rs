//! The load outlives the call, and what is borrowed does not.

use larder::cached;

#[cached(key = "user", ttl = "10m", fail_safe = "1h", timeout = "200ms")]
async fn user(names: Vec<&str>) -> String {
    names.concat()
}

fn main() {
    let _ = user(vec![]);
}
