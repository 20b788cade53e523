//! Loads behind their readers: bounded in number and time, at most one per key, never lost silently.

mod support;

use std::sync::Arc;

use larder::Policy;
use support::{Cached, Log, Oops, Origin, World, millis, secs};

struct Scene {
    world: Arc<World>,
    log: Log,
    origin: Origin,
    function: Cached,
}

impl Scene {
    /// Entries for `a` and `b`, both past their ttl and within their stale window.
    fn stale(policy: Policy, background_loads: usize) -> Self {
        let world = World::new();
        let log = Log::default();
        let builder = world.builder().observer(log.clone());
        let cache = builder.background_loads(background_loads).build().unwrap();
        let origin = Origin::new(&world, 1);
        let function = Cached::new(&cache, &origin, policy);
        let scene = Self {
            world,
            log,
            origin,
            function,
        };
        assert_eq!(scene.call("a"), Ok(1));
        assert_eq!(scene.call("b"), Ok(1));
        scene.world.advance(secs(60));
        scene.log.take();
        scene
    }

    #[track_caller]
    fn call(&self, key: &'static str) -> Result<u64, Oops> {
        let call = self.world.spawn(self.function.clone().call(key));
        self.world.settle();
        call.value()
    }
}

fn policy() -> Policy {
    Policy::new().ttl("1m").stale("1h")
}

#[test]
fn past_the_bound_a_stale_value_is_served_without_a_reload_and_that_is_told() {
    let scene = Scene::stale(policy(), 1);
    let gate = scene.origin.hold();
    scene.origin.gives(2);
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.call("b"), Ok(1));
    assert_eq!(scene.world.loads(), 1);
    assert_eq!(scene.log.count("refresh refused b"), 1);
    assert_eq!(scene.log.count("refresh refused a"), 0);
    assert_eq!(scene.function.cache.stats().refreshes_refused, 1);
    assert_eq!(scene.function.site.stats().refreshes_refused, 1);
    gate.open();
    scene.world.settle();
    assert_eq!(scene.call("a"), Ok(2));
    assert_eq!(scene.call("b"), Ok(1), "there is room again");
    assert_eq!(scene.call("b"), Ok(2));
}

#[test]
fn a_cache_without_loads_behind_starts_none() {
    let scene = Scene::stale(policy(), 0);
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.world.loads(), 0);
    assert_eq!(scene.log.count("refresh refused a"), 1);
}

#[test]
fn a_key_that_is_loaded_behind_already_takes_no_second_place() {
    let scene = Scene::stale(policy(), 2);
    let _gate = scene.origin.hold();
    for _ in 0..5 {
        assert_eq!(scene.call("a"), Ok(1));
    }
    assert_eq!(scene.call("b"), Ok(1));
    assert_eq!(scene.world.loads(), 2);
    assert_eq!(scene.log.count("refresh refused"), 0);
}

#[test]
fn a_load_that_takes_too_long_is_given_up_and_frees_its_place() {
    let scene = Scene::stale(policy().load_limit("5s").throttle("1s"), 1);
    let gate = scene.origin.hold();
    assert_eq!(scene.call("a"), Ok(1));
    scene.world.advance(secs(5) - millis(1));
    assert_eq!(scene.log.count("refresh failed"), 0);
    scene.world.advance(millis(1));
    assert_eq!(scene.log.count("refresh failed a"), 1);
    gate.open();
    scene.world.settle();
    assert_eq!(
        scene.log.count("stored a"),
        0,
        "what comes too late is dropped"
    );
    scene.origin.flow();
    scene.origin.gives(2);
    assert_eq!(scene.call("b"), Ok(1));
    assert_eq!(scene.call("b"), Ok(2), "the place was free");
}

#[test]
fn the_limit_of_a_load_behind_is_a_minute_if_nothing_is_said() {
    let scene = Scene::stale(policy(), 1);
    let _gate = scene.origin.hold();
    assert_eq!(scene.call("a"), Ok(1));
    scene.world.advance(secs(60) - millis(1));
    assert_eq!(scene.log.count("refresh failed"), 0);
    scene.world.advance(millis(1));
    assert_eq!(scene.log.count("refresh failed a"), 1);
}

#[test]
fn a_load_in_the_foreground_has_no_such_limit() {
    let world = World::new();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&world.cache(), &origin, policy().load_limit("1s"));
    origin.takes(secs(100));
    let call = world.spawn(function.call("k"));
    world.advance(secs(100));
    assert_eq!(call.value(), Ok(1));
}

