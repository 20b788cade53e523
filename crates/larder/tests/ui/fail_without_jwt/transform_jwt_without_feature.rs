use larder::cached;

#[cached(key = "session:{token:jwt(sub)}", ttl = "10m")]
fn session(token: &str) -> usize {
    token.len()
}

fn main() {}
