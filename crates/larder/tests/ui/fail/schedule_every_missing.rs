use larder::background;

#[background(ttl = "1m")]
async fn rates() -> u64 {
    7
}

fn main() {}
