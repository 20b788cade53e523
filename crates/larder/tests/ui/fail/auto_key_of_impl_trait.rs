use larder::cached;

#[cached(ttl = "10m")]
fn show(value: impl std::fmt::Display) -> String {
    value.to_string()
}

fn main() {}
