//! What is counted, per cache and per function.

mod support;

use larder::{Cache, Policy};
use support::{Cached, Origin, World, secs};

#[test]
fn every_outcome_has_its_count() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").stale("1m").fail_safe("1h");
    let function = Cached::new(&cache, &origin, policy);
    let call = |key| {
        let call = world.spawn(function.clone().call(key));
        world.advance(secs(2));
        call.value()
    };
    origin.takes(secs(2));
    assert_eq!(call("k"), Ok(1)); // a miss and a load of 2 s
    assert_eq!(call("k"), Ok(1)); // fresh
    assert_eq!(call("k"), Ok(1)); // fresh
    world.advance(secs(60));
    assert_eq!(call("k"), Ok(1)); // stale, and a load behind of 2 s
    world.advance(secs(180));
    origin.fails("down");
    assert_eq!(call("k"), Ok(1)); // a miss, a failure, a save
    assert!(call("x").is_err()); // a miss, a failure
    cache.blocking().delete("k").unwrap();
    let stats = cache.stats();
    assert_eq!((stats.fresh, stats.refresh, stats.negative), (2, 1, 0));
    assert_eq!((stats.misses, stats.loads, stats.load_failures), (3, 4, 2));
    assert_eq!((stats.saved, stats.stored, stats.invalidated), (1, 2, 1));
    assert_eq!(
        (stats.superseded, stats.coalesced, stats.evicted),
        (0, 0, 0)
    );
    assert_eq!(stats.load_time, secs(8));
    assert_eq!(stats.hits(), 3);
    assert_eq!(stats.hit_rate(), Some(0.5));
}

#[test]
fn a_function_counts_over_all_its_caches_and_a_cache_over_all_its_functions() {
    let world = World::new();
    let [first, second] = [world.cache(), world.cache()];
    let origin = Origin::new(&world, 1);
    let one = Cached::new(&first, &origin, Policy::new().ttl("1h"));
    let mut same_elsewhere = one.clone();
    same_elsewhere.cache = second.clone();
    let other = Cached::new(&first, &origin, Policy::new().ttl("1h"));
    for function in [&one, &one, &same_elsewhere, &other] {
        assert_eq!(function.call_sync("k"), Ok(1));
    }
    let counts = |stats: larder::Stats| (stats.fresh, stats.misses, stats.loads, stats.stored);
    assert_eq!(counts(one.site.stats().stats), (1, 2, 2, 2));
    assert_eq!(
        counts(other.site.stats().stats),
        (1, 0, 0, 0),
        "found what the first one stored"
    );
    assert_eq!(counts(first.stats()), (2, 1, 1, 1));
    assert_eq!(counts(second.stats()), (0, 1, 1, 1));
    assert_eq!(one.site.stats().function, "tests::cached");
    assert_eq!(one.site.stats().template, "{key}");
    assert_eq!(one.site.stats().misses, 2, "counts are read through");
}

#[test]
fn direct_operations_count_for_their_cache() {
    let world = World::new();
    let cache = world.cache();
    let blocking = cache.blocking();
    blocking
        .set_many([("a", 1_u64), ("b", 2)])
        .ttl("1m")
        .wait()
        .unwrap();
    blocking.get_many::<u64>(["a", "b", "x"]).unwrap();
    assert!(blocking.get::<String>("a").is_err());
    blocking.delete_many(["a", "x"]).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.stored, stats.fresh, stats.misses), (2, 2, 2));
    assert_eq!((stats.wrong_type, stats.invalidated), (1, 1));
}

#[test]
fn looking_without_asking_for_a_value_counts_nothing() {
    let world = World::new();
    let cache = world.cache();
    let blocking = cache.blocking();
    blocking.set("a", &1_u64).ttl("1m").wait().unwrap();
    let before = cache.stats();
    blocking.exists("a").unwrap();
    blocking.remaining_ttl("a").unwrap();
    blocking.scan("*").unwrap();
    blocking.explain("a").unwrap();
    assert_eq!(cache.stats(), before);
}

#[test]
fn before_the_first_call_there_is_no_rate() {
    let cache = Cache::builder().build().unwrap();
    assert_eq!(cache.stats().hit_rate(), None);
    assert_eq!(cache.stats(), larder::Stats::default());
}

#[test]
fn no_count_of_many_threads_is_lost() {
    let cache = Cache::builder().build().unwrap();
    cache.blocking().set("k", &1_u64).ttl("1h").wait().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), Some(1));
                }
            });
        }
    });
    assert_eq!(cache.stats().fresh, 24_000);
}

#[test]
fn what_a_forgotten_tag_covers_is_not_counted_as_invalidated() {
    let world = World::new();
    let cache = world.cache();
    let blocking = cache.blocking();
    blocking
        .set("a", &1_u64)
        .ttl("1h")
        .tags(["t"])
        .wait()
        .unwrap();
    blocking.set("b", &1_u64).ttl("1h").wait().unwrap();
    blocking.delete_tags(["t"]).unwrap();
    blocking.clear().unwrap();
    assert_eq!(cache.stats().invalidated, 1);
}
