use larder::background;

#[background(every = "30s", run_at_once)]
async fn rates() -> u64 {
    7
}

#[background(evry = "30s")]
async fn prices() -> u64 {
    7
}

fn main() {}
