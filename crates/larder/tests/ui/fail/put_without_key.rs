use larder::cache_put;

#[cache_put(ttl = "10m")]
fn rename(id: u64) -> u64 {
    id
}

fn main() {}
