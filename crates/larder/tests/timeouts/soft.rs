//! `timeout`: a kept entry stands in for a load that takes too long, and the load finishes behind.

use std::sync::Arc;

use larder::{Cache, cached};

use crate::support::{Log, Oops, Origin, World, millis, secs};

#[cached(
    cache = cache,
    key = "page:{id}",
    ttl = "1m",
    fail_safe = "1h",
    timeout = "200ms"
)]
async fn page(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
    let _ = (cache, id);
    origin.call().await
}

struct Scene {
    world: Arc<World>,
    log: Log,
    origin: Origin,
    cache: Cache,
}

impl Scene {
    /// An entry that is past its ttl and kept.
    fn kept(background_loads: usize) -> Self {
        let (world, log) = (World::new(), Log::default());
        let builder = world.builder().observer(log.clone());
        let cache = builder.background_loads(background_loads).build().unwrap();
        let origin = Origin::new(&world, 1);
        let scene = Self {
            world,
            log,
            origin,
            cache,
        };
        assert_eq!(scene.start(7).value(), Ok(1));
        scene.world.advance(secs(60));
        scene.log.take();
        scene.origin.gives(2);
        scene
    }

    fn start(&self, id: u64) -> crate::support::Running<Result<u64, Oops>> {
        let (cache, origin) = (self.cache.clone(), self.origin.clone());
        let call = async move { page(&cache, &origin, id).await };
        let running = self.world.spawn(call);
        self.world.settle();
        running
    }
}

#[test]
fn a_load_that_takes_too_long_is_answered_from_what_is_kept_and_finishes_behind() {
    let scene = Scene::kept(64);
    scene.origin.takes(secs(1));
    let call = scene.start(7);
    scene.world.advance(millis(200) - millis(1));
    assert!(!call.is_done());
    scene.world.advance(millis(1));
    assert_eq!(call.value(), Ok(1));
    assert_eq!(scene.log.count("timed out page:7 200ms"), 1);
    assert_eq!(scene.log.count("saved page:7"), 1);
    assert_eq!(scene.cache.stats().timed_out, 1);
    scene.world.advance(millis(800));
    assert_eq!(scene.log.count("stored page:7"), 1);
    assert_eq!(scene.start(7).value(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_load_in_time_is_served_as_ever_and_starts_nothing_behind() {
    let scene = Scene::kept(64);
    scene.origin.takes(millis(199));
    let sleepers = scene.world.sleepers();
    let call = scene.start(7);
    scene.world.advance(millis(199));
    assert_eq!(call.value(), Ok(2));
    assert_eq!(scene.world.loads(), 0);
    assert_eq!(scene.log.count("timed out"), 0);
    assert_eq!(
        scene.world.sleepers(),
        sleepers,
        "the timer has gone with the call"
    );
}

#[test]
fn without_a_kept_entry_a_call_waits_for_its_load() {
    let scene = Scene::kept(64);
    scene.origin.takes(secs(5));
    let call = scene.start(8);
    scene.world.advance(secs(4));
    assert!(!call.is_done());
    scene.world.advance(secs(1));
    assert_eq!(call.value(), Ok(2));
    assert_eq!(scene.log.count("timed out"), 0);
}

#[test]
fn what_was_invalidated_meanwhile_is_neither_served_nor_stored() {
    let scene = Scene::kept(64);
    scene.origin.takes(secs(1));
    let (late, early) = (scene.start(7), scene.start(7));
    scene.world.advance(millis(100));
    let cache = scene.cache.clone();
    assert!(
        scene
            .world
            .run(async move { cache.delete("page:7").await })
            .unwrap()
    );
    scene.world.advance(millis(100));
    assert!(!late.is_done(), "what was kept is gone");
    assert!(!early.is_done());
    scene.world.advance(secs(2));
    assert_eq!(late.value(), Ok(2), "its own caller began before");
    assert_eq!(early.value(), Ok(2));
    assert_eq!(scene.log.count("superseded page:7"), 1);
}

#[test]
fn an_invalidation_after_the_answer_is_not_overwritten_by_the_load_behind() {
    let scene = Scene::kept(64);
    let gate = scene.origin.hold();
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    let cache = scene.cache.clone();
    scene
        .world
        .run(async move { cache.delete("page:7").await })
        .unwrap();
    gate.open();
    scene.world.settle();
    assert_eq!(scene.log.count("superseded page:7"), 1);
    assert_eq!(scene.log.count("stored page:7"), 0);
    scene.origin.flow();
    scene.origin.gives(3);
    assert_eq!(scene.start(7).value(), Ok(3));
}

#[test]
fn the_entry_that_stood_in_is_served_at_once_for_the_throttle() {
    let scene = Scene::kept(64);
    let _gate = scene.origin.hold();
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    assert_eq!(scene.start(7).value(), Ok(1), "without waiting");
    scene.world.advance(secs(10));
    let call = scene.start(7);
    assert!(
        !call.is_done(),
        "the throttle is over: it waits for the load behind"
    );
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 2, "one load of the key at a time");
}

#[test]
fn who_waits_for_the_load_of_another_waits_no_longer_either() {
    let scene = Scene::kept(64);
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..5).map(|_| scene.start(7)).collect();
    scene.world.advance(millis(200));
    for call in calls {
        assert_eq!(call.value(), Ok(1));
    }
    assert_eq!(scene.cache.stats().timed_out, 5);
    gate.open();
    scene.world.settle();
    assert_eq!(scene.start(7).value(), Ok(2));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_load_that_fails_behind_is_told() {
    let scene = Scene::kept(64);
    scene.origin.fails("down");
    let gate = scene.origin.hold();
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    gate.open();
    scene.world.settle();
    assert_eq!(scene.log.count("load failed page:7"), 1);
    assert_eq!(scene.log.count("refresh failed page:7"), 1);
    assert_eq!(scene.start(7).value(), Ok(1));
}

#[test]
fn a_load_that_fails_in_time_is_saved_as_ever() {
    let scene = Scene::kept(64);
    scene.origin.fails("down");
    scene.origin.takes(millis(100));
    let call = scene.start(7);
    scene.world.advance(millis(100));
    assert_eq!(call.value(), Ok(1));
    assert_eq!(scene.log.count("saved page:7"), 1);
    assert_eq!(scene.log.count("refresh failed"), 0);
    assert_eq!(scene.log.count("timed out"), 0);
}

#[test]
fn past_the_number_of_loads_behind_the_load_is_dropped_and_that_is_told() {
    let scene = Scene::kept(0);
    let gate = scene.origin.hold();
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1), "the caller is answered in time");
    assert_eq!(scene.log.count("refresh refused page:7"), 1);
    assert_eq!(scene.world.loads(), 0);
    gate.open();
    scene.world.settle();
    assert_eq!(scene.log.count("stored"), 0);
    assert_eq!(scene.start(7).value(), Ok(1), "throttled");
}

