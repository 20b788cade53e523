use larder::cached;

#[cached(ttl = "10m")]
fn digits(id: u64) -> impl Iterator<Item = char> {
    id.to_string().chars().collect::<Vec<_>>().into_iter()
}

fn main() {}
