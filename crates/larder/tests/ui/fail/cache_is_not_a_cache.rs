use larder::cached;

struct Users {
    name: String,
}

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", cache = self.name)]
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
