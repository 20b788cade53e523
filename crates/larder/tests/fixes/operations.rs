//! Lives, values and direct operations.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use larder::{Cache, ErrorKind, Operations, Policy, Remaining, cached, scope};

use crate::support::{Cached, Oops, Origin, World, millis, secs};
use crate::{minute, world};

#[test]
fn a_cache_set_up_as_off_is_on_in_other_threads() {
    let cache = Cache::builder().url("off://").unwrap().build().unwrap();
    let seen = std::thread::spawn(move || {
        let stored = cache.blocking().set("k", &1_u64).ttl("1h").wait().unwrap();
        (stored, cache.switched_off(), cache.len())
    });
    assert_eq!(seen.join().unwrap(), (false, Operations::ALL, 0));
}

#[test]
fn a_counter_that_starts_with_five_never_expires() {
    let (world, cache) = world();
    let count = |by| {
        cache
            .blocking()
            .increment("n", by)
            .ttl("1m")
            .wait()
            .unwrap()
    };
    assert_eq!(count(5), 5);
    world.advance(secs(30));
    assert_eq!(
        count(-4),
        1,
        "neither does reaching 1 later start its time anew"
    );
    world.advance(secs(30));
    assert_eq!(count(5), 5);
}

#[test]
fn a_ttl_of_zero_means_for_ever() {
    let (_world, cache) = world();
    for policy in [
        Policy::new().ttl(0),
        Policy::new().ttl("0s"),
        Policy::new().ttl(std::time::Duration::ZERO),
    ] {
        let error = cache
            .blocking()
            .set("k", &1_u64)
            .policy(policy)
            .wait()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    }
    assert!(cache.blocking().touch("k", 0).is_err());
    assert!(cache.is_empty());
}

#[test]
fn anybody_can_give_back_a_lock() {
    let (_world, cache) = world();
    let lock = cache.blocking().lock("l").wait().unwrap();
    assert!(!cache.blocking().unlock("l", lock.owner() ^ 2).unwrap());
    assert!(lock.is_held());
}

#[test]
fn waiting_for_a_lock_spins_and_never_ends() {
    let (world, cache) = world();
    let lock = cache.blocking().lock("l").ttl("forever").wait().unwrap();
    let waiting = {
        let cache = cache.clone();
        world.spawn(async move { cache.lock("l").wait_for("5s").await })
    };
    world.settle();
    assert_eq!(world.sleepers(), 1, "one timer is all it costs");
    world.advance(secs(5));
    assert_eq!(waiting.value().unwrap_err().kind(), ErrorKind::Timeout);
    assert!(lock.renew().wait().unwrap());
    drop(lock);
    let unsaid = cache.blocking().lock("l").wait().unwrap();
    world.advance(secs(10));
    assert!(
        !unsaid.is_held(),
        "a lock of which nothing was said ends too"
    );
}

#[test]
fn leaving_a_forced_scope_loses_the_outer_one() {
    let (_world, cache) = world();
    let set = || cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    let get = || cache.blocking().get::<u64>("k").unwrap();
    set();
    scope().invalidate_further().run(|| {
        scope().invalidate_further().run(|| assert_eq!(get(), None));
        set();
        assert_eq!(get(), None, "the outer one still forces");
    });
    set();
    assert_eq!(get(), Some(1));
}

#[test]
fn a_stale_entry_is_immortal() {
    let (world, cache) = world();
    let policy = minute().stale("1h");
    cache
        .blocking()
        .set("k", &1_u64)
        .policy(policy)
        .wait()
        .unwrap();
    let left = cache.blocking().remaining_ttl("k").unwrap();
    assert_eq!(left, Some(Remaining::For(secs(3_660))));
    world.advance(secs(3_670));
    assert_eq!(cache.len(), 0);
}

#[test]
fn an_endless_entry_overflows() {
    let (world, cache) = world();
    cache
        .blocking()
        .set("k", &1_u64)
        .ttl("forever")
        .wait()
        .unwrap();
    world.advance(secs(10_000_000_000));
    assert_eq!(
        cache.blocking().remaining_ttl("k").unwrap(),
        Some(Remaining::Forever)
    );
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), Some(1));
    assert!(cache.blocking().touch("k", "forever").unwrap());
    assert!(
        cache
            .blocking()
            .explain("k")
            .unwrap()
            .to_string()
            .contains("never")
    );
}