#[test]
fn a_load_behind_is_given_up_at_its_limit_and_frees_its_place() {
    let scene = Scene::kept(1);
    let _gate = scene.origin.hold();
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    scene.world.advance(secs(60) - millis(1));
    assert_eq!(scene.log.count("refresh failed"), 0);
    scene.world.advance(millis(1));
    assert_eq!(scene.log.count("refresh failed page:7"), 1);
    let cache = scene.cache.clone();
    scene.world.run(async move { cache.idle().await });
}

#[test]
fn a_caller_that_goes_while_it_waits_takes_its_load_with_it() {
    let scene = Scene::kept(64);
    let _gate = scene.origin.hold();
    let call = scene.start(7);
    let follower = scene.start(7);
    assert_eq!(scene.origin.calls(), 2);
    call.cancel();
    scene.world.settle();
    assert_eq!(scene.origin.calls(), 3, "one of those who wait leads now");
    scene.world.advance(millis(200));
    assert_eq!(follower.value(), Ok(1));
    assert_eq!(scene.origin.most_at_once(), 1);
}

#[test]
fn a_panic_in_time_is_the_callers_own() {
    let scene = Scene::kept(64);
    scene.origin.panics("boom");
    scene.origin.takes(millis(100));
    let call = scene.start(7);
    scene.world.advance(millis(100));
    assert_eq!(call.panic(), "boom");
}

#[test]
fn a_panic_behind_is_told_and_harms_nobody() {
    let scene = Scene::kept(64);
    scene.origin.panics("boom");
    scene.origin.takes(secs(1));
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    scene.world.advance(secs(1));
    assert_eq!(scene.log.count("refresh failed page:7"), 1);
    assert_eq!(scene.start(7).value(), Ok(1));
}

#[test]
fn a_runtime_that_is_shut_down_drops_the_load_behind_and_that_is_told() {
    let scene = Scene::kept(64);
    let _gate = scene.origin.hold();
    let call = scene.start(7);
    scene.world.advance(millis(200));
    assert_eq!(call.value(), Ok(1));
    scene.world.drop_loads();
    assert_eq!(scene.log.count("refresh failed page:7"), 1);
}

#[test]
fn where_nothing_may_be_written_a_load_does_not_go_on_behind() {
    let scene = Scene::kept(64);
    scene.origin.takes(secs(1));
    let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
    let call = async move { page(&cache, &origin, 7).await };
    let call = larder::scope().off(larder::Operations::WRITE).wrap(call);
    let call = scene.world.spawn(call);
    scene.world.advance(millis(500));
    assert!(
        !call.is_done(),
        "the load is worth waiting for: nobody else will have it"
    );
    scene.world.advance(millis(500));
    assert_eq!(call.value(), Ok(2));
    assert_eq!(scene.log.count("stored"), 0);
}
