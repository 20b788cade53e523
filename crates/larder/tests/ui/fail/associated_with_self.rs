use larder::cached;

struct Users;

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", associated)]
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
