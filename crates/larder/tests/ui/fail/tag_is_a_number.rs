use larder::cached;

#[cached(ttl = "10m", tags = [7])]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
