//! A library that re-exports Larder names its path.

mod deps {
    pub(crate) use ::larder as store;
}

use deps::store::{Cache, cache_put, cached, invalidates};

// Nothing may go to a crate of this name.
mod larder {}

#[cached(crate = crate::deps::store, key = "user:{name:lower}:{id}", ttl = "10m", stale = "1h", tags = ["users"])]
async fn user(name: &str, id: u64) -> Result<u64, String> {
    Ok(id + name.len() as u64)
}

#[cached(crate = deps::store, ttl = "10m", errors = "1m", no_handle)]
fn count(names: &[&str]) -> Result<usize, String> {
    Ok(names.len())
}

#[invalidates(user(name = "a", id = id), prefix = "user:", crate = crate::deps::store)]
fn forget(id: u64) {
    let _ = id;
}

#[cache_put(crate = deps::store, key = "count:{id}", ttl = "10m")]
fn put(id: u64) -> u64 {
    id
}

struct Users {
    cache: Cache,
}

impl Users {
    #[cached(crate = crate::deps::store, key = "user:{id}", ttl = "10m", cache = self.cache)]
    async fn user(&self, id: u64) -> u64 {
        id
    }
}

fn main() {
    assert_eq!(count(&["a"]), Ok(1));
    assert_eq!(put(1), 1);
    forget(1);
    let users = Users {
        cache: deps::store::cache(),
    };
    drop(user::invalidate("a", 1));
    drop(users.user_cache());
    drop(users.user(1));
    drop(user("a", 1));
}
