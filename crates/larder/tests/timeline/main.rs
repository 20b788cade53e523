//! Every strategy end to end, in virtual time: when the source is asked, and what a caller gets.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod failures;
mod forced;
mod get_or_load;
mod lives;

use larder::Policy;
use support::{Cached, Log, Oops, Origin, World};

pub(crate) fn ten_minutes() -> Policy {
    Policy::new().ttl("10m")
}

/// A world with one cached function of the policy, over a source that gives 1.
pub(crate) struct Scene {
    pub(crate) world: std::sync::Arc<World>,
    pub(crate) log: Log,
    pub(crate) origin: Origin,
    pub(crate) function: Cached,
}

impl Scene {
    pub(crate) fn new(policy: Policy) -> Self {
        let world = World::new();
        let log = Log::default();
        let cache = world.observed(log.clone());
        let origin = Origin::new(&world, 1);
        let function = Cached::new(&cache, &origin, policy);
        Self {
            world,
            log,
            origin,
            function,
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(Cached) -> Cached) -> Self {
        self.function = change(self.function);
        self
    }

    /// What a caller gets now; a call that has to wait fails the test. Loads behind run afterwards.
    #[track_caller]
    pub(crate) fn call(&self) -> Result<u64, Oops> {
        let call = self.world.spawn(self.function.clone().call("k"));
        self.world.settle();
        call.value()
    }

    pub(crate) fn get(&self) -> Option<u64> {
        self.function.cache.blocking().get("k").unwrap()
    }
}
