use larder::cached;

#[cached(key = "user:{id}", ttl = "10 minuets")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
