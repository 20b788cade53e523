use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(id: u64, ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|one| (*one, id)).collect()
}

fn main() {
    users(1, &[1]);
}
