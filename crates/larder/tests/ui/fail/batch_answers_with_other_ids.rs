use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(ids: &[u64]) -> HashMap<String, u64> {
    ids.iter().map(|id| (id.to_string(), *id)).collect()
}

fn main() {
    users(&[1]);
}
