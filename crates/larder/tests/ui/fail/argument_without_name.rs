use larder::cached;

#[cached(ttl = "10m")]
fn user(_: &str, id: u64) -> u64 {
    id
}

fn main() {}
