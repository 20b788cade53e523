use larder::{cache_put, cached};

#[cached(key = "user:{id}", ttl = "10m")]
#[cache_put(key = "user:{id}", ttl = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
