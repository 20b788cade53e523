use larder::cached;

type Answer = Result<u64, String>;

struct Users;

impl Users {
    #[cached(key = "user:{id}", ttl = "10m")]
    fn user(&self, id: u64) -> Answer {
        Ok(id)
    }
}

fn main() {
    let _ = Users.user(7);
}
