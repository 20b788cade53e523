use larder::{cached, invalidates};

#[cached(key = "user:{org}:{id}", ttl = "10m")]
fn user(org: &str, id: u64) -> u64 {
    org.len() as u64 + id
}

#[invalidates(user(org = "acme", id = name))]
fn rename(name: &str) {
    let _ = name;
}

fn main() {}
