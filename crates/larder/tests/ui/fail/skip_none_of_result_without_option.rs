use larder::cached;

#[cached(ttl = "10m", skip_none)]
fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
