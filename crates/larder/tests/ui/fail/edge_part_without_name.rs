use larder::{cached, invalidates};

#[cached(key = "user:{org}:{id}", ttl = "10m")]
fn user(org: &str, id: u64) -> u64 {
    org.len() as u64 + id
}

#[invalidates(user("acme", id))]
fn rename(id: u64) {
    let _ = id;
}

fn main() {}
