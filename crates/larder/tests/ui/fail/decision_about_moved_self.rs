use larder::cached;

struct Users(u64);

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", when = |user| *user > self.0)]
    fn user(self, id: u64) -> u64 {
        id + self.0
    }
}

fn main() {}
