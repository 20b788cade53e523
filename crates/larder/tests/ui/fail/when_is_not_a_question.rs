use larder::cached;

#[cached(ttl = "10m", when = |user| user + 1)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
