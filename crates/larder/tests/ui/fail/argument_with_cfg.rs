use larder::cached;

#[cached(ttl = "10m")]
fn user(#[cfg(unix)] org: &str, id: u64) -> u64 {
    org.len() as u64 + id
}

fn main() {}
