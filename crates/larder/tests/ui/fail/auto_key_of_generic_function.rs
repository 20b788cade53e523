use larder::cached;

#[cached(ttl = "10m")]
fn show<T: std::fmt::Display>(value: T) -> String {
    value.to_string()
}

fn main() {}
