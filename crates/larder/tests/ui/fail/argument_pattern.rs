use larder::cached;

#[cached(ttl = "10m")]
fn distance((x, y): (u32, u32)) -> u32 {
    x + y
}

fn main() {}
