use larder::cached;

type Answer = Result<u64, String>;

#[cached(ttl = "10m")]
fn user(id: u64) -> Answer {
    Ok(id)
}

fn main() {}
