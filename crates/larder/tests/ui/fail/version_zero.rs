use larder::cached;

#[cached(ttl = "10m", version = 0)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
