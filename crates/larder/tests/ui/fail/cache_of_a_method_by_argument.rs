use larder::cached;

struct Users;

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", cache = cache)]
    fn user(&self, cache: &larder::Cache, id: u64) -> u64 {
        id + cache.len() as u64
    }
}

fn main() {}
