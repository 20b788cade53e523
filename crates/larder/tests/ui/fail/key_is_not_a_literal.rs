use larder::cached;

const KEY: &str = "user:{id}";

#[cached(key = KEY, ttl = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
