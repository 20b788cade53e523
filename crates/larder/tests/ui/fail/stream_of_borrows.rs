#[larder::cached_stream(key = "rows", ttl = "10m")]
fn rows(lines: &[String]) -> impl Iterator<Item = &String> {
    lines.iter()
}

fn main() {
    drop(rows(&[]));
}
