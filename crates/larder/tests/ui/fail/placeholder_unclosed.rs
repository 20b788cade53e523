use larder::cached;

#[cached(key = "user:{id", ttl = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
