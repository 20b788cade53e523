use larder::cached;

#[cached(key = "user:{self.region}:{id}", ttl = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
