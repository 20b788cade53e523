use larder::{background, cached};

#[background(every = "30s")]
#[cached(ttl = "1m")]
async fn rates() -> u64 {
    7
}

#[cached(ttl = "1m")]
#[background(every = "30s")]
async fn prices() -> u64 {
    7
}

fn main() {}
