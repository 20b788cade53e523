use larder::cached;

#[cached(ttl = "10m")]
extern "C" fn user(id: u64) -> u64 {
    id
}

fn main() {}
