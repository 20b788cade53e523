use larder::background;

#[background(every = "30")]
async fn rates() -> u64 {
    7
}

#[background(every)]
async fn prices() -> u64 {
    7
}

#[background(every = "forever")]
async fn never() -> u64 {
    7
}

fn main() {}
