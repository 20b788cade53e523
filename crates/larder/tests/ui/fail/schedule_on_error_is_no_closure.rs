use larder::background;

#[background(every = "30s", on_error = "log")]
async fn rates() -> Result<u64, std::fmt::Error> {
    Ok(7)
}

fn main() {}
