use larder::cached;

#[cached(ttl(minutes = 10))]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
