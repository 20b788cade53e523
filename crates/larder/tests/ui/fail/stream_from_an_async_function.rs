#[larder::cached_stream(key = "rows", ttl = "10m")]
async fn rows() -> impl Iterator<Item = u64> {
    0..3
}

fn main() {
    drop(rows());
}
