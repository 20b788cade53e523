use larder::background;

#[background(every = "30s", on_demand)]
async fn rates() -> u64 {
    7
}

fn main() {}
