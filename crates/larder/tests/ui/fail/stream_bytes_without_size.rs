#[larder::cached_stream(key = "rows", ttl = "10m", max_bytes = 1_000_000)]
fn rows() -> impl Iterator<Item = String> {
    ["one".to_owned()].into_iter()
}

fn main() {
    drop(rows());
}
