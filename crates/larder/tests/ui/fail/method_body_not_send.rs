use std::rc::Rc;

use larder::cached;

struct Users;

impl Users {
    #[cached(key = "user:{id}", ttl = "10m")]
    async fn user(&self, id: u64) -> u64 {
        let id = Rc::new(id);
        std::future::ready(()).await;
        *id
    }
}

fn main() {}
