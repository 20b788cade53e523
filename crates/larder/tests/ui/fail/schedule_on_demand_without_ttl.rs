use larder::background;

#[background(on_demand)]
async fn rates() -> u64 {
    7
}

#[background(every = "0s")]
fn prices() -> u64 {
    7
}

fn main() {}
