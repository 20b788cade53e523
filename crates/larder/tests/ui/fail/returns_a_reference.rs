use larder::cached;

#[cached(ttl = "10m")]
fn first(text: &str) -> &str {
    &text[..1]
}

fn main() {}
