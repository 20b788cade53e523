use larder::background;

struct Service;

impl Service {
    #[background(every = "30s")]
    async fn rates(&self) -> u64 {
        7
    }

    #[background(every = "30s")]
    fn all() -> Vec<Self> {
        Vec::new()
    }
}

fn main() {}
