use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(token: &[u8], ids: &[u64]) -> HashMap<u64, usize> {
    ids.iter().map(|id| (*id, token.len())).collect()
}

fn main() {
    users(b"secret", &[1]);
}
