//! Scopes and switches: what holds for one task or thread, what holds for all, and that it ends.

#[path = "../support/mod.rs"]
mod support;

mod context;
mod forcing;
mod switches;

use std::sync::Arc;

use larder::{Cache, Policy};
use support::{Cached, Log, Origin, World};

pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) log: Log,
    pub(crate) cache: Cache,
    pub(crate) origin: Origin,
    pub(crate) function: Cached,
}

/// One value, 1, under `k`, and a source that now gives 2.
pub(crate) fn scene() -> Scene {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1h"));
    assert_eq!(function.call_sync("k"), Ok(1));
    origin.gives(2);
    log.take();
    Scene {
        world,
        log,
        cache,
        origin,
        function,
    }
}

impl Scene {
    pub(crate) fn get(&self) -> Option<u64> {
        self.cache.blocking().get("k").unwrap()
    }

    pub(crate) fn set(&self, value: u64) -> bool {
        self.cache
            .blocking()
            .set("k", &value)
            .ttl("1h")
            .wait()
            .unwrap()
    }
}
