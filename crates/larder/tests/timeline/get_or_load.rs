//! The same timeline through the direct operation.

use larder::{ErrorKind, Policy};

use crate::support::{Oops, Origin, World, secs};
use crate::ten_minutes;

#[test]
fn get_or_load_follows_the_timeline() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = ten_minutes().fail_safe("1h");
    let ask = || {
        let (cache, origin) = (cache.clone(), origin.clone());
        world.run(async move {
            let load = || async move { origin.call().await };
            cache.get_or_load("k", load).policy(policy).await
        })
    };
    assert_eq!(ask().unwrap(), 1);
    origin.gives(2);
    assert_eq!(ask().unwrap(), 1);
    world.advance(secs(600));
    origin.fails("down");
    assert_eq!(ask().unwrap(), 1, "saved");
    world.advance(secs(10));
    origin.gives(2);
    assert_eq!(ask().unwrap(), 2);
    origin.fails("down");
    world.advance(secs(600 + 3_600));
    let error = ask().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(error.source_as::<Oops>(), Some(&Oops("down")));
    assert_eq!(
        error.to_string(),
        "get_or_load `k`: the source failed: down"
    );
    assert_eq!(origin.calls(), 4);
}

#[test]
fn get_or_load_refuses_a_bad_policy_before_it_loads() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    for (policy, message) in [
        (Policy::new(), "get_or_load `k`: no `ttl`"),
        (
            Policy::new().ttl("0s"),
            "get_or_load `k`: a duration cannot be zero",
        ),
        (
            ten_minutes().soft("1h"),
            "get_or_load `k`: `soft` must be shorter than `ttl`",
        ),
    ] {
        let load = || origin.call_now();
        let error = cache
            .blocking()
            .get_or_load("k", load)
            .policy(policy)
            .wait();
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    assert_eq!(origin.calls(), 0);
}

#[test]
fn a_caches_defaults_hold_where_nothing_is_said_and_together_with_what_is() {
    let world = World::new();
    let defaults = Policy::new().ttl("1m").fail_safe("1h");
    let cache = world.builder().defaults(defaults).build().unwrap();
    let origin = Origin::new(&world, 1);
    let ask = |policy: Policy| {
        let load = || origin.call_now();
        let loading = cache.blocking().get_or_load("k", load);
        loading.policy(policy).wait().map_err(|e| e.kind())
    };
    assert_eq!(ask(Policy::new()), Ok(1));
    world.advance(secs(60));
    origin.fails("down");
    assert_eq!(ask(Policy::new()), Ok(1), "the default's fail_safe");
    let error = ask(Policy::new().soft("5m"));
    assert_eq!(
        error,
        Err(ErrorKind::InvalidPolicy),
        "soft against the default ttl"
    );
}

#[test]
fn get_or_load_serves_stale_and_reloads_behind() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let ask = || {
        let (cache, origin) = (cache.clone(), origin.clone());
        let asked = world.spawn(async move {
            let load = || async move { origin.call().await };
            let loading = cache.get_or_load("k", load).ttl("1m").stale("1h");
            loading.tags(["t"]).await
        });
        world.settle();
        asked.value().unwrap()
    };
    assert_eq!(ask(), 1);
    world.advance(secs(60));
    origin.gives(2);
    let gate = origin.hold();
    for _ in 0..5 {
        assert_eq!(ask(), 1, "nobody waits");
    }
    assert_eq!((world.loads(), origin.calls()), (1, 2));
    gate.open();
    world.settle();
    assert_eq!(ask(), 2);
    cache.blocking().delete_tags(["t"]).unwrap();
    origin.flow();
    origin.gives(3);
    assert_eq!(ask(), 3, "the reload has kept the tags");
    world.advance(secs(3_660));
    origin.fails("down");
    let (cache, origin) = (cache.clone(), origin.clone());
    let gone = world.run(async move {
        let load = || async move { origin.call().await };
        cache.get_or_load("k", load).ttl("1m").stale("1h").await
    });
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::Source);
}

#[test]
fn get_or_load_reloads_early_behind() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let ask = || {
        let (cache, origin) = (cache.clone(), origin.clone());
        world.run(async move {
            let load = || async move { origin.call().await };
            cache
                .get_or_load("k", load)
                .ttl("1m")
                .early(0.5)
                .await
                .unwrap()
        })
    };
    assert_eq!(ask(), 1);
    origin.gives(2);
    world.advance(secs(29));
    assert_eq!((ask(), world.loads()), (1, 0));
    world.advance(secs(1));
    assert_eq!((ask(), world.loads()), (1, 1));
    assert_eq!(ask(), 2);
}

#[test]
fn a_source_that_borrows_is_reloaded_by_one_of_its_callers() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").stale("1h").throttle("30s");
    let ask = || {
        let load = || origin.call_now();
        cache
            .blocking()
            .get_or_load("k", load)
            .policy(policy)
            .wait()
    };
    assert_eq!(ask().unwrap(), 1);
    world.advance(secs(60));
    origin.gives(2);
    assert_eq!(
        ask().unwrap(),
        2,
        "who finds it stale has the new value at once"
    );
    assert_eq!(world.loads(), 0);
    world.advance(secs(60));
    origin.fails("down");
    for _ in 0..10 {
        assert_eq!(ask().unwrap(), 2, "and the stale one if that fails");
    }
    assert_eq!(origin.calls(), 3, "once for the throttle");
}
