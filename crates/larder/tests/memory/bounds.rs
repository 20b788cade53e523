//! How much is held, and what gives way.

use std::sync::Arc;

use larder::{Cache, ErrorKind, Policy};

use crate::support::{Log, World};

#[test]
fn a_cache_holds_no_more_entries_than_its_size() {
    for size in [
        1, 2, 3, 7, 10, 31, 33, 100, 101, 1_000, 1_001, 4_097, 10_001,
    ] {
        let cache = Cache::builder().size(size).build().unwrap();
        for n in 0..size * 3 {
            cache
                .blocking()
                .set(format!("k:{n}"), &n)
                .ttl("1h")
                .wait()
                .unwrap();
        }
        let held = cache.len() as u64;
        assert!(held <= size, "{held} of {size}");
        assert!(held * 10 >= size * 8, "{held} of {size} leaves room unused");
    }
}

#[test]
fn a_cache_of_one_entry_holds_the_last_one() {
    let cache = Cache::builder().size(1).build().unwrap();
    for n in 0..10_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
        assert_eq!(cache.blocking().get(format!("k:{n}")).unwrap(), Some(n));
        assert_eq!(cache.len(), 1);
    }
}

#[test]
fn a_cache_holds_ten_thousand_entries_if_nothing_is_said() {
    let cache = Cache::builder().build().unwrap();
    for n in 0..30_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    assert!((8_000..=10_000).contains(&cache.len()), "{}", cache.len());
}

#[test]
fn a_size_of_nothing_is_refused() {
    for builder in [Cache::builder().size(0), Cache::builder().weight(0)] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("give it at least 1"), "{error}");
    }
}

#[test]
fn what_gives_way_is_counted_and_told() {
    let world = World::new();
    let log = Log::default();
    let cache = world
        .builder()
        .size(100)
        .observer(log.clone())
        .build()
        .unwrap();
    for n in 0..1_000_u64 {
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    let evicted = 1_000 - cache.len();
    assert_eq!(cache.stats().evicted, evicted as u64);
    assert_eq!(log.count("evicted k:"), evicted);
    assert_eq!(cache.stats().stored, 1_000);
}

#[test]
fn what_is_replaced_or_removed_is_not_evicted() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    for n in 0..10_u64 {
        cache.blocking().set("k", &n).ttl("1h").wait().unwrap();
    }
    cache.blocking().delete("k").unwrap();
    assert_eq!(cache.stats().evicted, 0);
    assert_eq!(log.count("evicted"), 0);
    assert_eq!(cache.stats().invalidated, 1);
}

#[test]
fn what_is_used_outlives_what_is_written_once() {
    let cache = Cache::builder().size(1_000).build().unwrap();
    for n in 0..100_u64 {
        cache
            .blocking()
            .set(format!("hot:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
    }
    let mut survived = 0;
    for n in 0..20_000_u64 {
        cache
            .blocking()
            .set(format!("once:{n}"), &n)
            .ttl("1h")
            .wait()
            .unwrap();
        let hot = cache
            .blocking()
            .get::<u64>(format!("hot:{}", n % 100))
            .unwrap();
        survived += u64::from(hot.is_some() && n >= 19_900);
    }
    assert!(
        survived >= 90,
        "{survived} of 100 survived a scan of twenty times the size"
    );
}

#[test]
fn a_cache_by_weight_holds_no_more_than_its_weight() {
    let cache = Cache::builder().weight(10_000).build().unwrap();
    for n in 0..1_000_u64 {
        let policy = Policy::new().ttl("1h").weight(100);
        cache
            .blocking()
            .set(format!("k:{n}"), &n)
            .policy(policy)
            .wait()
            .unwrap();
        assert!(cache.weight() <= 10_000, "{}", cache.weight());
    }
    assert_eq!(cache.weight(), cache.len() as u64 * 100);
    assert!(cache.len() > 80, "{}", cache.len());
    assert_eq!(cache.stats().evicted, 1_000 - cache.len() as u64);
}

#[test]
fn a_weigher_says_what_a_type_weighs() {
    let weigh = |text: &String| u32::try_from(text.len()).unwrap();
    let cache = Cache::builder()
        .weight("1mb")
        .weigher(weigh)
        .build()
        .unwrap();
    let set = |key: &str, length| {
        let text = "x".repeat(length);
        cache.blocking().set(key, &text).ttl("1h").wait().unwrap();
    };
    set("a", 1_000);
    set("b", 500);
    assert_eq!(cache.weight(), 1_500);
    set("b", 700);
    assert_eq!(cache.weight(), 1_700);
    cache.blocking().delete("a").unwrap();
    assert_eq!(cache.weight(), 700);
    cache.blocking().touch("b", "2h").unwrap();
    assert_eq!(cache.weight(), 700, "a new life is no new weight");
    cache.blocking().clear().unwrap();
    assert_eq!(cache.weight(), 0);
}

#[test]
fn a_weigher_of_what_is_shared_sees_what_is_shared() {
    let weigh = |text: &String| u32::try_from(text.len()).unwrap();
    let cache = Cache::builder()
        .weight("1mb")
        .weigher(weigh)
        .build()
        .unwrap();
    let shared = Arc::new("x".repeat(300));
    cache.blocking().set("k", &shared).ttl("1h").wait().unwrap();
    assert_eq!(cache.weight(), 300);
}

#[test]
fn without_a_weigher_an_entry_weighs_its_key_and_its_type() {
    let cache = Cache::builder().weight("1mb").build().unwrap();
    cache
        .local()
        .set("k", &[0_u8; 64])
        .ttl("1h")
        .wait()
        .unwrap();
    let small = cache.weight();
    cache.blocking().clear().unwrap();
    cache
        .local()
        .set("k", &[0_u8; 1_064])
        .ttl("1h")
        .wait()
        .unwrap();
    assert_eq!(cache.weight(), small + 1_000);
}

#[test]
fn what_is_too_heavy_is_not_kept_and_takes_nothing_old_for_true() {
    let world = World::new();
    let log = Log::default();
    let builder = world.builder().weight(1_000).observer(log.clone());
    let cache = builder.build().unwrap();
    let set = |weight| {
        let policy = Policy::new().ttl("1h").weight(weight);
        cache
            .blocking()
            .set("k", &u64::from(weight))
            .policy(policy)
            .wait()
            .unwrap();
    };
    set(10);
    set(5_000);
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
    assert_eq!(cache.weight(), 0);
    assert!(log.count("evicted k") >= 1);
}
