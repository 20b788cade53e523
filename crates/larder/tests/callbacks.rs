//! Callbacks on operations: who is told what, for how long, and that nobody is harmed by it.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use larder::{Cache, Event, Operations, Policy, Subscription, cached, invalidates};
use support::{Cached, Origin, World, secs};

type Lines = Arc<Mutex<Vec<String>>>;

/// Notes what it is told: `write k`.
fn note(cache: &Cache, operations: Operations, pattern: &str) -> (Lines, Subscription) {
    let lines = Lines::default();
    let sink = Arc::clone(&lines);
    let subscription = cache.on(operations, pattern, move |told| {
        let operation = match told.operation {
            Operations::READ => "read",
            Operations::WRITE => "write",
            _ => "remove",
        };
        let key = told.key.unwrap_or("?");
        sink.lock().unwrap().push(format!("{operation} {key}"));
    });
    (lines, subscription)
}

fn take(lines: &Lines) -> Vec<String> {
    std::mem::take(&mut lines.lock().unwrap())
}

#[test]
fn a_callback_is_told_of_its_operations_on_its_keys() {
    let world = World::new();
    let cache = world.builder().prefix("own:").build().unwrap();
    let (writes, _a) = note(&cache, Operations::WRITE, "user:*");
    let (reads, _b) = note(&cache, Operations::READ, "user:[12]");
    let (all, _c) = note(&cache, Operations::ALL, "order:*");
    let blocking = cache.blocking();
    for key in ["user:1", "user:3", "order:1"] {
        blocking.set(key, &1_u64).ttl("1m").wait().unwrap();
        blocking.get::<u64>(key).unwrap();
    }
    blocking.get::<u64>("user:2").unwrap();
    blocking.delete_many(["order:1", "user:1"]).unwrap();
    assert_eq!(take(&writes), ["write user:1", "write user:3"]);
    assert_eq!(take(&reads), ["read user:1", "read user:2"]);
    assert_eq!(
        take(&all),
        ["write order:1", "read order:1", "remove order:1"]
    );
}

#[test]
fn functions_handles_and_edges_are_heard() {
    #[cached(cache = cache, key = "n:{n}", ttl = "1m")]
    fn double(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n * 2
    }
    #[invalidates(double(cache = cache, n = n))]
    fn forget(cache: &Cache, n: u64) {
        let _ = (cache, n);
    }
    let cache = Cache::builder().build().unwrap();
    let (told, _on) = note(&cache, Operations::ALL, "n:*");
    double(&cache, 1);
    double(&cache, 1);
    forget(&cache, 1);
    double::put(&cache, 1, 5).unwrap();
    double::invalidate(&cache, 1).unwrap();
    let expected = [
        "read n:1",
        "write n:1",
        "read n:1",
        "remove n:1",
        "write n:1",
        "remove n:1",
    ];
    assert_eq!(take(&told), expected);
}

#[test]
fn dropping_the_subscription_ends_it_and_keeping_it_does_not() {
    let cache = Cache::builder().build().unwrap();
    let (dropped, subscription) = note(&cache, Operations::WRITE, "*");
    let (kept, other) = note(&cache, Operations::WRITE, "*");
    other.keep();
    let set = || cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    set();
    drop(subscription);
    set();
    assert_eq!((take(&dropped).len(), take(&kept).len()), (1, 2));
}

#[test]
fn a_subscription_may_outlive_its_cache() {
    let cache = Cache::builder().build().unwrap();
    let (_, subscription) = note(&cache, Operations::ALL, "*");
    drop(cache);
    drop(subscription);
}

#[test]
fn what_gives_way_and_what_ends_is_a_removal_too() {
    let world = World::new();
    let cache = world.builder().size(1).build().unwrap();
    let (removals, _on) = note(&cache, Operations::REMOVE, "*");
    for n in 0..200_u64 {
        cache
            .blocking()
            .set(format!("k{n}"), &n)
            .ttl("1m")
            .wait()
            .unwrap();
    }
    assert!(!take(&removals).is_empty(), "evicted");
    let cache = world.cache();
    let (removals, _on) = note(&cache, Operations::REMOVE, "*");
    cache.blocking().set("k", &1_u64).ttl("1s").wait().unwrap();
    world.clock_on(secs(2));
    cache.blocking().get::<u64>("k").unwrap();
    assert_eq!(take(&removals), ["remove k"], "expired");
}

#[test]
fn a_removal_of_many_is_told_to_those_whose_keys_may_be_among_them() {
    let cache = Cache::builder().build().unwrap();
    let (users, _a) = note(&cache, Operations::REMOVE, "user:*:name");
    let (orders, _b) = note(&cache, Operations::REMOVE, "order:*");
    let blocking = cache.blocking();
    let mut expected = Vec::new();
    for (prefix, for_users, for_orders) in
        [("user:7:", 1, 0), ("us", 1, 0), ("o", 0, 1), ("", 1, 1)]
    {
        blocking.delete_prefix(prefix).unwrap();
        expected.push((take(&users).len(), take(&orders).len()));
        assert_eq!(expected.pop(), Some((for_users, for_orders)), "{prefix}");
    }
    blocking.delete_pattern("user:?:*").unwrap();
    assert_eq!(
        (take(&users), take(&orders).len()),
        (vec!["remove ?".to_owned()], 0)
    );
    blocking.delete_tags(["t"]).unwrap();
    blocking.clear().unwrap();
    assert_eq!((take(&users).len(), take(&orders).len()), (2, 2));
}

