//! What is over goes by itself, and nothing is scheduled for nothing.

use std::sync::Arc;

use larder::Policy;

use crate::support::{Log, World, millis, secs};

#[test]
fn expired_entries_go_without_being_read() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    for n in 0..1_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1m")
            .wait()
            .unwrap();
    }
    cache
        .blocking()
        .set("stays", &1_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    world.advance(secs(70));
    assert_eq!(cache.len(), 1);
    assert_eq!(log.count("expired k:"), 1_000);
    assert_eq!(cache.stats().expired, 1_000);
    assert_eq!(cache.stats().evicted, 0);
    world.advance(secs(3_600));
    assert_eq!(cache.len(), 0);
}

#[test]
fn each_entry_goes_in_its_own_time() {
    let world = World::new();
    let cache = world.cache();
    for n in 1..=100_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl(n * 10)
            .wait()
            .unwrap();
    }
    for n in 1..=100_usize {
        world.advance(secs(10));
        let alive = cache.blocking().scan("*").unwrap().len();
        assert_eq!(alive, 100 - n);
        assert!(cache.len() <= alive + 1, "and soon after, from memory");
    }
}

#[test]
fn an_earlier_end_is_not_missed_for_a_later_one() {
    let world = World::new();
    let cache = world.cache();
    cache
        .blocking()
        .set("late", &1_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    cache
        .blocking()
        .set("early", &1_u64)
        .ttl("5s")
        .wait()
        .unwrap();
    world.advance(secs(10));
    assert_eq!(cache.len(), 1);
    cache.blocking().touch("late", "5s").unwrap();
    world.advance(secs(10));
    assert_eq!(cache.len(), 0);
}

#[test]
fn what_is_kept_for_failures_or_served_stale_stays_until_its_end() {
    let world = World::new();
    let cache = world.cache();
    let set = |key: &str, policy| {
        cache
            .blocking()
            .set(key, &1_u64)
            .policy(policy)
            .wait()
            .unwrap();
    };
    set("kept", Policy::new().ttl("1m").fail_safe("10m"));
    set("stale", Policy::new().ttl("1m").stale("10m"));
    set("failover", Policy::new().ttl("11m").failover());
    world.advance(secs(600));
    assert_eq!(cache.len(), 3);
    world.advance(secs(120));
    assert_eq!(cache.len(), 0);
}

#[test]
fn nothing_is_scheduled_where_nothing_expires() {
    let world = World::new();
    let cache = world.cache();
    for n in 0..100_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("forever")
            .wait()
            .unwrap();
    }
    cache.blocking().get::<u64>("k:1").unwrap();
    cache.blocking().clear().unwrap();
    assert_eq!(world.chores(), 0);
    assert_eq!(world.sleepers(), 0);
}

#[test]
fn nothing_stays_scheduled_when_the_last_has_gone() {
    let world = World::new();
    let cache = world.cache();
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    cache
        .blocking()
        .set("f", &1_u64)
        .ttl("forever")
        .wait()
        .unwrap();
    world.advance(secs(70));
    assert_eq!(cache.len(), 1);
    let chores = world.chores();
    assert_eq!(world.sleepers(), 0);
    world.advance(secs(1_000_000));
    assert_eq!(world.chores(), chores);
}

#[test]
fn entries_that_end_together_are_swept_together() {
    let world = World::new();
    let cache = world.cache();
    for n in 1..=1_000_u64 {
        let ttl = secs(60) + millis(n);
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl(ttl)
            .wait()
            .unwrap();
    }
    world.advance(secs(100));
    assert_eq!(cache.len(), 0);
    assert!(
        world.chores() <= 4,
        "{} sweeps for a thousand deadlines in a second",
        world.chores()
    );
}

#[test]
fn one_timer_is_all_that_a_cache_waits_with() {
    let world = World::new();
    let cache = world.cache();
    for n in (1..=100_u64).rev() {
        let set = cache.blocking().set(format!("later:{n}"), &n);
        set.ttl(n * 86_400).wait().unwrap();
        world.settle();
        assert_eq!(
            world.sleepers(),
            1,
            "an earlier deadline takes the place of a later one"
        );
    }
    for n in 0..100_u64 {
        let set = cache.blocking().set(format!("short:{n}"), &n);
        set.ttl("1s").wait().unwrap();
        world.advance(secs(5));
        assert_eq!(world.sleepers(), 1, "nor do sweeps leave timers behind");
    }
    assert_eq!(cache.len(), 100);
    drop(cache);
    world.settle();
    assert_eq!(
        world.sleepers(),
        0,
        "a cache that is gone waits for nothing"
    );
}

#[test]
fn a_sweeper_that_its_runtime_dropped_starts_again() {
    let world = World::new();
    let cache = world.cache();
    cache.blocking().set("a", &1_u64).ttl("1m").wait().unwrap();
    world.drop_chores();
    cache.blocking().set("b", &1_u64).ttl("2m").wait().unwrap();
    world.advance(secs(130));
    assert_eq!(cache.len(), 0);
}

#[test]
fn a_cache_that_nobody_holds_is_dropped_with_its_values_although_a_sweep_is_due() {
    let world = World::new();
    let cache = world.cache();
    let value = Arc::new(7_u64);
    cache.blocking().set("k", &value).ttl("1m").wait().unwrap();
    world.settle();
    assert!(Arc::strong_count(&value) > 1);
    drop(cache);
    assert_eq!(Arc::strong_count(&value), 1);
    world.advance(secs(120));
}
