//! At most one load per key, whoever waits; and nobody waits for ever.

#[path = "../support/mod.rs"]
mod support;

mod circles;
mod sharing;
mod waiting;

use std::future::Future;
use std::sync::Arc;

use larder::__private::{AsPlain, Hit, KeyBuf, Mode, Site, fill, fill_sync, hit};
use larder::{Cache, Policy};
use support::{Cached, Log, Oops, Origin, World};

pub(crate) fn ten_minutes() -> Policy {
    Policy::new().ttl("10m")
}

pub(crate) struct Scene {
    pub(crate) world: Arc<World>,
    pub(crate) log: Log,
    pub(crate) origin: Origin,
    pub(crate) function: Cached,
}

impl Scene {
    pub(crate) fn new(policy: Policy) -> Self {
        let world = World::new();
        let log = Log::default();
        let origin = Origin::new(&world, 1);
        let function = Cached::new(&world.observed(log.clone()), &origin, policy);
        Self {
            world,
            log,
            origin,
            function,
        }
    }

    pub(crate) fn start(&self) -> support::Running<Result<u64, Oops>> {
        let call = self.world.spawn(self.function.clone().call("k"));
        self.world.settle();
        call
    }
}

pub(crate) async fn plain<F: Future<Output = u64>>(
    cache: Cache,
    key: &'static str,
    source: impl FnOnce() -> F,
) -> u64 {
    let buf = KeyBuf::from_text(key);
    match hit::<AsPlain, u64>(&cache, site(), &buf) {
        Hit::Value(value) | Hit::Refresh(value, _) => return value,
        Hit::Miss => {}
    }
    let policy = ten_minutes();
    let prepare = |plan: &mut larder::__private::Plan<_>| plan.policy(policy);
    fill::<AsPlain, u64, _, _, _, _>(
        &cache,
        site(),
        buf,
        Mode::Foreground,
        prepare,
        source,
        |_| {},
    )
    .await
}

pub(crate) fn plain_sync(cache: &Cache, key: &'static str, source: impl FnOnce() -> u64) -> u64 {
    let buf = KeyBuf::from_text(key);
    match hit::<AsPlain, u64>(cache, site(), &buf) {
        Hit::Value(value) | Hit::Refresh(value, _) => return value,
        Hit::Miss => {}
    }
    let policy = ten_minutes();
    let prepare = |plan: &mut larder::__private::Plan<_>| plan.policy(policy);
    fill_sync::<AsPlain, u64, _, _, _>(
        cache,
        site(),
        buf,
        Mode::Foreground,
        prepare,
        source,
        |_| {},
    )
}

pub(crate) fn site() -> &'static Site {
    static SITE: Site = Site::new("flight::plain", "{key}");
    &SITE
}
