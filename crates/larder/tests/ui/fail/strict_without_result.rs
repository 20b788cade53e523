use larder::cached;

#[cached(ttl = "10m", strict)]
fn size(path: &str) -> usize {
    path.len()
}

fn main() {}
