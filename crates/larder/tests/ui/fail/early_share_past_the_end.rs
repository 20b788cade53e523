use larder::cached;

#[cached(ttl = "10m", early = 1.5)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
