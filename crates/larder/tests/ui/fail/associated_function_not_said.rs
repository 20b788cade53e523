use larder::cached;

struct Users;

impl Users {
    const FIRST: u64 = 1;

    #[cached(ttl = "10m")]
    fn user(id: u64) -> u64 {
        id + Self::FIRST
    }
}

fn main() {}
