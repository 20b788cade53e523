use larder::cached;

trait Source {
    #[cached(key = "user:{id}", ttl = "10m")]
    fn user(&self, id: u64) -> u64;
}

fn main() {}
