use larder::cached;

#[cached("user:{id}", ttl = "10m")]
fn user(id: u64) -> u64 {
    id
}

fn main() {}