#[test]
fn a_callback_may_use_the_cache_and_does_not_call_itself() {
    let cache = Cache::builder().build().unwrap();
    let inside = cache.clone();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let _on = cache.on(Operations::WRITE, "*", move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        inside
            .blocking()
            .set("last", &1_u64)
            .ttl("1m")
            .wait()
            .unwrap();
    });
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert!(cache.blocking().exists("last").unwrap());
}

#[test]
fn a_callback_may_end_its_own_subscription_and_begin_others() {
    let cache = Cache::builder().build().unwrap();
    let own: Arc<OnceLock<Mutex<Option<Subscription>>>> = Arc::default();
    let calls = Arc::new(AtomicUsize::new(0));
    let (held, counted, inside) = (Arc::clone(&own), Arc::clone(&calls), cache.clone());
    let subscription = cache.on(Operations::WRITE, "*", move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        inside.on(Operations::READ, "*", |_| {}).keep();
        drop(held.get().and_then(|own| own.lock().unwrap().take()));
    });
    assert!(own.set(Mutex::new(Some(subscription))).is_ok());
    for _ in 0..3 {
        cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_callback_that_panics_does_not_silence_the_others_for_ever() {
    let cache = Cache::builder().build().unwrap();
    let on = cache.on(Operations::WRITE, "bad", |_| {
        panic!("a callback that does what it must not")
    });
    let (told, _on) = note(&cache, Operations::WRITE, "*");
    let set = |key| cache.blocking().set(key, &1_u64).ttl("1m").wait();
    let bad = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| set("bad")));
    assert!(bad.is_err());
    set("good").unwrap();
    assert_eq!(take(&told), ["write good"]);
    drop(on);
    set("bad").unwrap();
    assert_eq!(take(&told), ["write bad"]);
}

#[test]
fn observers_and_callbacks_hear_the_same() {
    let heard: Lines = Arc::default();
    let sink = Arc::clone(&heard);
    let cache = Cache::builder()
        .observer(move |event: &Event<'_>| sink.lock().unwrap().push(event.to_string()))
        .build()
        .unwrap();
    let told: Lines = Arc::default();
    let sink = Arc::clone(&told);
    let _on = cache.on(Operations::ALL, "*", move |told| {
        sink.lock().unwrap().push(told.event.to_string());
    });
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    cache.blocking().get::<u64>("k").unwrap();
    cache.blocking().delete("k").unwrap();
    assert_eq!(take(&told), take(&heard));
}

#[test]
fn a_write_that_did_not_happen_is_not_told() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let (told, _on) = note(&cache, Operations::WRITE, "*");
    let gate = origin.hold();
    let call = world.spawn(function.call("k"));
    world.settle();
    cache.blocking().delete("k").unwrap();
    gate.open();
    world.settle();
    call.value().unwrap();
    assert_eq!(
        take(&told),
        [""; 0],
        "it was invalidated while it was computed"
    );
}

#[test]
fn subscriptions_come_and_go_on_all_threads_while_others_write() {
    let cache = Cache::builder().build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let all = cache.on(Operations::WRITE, "*", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    std::thread::scope(|threads| {
        for thread in 0..4_u64 {
            let cache = &cache;
            threads.spawn(move || {
                for n in 0..200_u64 {
                    let on = cache.on(Operations::WRITE, "nothing", |_| {});
                    let key = format!("{thread}:{n}");
                    cache.blocking().set(key, &n).ttl("1m").wait().unwrap();
                    drop(on);
                }
            });
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 800);
    drop(all);
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 800);
}

#[cfg(feature = "serde")]
#[test]
fn over_a_store_each_process_hears_of_what_it_does() {
    let store = Arc::new(larder::testing::MemoryStore::new(Arc::new(
        larder::runtime::SystemRuntime::new(),
    )));
    let node = || {
        let store = Arc::clone(&store) as Arc<dyn larder::store::Store>;
        Cache::builder().store(store).build().unwrap()
    };
    let (a, b) = (node(), node());
    let (at_a, _a) = note(&a, Operations::ALL, "k*");
    let (at_b, _b) = note(&b, Operations::ALL, "k*");
    a.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    b.blocking().get::<u64>("k").unwrap();
    b.blocking().delete("k").unwrap();
    assert_eq!(take(&at_a), ["write k"]);
    // Whether memory has taken a copy depends on whether it hears of changes yet.
    let told: Vec<String> = take(&at_b)
        .into_iter()
        .filter(|line| line != "write k")
        .collect();
    assert_eq!(
        told,
        ["read k", "read k", "remove k"],
        "a miss in memory, a hit in the store"
    );
}
