use larder::cached;

struct User {
    id: u64,
}

#[cached(ttl = "10m")]
fn user(id: u64) -> User {
    User { id }
}

fn main() {}
