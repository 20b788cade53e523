use std::rc::Rc;

use larder::cached;

#[cached(key = "user:{id}", ttl = "10m", stale = "1h")]
async fn user(id: u64) -> u64 {
    let id = Rc::new(id);
    std::future::ready(()).await;
    *id
}

fn main() {}
