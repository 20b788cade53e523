use larder::cached;

#[cached(key = "user:{name:keys::slug}", ttl = "10m")]
fn user(name: &str) -> usize {
    name.len()
}

fn main() {}
