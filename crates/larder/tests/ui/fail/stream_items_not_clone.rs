struct Row;

#[larder::cached_stream(key = "rows", ttl = "10m")]
fn rows() -> impl Iterator<Item = Row> {
    [Row].into_iter()
}

fn main() {
    drop(rows());
}
