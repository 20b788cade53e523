//! The direct operations, one by one.

#[path = "../support/mod.rs"]
mod support;

mod closing;
mod counting;
mod removing;
mod values;

use std::future::Future;
use std::sync::Arc;

use larder::{Cache, Error};
use support::World;

/// Runs a future of the direct API in a world of its own.
pub(crate) fn with_cache<F: Future<Output = Result<(), Error>> + Send + 'static>(
    test: impl FnOnce(Cache, Arc<World>) -> F,
) {
    let world = World::new();
    world.run(test(world.cache(), Arc::clone(&world))).unwrap();
}

pub(crate) async fn fill(cache: &Cache, keys: &[&str]) -> Result<(), Error> {
    cache
        .set_many(keys.iter().map(|key| (*key, 1_u64)))
        .ttl("1m")
        .await?;
    Ok(())
}

pub(crate) async fn left(cache: &Cache) -> Result<Vec<String>, Error> {
    let mut keys = cache.scan("*").await?;
    keys.sort();
    Ok(keys)
}