#[test]
fn a_load_behind_that_fails_is_told_and_keeps_the_value() {
    let scene = Scene::stale(policy(), 8);
    scene.origin.fails("down");
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(
        scene.log.take(),
        ["hit a Refresh", "load failed a", "refresh failed a"]
    );
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.function.cache.stats().load_failures, 1);
}

#[test]
fn a_load_behind_that_panics_is_told_and_poisons_nothing() {
    let scene = Scene::stale(policy().throttle("1s"), 1);
    scene.origin.panics("boom");
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.log.count("refresh failed a"), 1);
    scene.world.advance(secs(1));
    scene.origin.gives(2);
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.call("a"), Ok(2));
}

#[test]
fn a_sync_load_behind_that_panics_is_told_too() {
    let scene = Scene::stale(policy(), 1);
    scene.origin.panics("boom");
    assert_eq!(scene.function.call_sync("a"), Ok(1));
    scene.world.settle();
    assert_eq!(scene.log.count("refresh failed a"), 1);
    scene.origin.gives(2);
    assert_eq!(scene.function.call_sync("b"), Ok(1), "its place is free");
    scene.world.settle();
    assert_eq!(scene.function.call_sync("b"), Ok(2));
}

#[test]
fn a_load_behind_that_its_runtime_drops_is_told_and_frees_its_place() {
    let scene = Scene::stale(policy().throttle("1s"), 1);
    let _gate = scene.origin.hold();
    assert_eq!(scene.call("a"), Ok(1));
    scene.world.drop_loads();
    assert_eq!(scene.log.count("refresh failed a"), 1);
    scene.world.advance(secs(1));
    scene.origin.flow();
    scene.origin.gives(2);
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.call("a"), Ok(2));
}

#[test]
fn a_sync_load_behind_that_never_starts_is_told() {
    let scene = Scene::stale(policy(), 1);
    assert_eq!(scene.function.call_sync("a"), Ok(1));
    scene.world.drop_loads();
    assert_eq!(scene.log.count("refresh failed a"), 1);
}

#[test]
fn a_dead_source_is_not_asked_behind_on_every_call() {
    let scene = Scene::stale(policy().throttle("30s"), 8);
    scene.origin.fails("down");
    for _ in 0..100 {
        assert_eq!(scene.call("a"), Ok(1));
    }
    assert_eq!(scene.world.loads(), 1);
    scene.world.advance(secs(30));
    assert_eq!(scene.call("a"), Ok(1));
    assert_eq!(scene.world.loads(), 2);
}

#[test]
fn a_touch_does_not_take_a_load_behind_its_right_to_store() {
    let scene = Scene::stale(policy(), 8);
    scene.origin.gives(2);
    let gate = scene.origin.hold();
    assert_eq!(scene.call("a"), Ok(1));
    assert!(scene.function.cache.blocking().touch("a", "1h").unwrap());
    assert_eq!(scene.call("a"), Ok(1));
    gate.open();
    scene.world.settle();
    assert_eq!(scene.call("a"), Ok(2), "what the load brings is newer");
    assert_eq!(scene.log.count("superseded a"), 0);
}

#[test]
fn a_write_from_outside_takes_a_load_behind_its_right_to_store() {
    let scene = Scene::stale(policy(), 8);
    scene.origin.gives(2);
    let gate = scene.origin.hold();
    assert_eq!(scene.call("a"), Ok(1));
    let set = scene.function.cache.blocking().set("a", &9_u64);
    set.ttl("1m").wait().unwrap();
    gate.open();
    scene.world.settle();
    assert_eq!(scene.call("a"), Ok(9));
    assert_eq!(scene.log.count("superseded a"), 1);
}

#[test]
fn a_miss_waits_for_a_load_behind_of_the_same_key() {
    let scene = Scene::stale(Policy::new().ttl("1m").stale("10s"), 8);
    scene.origin.gives(2);
    let gate = scene.origin.hold();
    let calls = scene.origin.calls();
    assert_eq!(scene.call("a"), Ok(1));
    scene.world.advance(secs(10));
    let call = scene.world.spawn(scene.function.clone().call("a"));
    scene.world.settle();
    assert!(!call.is_done());
    gate.open();
    scene.world.settle();
    assert_eq!(call.value(), Ok(2));
    assert_eq!(scene.origin.calls(), calls + 1);
}
