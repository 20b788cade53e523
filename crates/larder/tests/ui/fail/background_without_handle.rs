use larder::cached;

trait Source {
    fn user(&self, id: u64) -> u64;
}

#[derive(Clone)]
struct Users;

impl Source for Users {
    #[cached(key = "user:{id}", ttl = "10m", stale = "1h", no_handle)]
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