#[test]
fn the_sources_error_is_swallowed() {
    let (world, cache) = world();
    let origin = Origin::new(&world, 1);
    origin.fails("down");
    let function = Cached::new(&cache, &origin, minute().stale("1h"));
    assert_eq!(world.run(function.call("k")), Err(Oops("down")));
    let load = || origin.call_now();
    let error = cache
        .blocking()
        .get_or_load("l", load)
        .ttl("1m")
        .wait()
        .unwrap_err();
    assert_eq!(error.source_as::<Oops>(), Some(&Oops("down")));
}

#[test]
fn an_empty_value_is_a_miss() {
    let (_world, cache) = world();
    let calls = AtomicUsize::new(0);
    for _ in 0..3 {
        let asked = |_: &str| calls.fetch_add(1, Ordering::Relaxed);
        let cache = cache.blocking();
        let text = || Ok::<_, Oops>((String::new(), asked("text")).0);
        let list = || Ok::<_, Oops>((Vec::<u8>::new(), asked("list")).0);
        let map = || Ok::<_, Oops>((HashMap::<u8, u8>::new(), asked("map")).0);
        let none = || Ok::<_, Oops>((None::<u8>, asked("none")).0);
        assert_eq!(
            cache.get_or_load("text", text).ttl("1m").wait().unwrap(),
            ""
        );
        assert_eq!(
            cache.get_or_load("list", list).ttl("1m").wait().unwrap(),
            Vec::<u8>::new()
        );
        assert!(
            cache
                .get_or_load("map", map)
                .ttl("1m")
                .wait()
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            cache.get_or_load("none", none).ttl("1m").wait().unwrap(),
            None
        );
    }
    assert_eq!(calls.load(Ordering::Relaxed), 4, "each was asked for once");
}

#[test]
fn nothing_is_asked_for_again_and_again() {
    static CALLS: AtomicU64 = AtomicU64::new(0);

    #[cached(key = "find:{id}", ttl = "1m")]
    fn find(id: u64) -> Option<u64> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        (id > 100).then_some(id)
    }
    let (_world, cache) = world();
    scope().default_cache(&cache).run(|| {
        assert_eq!((find(1), find(1), find(1)), (None, None, None));
    });
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    assert_eq!(
        cache.stats().hits() + cache.stats().misses,
        3,
        "one look each"
    );
}

#[test]
fn two_caches_share_their_entries_without_bound() {
    let [first, second] = [(), ()].map(|()| Cache::builder().build().unwrap());
    for n in 0..20_000_u64 {
        first
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    assert!(first.len() <= 10_000);
    assert!(second.is_empty());
}

#[test]
fn a_missing_ttl_is_found_out_late() {
    let (_world, cache) = world();
    let error = cache.blocking().set("k", &1_u64).wait().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    let loads = AtomicUsize::new(0);
    let load = || Ok::<_, Oops>(loads.fetch_add(1, Ordering::Relaxed));
    assert!(cache.blocking().get_or_load("k", load).wait().is_err());
    assert_eq!(loads.load(Ordering::Relaxed), 0, "before anything is done");
}

#[test]
fn if_absent_is_refused_by_an_expired_entry() {
    let (world, cache) = world();
    let cache = cache.blocking();
    cache.set("k", &1_u64).ttl("1m").wait().unwrap();
    world.clock_on(secs(60));
    assert!(cache.set("k", &2_u64).ttl("1m").if_absent().wait().unwrap());
    assert_eq!(cache.get::<u64>("k").unwrap(), Some(2));
}

#[test]
fn half_a_second_is_no_second_at_all() {
    let (world, cache) = world();
    let cache = cache.blocking();
    cache.set("k", &1_u64).ttl("500ms").wait().unwrap();
    world.clock_on(millis(499));
    assert!(cache.exists("k").unwrap());
    world.clock_on(millis(1));
    assert!(!cache.exists("k").unwrap());
}

#[test]
fn a_cache_grows_without_bound() {
    let world = World::new();
    let origin = Origin::new(&world, 1);
    let cache = world.cache();
    let function = Cached::new(&cache, &origin, Policy::new().ttl("forever"));
    for n in 0..15_000 {
        let key: &'static str = Box::leak(format!("k:{n}").into_boxed_str());
        assert_eq!(function.call_sync(key), Ok(1));
    }
    assert!(cache.len() <= 10_000, "{}", cache.len());
}
