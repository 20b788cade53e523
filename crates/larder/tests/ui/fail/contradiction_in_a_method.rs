use larder::cached;

#[derive(Clone)]
struct Users;

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", early = "20m")]
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
