use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m", chunks = 100)]
fn users(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {
    users(&[1]);
}
