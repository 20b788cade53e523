#[larder::cached_stream(key = "rows", ttl = "10m", max_items = "many")]
fn rows() -> impl Iterator<Item = String> {
    ["a".to_owned()].into_iter()
}

#[larder::cached_stream(key = "texts", ttl = "10m", max_bytes = 1_000, bytes = |text: &String| text.is_empty())]
fn texts() -> impl Iterator<Item = String> {
    ["a".to_owned()].into_iter()
}

fn main() {}
