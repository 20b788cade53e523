use larder::cached;

struct Users;

impl Users {
    #[cached(ttl = "10m")]
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
