//! Transactions: what is seen inside and outside, what the commit does, and what of all that is left when something goes wrong.

#[path = "../support/mod.rs"]
mod support;

#[cfg(all(feature = "redis", feature = "sqlite"))]
#[path = "../servers/redis.rs"]
mod redis_server;
#[cfg(all(feature = "redis", feature = "sqlite"))]
#[path = "../servers/mod.rs"]
mod servers;

mod attribute;
mod counting;
mod deferred;
mod ending;
mod functions;
mod heard;
mod locked;
mod middleware;
mod model;
mod nested;
mod real;
mod shapes;
mod stores;
mod visible;

use larder::{Cache, Error};

pub(crate) type Done = Result<(), Error>;

/// The error of a body that gives up.
pub(crate) fn given_up() -> Error {
    Error::new(larder::ErrorKind::Source, "test", "given up")
}

/// What everybody outside sees of a number.
pub(crate) async fn number(cache: &Cache, key: &str) -> Option<u64> {
    cache.get::<u64>(key).await.unwrap()
}

/// Another thread, which is in no transaction.
pub(crate) struct Outsider(pub(crate) Cache);

impl Outsider {
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        let (cache, key) = (self.0.clone(), key.to_owned());
        let look = move || cache.blocking().get::<u64>(&key).unwrap();
        std::thread::spawn(look).join().unwrap()
    }
}
