use larder::cached;

#[cached(ttl = "10m", errors = "30s")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
