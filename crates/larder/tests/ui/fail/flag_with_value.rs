use larder::cached;

#[cached(ttl = "10m", local = true)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
