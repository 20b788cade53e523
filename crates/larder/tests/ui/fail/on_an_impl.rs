use larder::cached;

struct Users;

#[cached(ttl = "10m")]
impl Users {
    fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
