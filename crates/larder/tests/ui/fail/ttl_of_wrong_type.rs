use larder::cached;

#[cached(ttl = Some(id))]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
