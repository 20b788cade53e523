use larder::cached;

#[cached(key = "user:{id}", ttl = "10m", stale = "1h")]
fn user(names: &[&str], id: u64) -> u64 {
    names.len() as u64 + id
}

fn main() {}
