use larder::cached;

#[cached(ttl = "10m", errors = "30 secs")]
fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
