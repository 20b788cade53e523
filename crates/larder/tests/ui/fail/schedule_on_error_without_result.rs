use larder::background;

#[background(every = "30s", on_error = |error| eprintln!("{error}"))]
async fn rates() -> u64 {
    7
}

fn main() {}
