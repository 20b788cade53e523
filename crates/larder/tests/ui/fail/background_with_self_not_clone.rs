use larder::cached;

struct Users;

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", refresh_hits = 10)]
    async fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
