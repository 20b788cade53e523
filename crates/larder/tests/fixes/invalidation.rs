//! Flights, leases and tags.

use larder::Cache;

use crate::support::{Cached, Log, Origin, World, secs};
use crate::{minute, world};

#[test]
fn an_evicted_entry_leaves_its_tags_behind() {
    let world = World::new();
    let log = Log::default();
    let cache = world
        .builder()
        .size(32)
        .observer(log.clone())
        .build()
        .unwrap();
    for n in 0..1_000_u64 {
        let set = cache.blocking().set(format!("k:{n}"), &n).ttl("1h");
        set.tags([format!("t:{n}")]).wait().unwrap();
    }
    assert_eq!(
        log.count("evicted"),
        1_000 - cache.len(),
        "every one is told"
    );
    // A tag has no members: an entry that comes back under the same key and tag is not under an older invalidation.
    cache.blocking().delete_tags(["t:0"]).unwrap();
    cache
        .blocking()
        .set("k:0", &7_u64)
        .ttl("1h")
        .tags(["t:0"])
        .wait()
        .unwrap();
    assert_eq!(cache.blocking().get::<u64>("k:0").unwrap(), Some(7));
}

#[test]
fn a_short_lived_entry_takes_the_tag_with_it() {
    let (world, cache) = world();
    cache
        .blocking()
        .set("long", &1_u64)
        .ttl("1h")
        .tags(["t"])
        .wait()
        .unwrap();
    cache
        .blocking()
        .set("short", &1_u64)
        .ttl("1s")
        .tags(["t"])
        .wait()
        .unwrap();
    world.advance(secs(60));
    assert_eq!(
        cache.blocking().get::<u64>("long").unwrap(),
        Some(1),
        "it does not fall with it"
    );
    cache.blocking().delete_tags(["t"]).unwrap();
    assert_eq!(
        cache.blocking().get::<u64>("long").unwrap(),
        None,
        "nor survive without it"
    );
}

/// What is stored under `k` when it was invalidated between the reading of the source and its return.
fn stored_after(invalidate: fn(&Cache)) -> Option<u64> {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, minute()).prepare(|plan| plan.tag("t"));
    let gate = origin.hold();
    let call = world.spawn(function.call("k"));
    world.settle();
    invalidate(&cache);
    gate.open();
    world.settle();
    assert_eq!(call.value(), Ok(1), "the caller has its value");
    cache.blocking().get("k").unwrap()
}

#[test]
fn a_value_computed_before_its_tag_was_forgotten_comes_back() {
    let forget = |cache: &Cache| cache.blocking().delete_tags(["t"]).unwrap();
    assert_eq!(stored_after(forget), None);
}

#[test]
fn an_invalidation_during_the_computation_is_lost() {
    assert_eq!(
        stored_after(|cache| assert!(!cache.blocking().delete("k").unwrap())),
        None
    );
    assert_eq!(
        stored_after(|cache| cache.blocking().clear().unwrap()),
        None
    );
}

#[test]
fn a_tag_forgotten_during_the_computation_is_taken_for_fresh() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, minute())
        .settle(|settle| settle.tags_with(|value| format!("value:{value}")));
    let forgetting = cache.clone();
    origin.on_call(move || forgetting.blocking().delete_tags(["value:1"]).unwrap());
    assert_eq!(world.run(function.call("k")), Ok(1));
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
}

#[test]
fn a_read_from_before_the_invalidation_is_stored_after_it() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let gate = origin.hold();
    let reading = {
        let (cache, origin) = (cache.clone(), origin.clone());
        world.spawn(async move {
            let load = || async move { origin.call().await };
            cache.get_or_load("k", load).ttl("1m").await
        })
    };
    world.settle();
    cache.blocking().delete("k").unwrap();
    gate.open();
    world.settle();
    assert_eq!(reading.value().unwrap(), 1);
    assert!(cache.is_empty());
}

#[test]
fn forgetting_a_tag_visits_its_members() {
    let world = World::new();
    let log = Log::default();
    let cache = world
        .builder()
        .size(20_000)
        .observer(log.clone())
        .build()
        .unwrap();
    for n in 0..10_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .tags(["t"])
            .wait()
            .unwrap();
    }
    let held = cache.len();
    log.take();
    cache.blocking().delete_tags(["t"]).unwrap();
    assert_eq!(
        log.take(),
        ["invalidated Tags([\"t\"])"],
        "one step, whatever it covers"
    );
    assert_eq!(cache.len(), held, "nobody was visited");
    assert!(
        cache.blocking().scan("*").unwrap().is_empty(),
        "and nobody is there"
    );
}

#[test]
fn cancelling_the_leader_cancels_all_who_wait() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let _gate = origin.hold();
    let function = Cached::new(&cache, &origin, minute());
    let leader = world.spawn(function.clone().call("k"));
    let waiting: Vec<_> = (0..3)
        .map(|_| world.spawn(function.clone().call("k")))
        .collect();
    world.settle();
    origin.flow();
    leader.cancel();
    world.settle();
    assert!(waiting.iter().all(|call| call.value() == Ok(1)));
}

#[test]
fn ten_first_misses_are_ten_calls() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let gate = origin.hold();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (cache, origin) = (cache.clone(), origin.clone());
            world.spawn(async move {
                let load = || async move { origin.call().await };
                cache.get_or_load("k", load).ttl("1m").await
            })
        })
        .collect();
    world.settle();
    gate.open();
    world.settle();
    assert!(calls.iter().all(|call| call.value().unwrap() == 1));
    assert_eq!(origin.calls(), 1);
}

#[test]
fn a_function_without_tags_returns_an_envelope() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, minute())
        .settle(|settle| settle.tags_with(|_| Vec::<String>::new()));
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    assert_eq!(world.run(function.call("k")), Ok(1));
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), Some(1));
    assert_eq!(origin.calls(), 1);
}

#[test]
fn two_invalidations_at_one_instant_are_one() {
    let (world, cache) = world();
    let now = world.now();
    let get = || cache.blocking().get::<u64>("k").unwrap();
    for n in 0..3_u64 {
        cache
            .blocking()
            .set("k", &n)
            .ttl("1m")
            .tags(["t"])
            .wait()
            .unwrap();
        assert_eq!(get(), Some(n), "what is written after the first one lives");
        cache.blocking().delete_tags(["t"]).unwrap();
        assert_eq!(get(), None, "and the second one is felt");
    }
    assert_eq!(world.now(), now, "all of it at one instant");
}

#[test]
fn keys_under_a_prefix_are_forgotten_by_the_log() {
    let (world, cache) = world();
    let cache = cache.blocking();
    cache.set("z:old", &1_u64).ttl("1h").wait().unwrap();
    // Longer than any log of keys lived.
    world.advance(secs(600));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                for n in 0..100_u64 {
                    let key = format!("z:{thread}:{n}");
                    cache.set(key, &n).ttl("1h").wait().unwrap();
                }
            });
        }
    });
    assert_eq!(cache.delete_prefix("z:").unwrap(), 401);
}
