use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m", hard_timeout = "1s")]
fn users(ids: &[u64]) -> Result<HashMap<u64, u64>, larder::Refused> {
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

fn main() {
    drop(users(&[1]));
}
