use larder::cached;

#[cached(ttl)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
