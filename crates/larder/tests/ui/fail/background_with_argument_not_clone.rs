use larder::cached;

struct Connection;

#[cached(key = "user:{id}", ttl = "10m", stale = "1h")]
fn user(connection: &Connection, id: u64) -> u64 {
    let _ = connection;
    id
}

fn main() {}
