use larder::background;

#[background(every = "30s", no_handle)]
async fn rates() -> u64 {
    7
}

fn main() {}
