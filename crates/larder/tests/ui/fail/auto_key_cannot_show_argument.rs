use larder::cached;

struct Connection;

#[cached(ttl = "10m")]
fn user(connection: &Connection, id: u64) -> u64 {
    let _ = connection;
    id
}

fn main() {}
