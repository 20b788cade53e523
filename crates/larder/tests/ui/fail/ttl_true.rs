use larder::cached;

#[cached(ttl = true)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
