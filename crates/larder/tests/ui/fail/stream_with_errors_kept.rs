#[larder::cached_stream(key = "rows", ttl = "10m", errors = "30s")]
fn rows() -> impl Iterator<Item = Result<u64, String>> {
    [Ok(1)].into_iter()
}

fn main() {
    drop(rows());
}
