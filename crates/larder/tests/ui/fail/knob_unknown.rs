use larder::cached;

#[cached(ttl = "10m", staile = "1h")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
