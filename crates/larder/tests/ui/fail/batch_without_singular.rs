use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(batch: &[u64]) -> HashMap<u64, u64> {
    batch.iter().map(|id| (*id, *id)).collect()
}

fn main() {
    users(&[1]);
}
