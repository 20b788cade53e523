use larder::cached;

#[cached(ttl = "10m", bypas = id == 0)]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
