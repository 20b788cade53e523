use larder::cached;

#[cached(ttl = 0)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
