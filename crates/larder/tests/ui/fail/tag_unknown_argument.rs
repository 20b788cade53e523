use larder::cached;

#[cached(key = "user:{id}", ttl = "10m", tags = ["users", "org:{orgs}"])]
fn user(org: &str, id: u64) -> u64 {
    org.len() as u64 + id
}

fn main() {}
