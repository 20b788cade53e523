use larder::cached;

trait Source {
    fn user(&self, id: u64) -> u64;
}

struct Users;

impl Source for Users {
    #[cached(key = "user:{id}", ttl = "10m")]
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
