#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(ids: &[u64]) -> Vec<String> {
    ids.iter().map(u64::to_string).collect()
}

fn main() {
    users(&[1]);
}
