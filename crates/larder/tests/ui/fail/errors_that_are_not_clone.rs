use larder::cached;

#[cached(ttl = "10m", errors = "30s")]
fn size(path: &str) -> std::io::Result<u64> {
    Ok(std::fs::metadata(path)?.len())
}

fn main() {}
