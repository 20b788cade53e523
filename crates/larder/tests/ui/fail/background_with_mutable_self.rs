use larder::cached;

#[derive(Clone)]
struct Users(u64);

impl Users {
    #[cached(key = "user:{id}", ttl = "10m", early)]
    fn user(&mut self, id: u64) -> u64 {
        self.0 += id;
        self.0
    }
}

fn main() {}
