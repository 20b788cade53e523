use std::collections::HashMap;

#[larder::cached_batch(key = "user:{id}", ttl = "10m")]
fn users(org: &str) -> HashMap<u64, String> {
    HashMap::from([(1, org.to_owned())])
}

fn main() {
    users("acme");
}
