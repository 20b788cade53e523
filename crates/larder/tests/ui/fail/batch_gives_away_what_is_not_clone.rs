use std::collections::HashMap;

struct Connection;

#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(connection: Connection, ids: &[u64]) -> HashMap<u64, u64> {
    let _ = connection;
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {
    users(Connection, &[1]);
}
