#[larder::cached_stream(key = "rows", ttl = "10m")]
fn rows() -> Vec<u64> {
    vec![1]
}

fn main() {
    rows();
}
