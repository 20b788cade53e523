use larder::cached;

#[cached(ttl = "10m", errors(when = |error| error.is_empty()))]
fn user(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
