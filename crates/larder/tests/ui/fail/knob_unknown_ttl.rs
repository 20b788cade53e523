use larder::cached;

#[cached(tll = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
