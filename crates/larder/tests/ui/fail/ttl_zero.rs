use larder::cached;

#[cached(ttl = "0s")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
