use larder::background;

#[background(every = "30s", jitter = "200%")]
async fn rates() -> u64 {
    7
}

fn main() {}
