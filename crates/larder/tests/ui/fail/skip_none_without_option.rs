use larder::cached;

#[cached(ttl = "10m", skip_none)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
