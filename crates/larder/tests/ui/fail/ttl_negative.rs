use larder::cached;

#[cached(ttl = -5)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
