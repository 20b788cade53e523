use larder::cached;

#[cached(key = "user:{org}{id}", ttl = "10m")]
fn user(org: &str, id: u64) -> u64 {
    org.len() as u64 + id
}

fn main() {}
