//! The same operations for threads, without any runtime.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::{Cache, Error, ErrorKind, Key, Next, Operations, Policy, Remaining, Selector};

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

#[test]
fn every_operation_has_its_twin_for_threads() {
    let cache = cache();
    let cache = cache.blocking();
    assert!(cache.set("a", &1_u64).ttl("1h").tags(["t"]).wait().unwrap());
    assert_eq!(
        cache
            .set_many([("b", 2_u64), ("c", 3)])
            .ttl("1h")
            .wait()
            .unwrap(),
        2
    );
    assert_eq!(cache.get::<u64>("a").unwrap(), Some(1));
    assert_eq!(cache.get_many::<u64>(["c", "x"]).unwrap(), [Some(3), None]);
    assert!(cache.exists("a").unwrap());
    let Some(Remaining::For(left)) = cache.remaining_ttl("a").unwrap() else {
        panic!("it has an end");
    };
    assert!(left.as_secs() >= 3_500);
    assert!(cache.touch("a", "forever").unwrap());
    assert_eq!(cache.remaining_ttl("a").unwrap(), Some(Remaining::Forever));
    assert_eq!(cache.increment("n", 2).ttl("1h").wait().unwrap(), 2);
    let mut keys = cache.scan("?").unwrap();
    keys.sort();
    assert_eq!(keys, ["a", "b", "c", "n"]);
    assert_eq!(cache.explain("a").unwrap().next, Next::Hit);
    assert!(cache.delete("n").unwrap());
    assert_eq!(cache.delete_many(["c"]).unwrap(), 1);
    assert_eq!(cache.delete_prefix("b").unwrap(), 1);
    cache.delete_tags(["t"]).unwrap();
    assert_eq!(cache.get::<u64>("a").unwrap(), None);
    assert_eq!(cache.delete_pattern("*").unwrap(), 0);
    assert_eq!(
        cache
            .invalidate(Selector::Keys(vec![Key::from("a")]))
            .unwrap(),
        0
    );
    let lock = cache.lock("l").ttl("1h").wait().unwrap();
    assert!(cache.is_locked("l").unwrap());
    assert!(cache.unlock("l", lock.owner()).unwrap());
    cache.ping().unwrap();
    cache.clear().unwrap();
    cache.close();
    assert_eq!(cache.ping().unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn a_sync_source_is_called_on_the_thread_that_asks() {
    let cache = cache();
    let here = std::thread::current().id();
    let load = || {
        assert_eq!(std::thread::current().id(), here);
        Ok::<_, Error>(7_u64)
    };
    let loading = cache.blocking().get_or_load("k", load).ttl("1h");
    assert_eq!(loading.wait().unwrap(), 7);
}

#[test]
fn a_hundred_threads_on_one_cold_key_call_the_source_once() {
    let cache = cache();
    let calls = AtomicUsize::new(0);
    let all_started = std::sync::Barrier::new(100);
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                all_started.wait();
                let load = || {
                    std::thread::yield_now();
                    Ok::<_, Error>(calls.fetch_add(1, Ordering::Relaxed))
                };
                let loading = cache.blocking().get_or_load("k", load).ttl("1h");
                assert_eq!(loading.wait().unwrap(), 0);
            });
        }
    });
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let stats = cache.stats();
    assert_eq!(stats.loads, 1);
    assert_eq!(stats.hits() + stats.misses, 100);
}

#[test]
fn an_async_source_can_be_awaited_by_a_thread() {
    let cache = cache();
    let load = || async {
        // Pending once, woken from another thread.
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || tell.send(7_u64).unwrap());
        Ok::<_, Error>(told.await.unwrap())
    };
    assert_eq!(cache.get_or_load("k", load).ttl("1h").wait().unwrap(), 7);
}

#[test]
fn a_stale_value_is_reloaded_behind_without_a_runtime() {
    let cache = cache();
    let calls = std::sync::Arc::new(AtomicUsize::new(0));
    let (tell, told) = std::sync::mpsc::channel();
    let ask = || {
        let (calls, tell) = (std::sync::Arc::clone(&calls), tell.clone());
        let load = move || async move {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            tell.send(call).unwrap();
            Ok::<_, Error>(call)
        };
        let loading = cache.get_or_load("k", load).ttl("1h");
        loading
            .early(std::time::Duration::from_nanos(1))
            .wait()
            .unwrap()
    };
    assert_eq!(ask(), 0);
    assert_eq!(told.recv().unwrap(), 0);
    assert_eq!(ask(), 0, "served at once");
    assert_eq!(
        told.recv().unwrap(),
        1,
        "the thread behind has called the source"
    );
}

#[test]
fn blocking_inside_a_task_of_a_runtime_does_not_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let cache = cache();
    runtime.block_on(async {
        let blocking = cache.blocking();
        blocking.set("k", &1_u64).ttl("1h").wait().unwrap();
        let load = || Ok::<_, Error>(2_u64);
        assert_eq!(blocking.get_or_load("l", load).ttl("1h").wait().unwrap(), 2);
        assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(1));
    });
}

#[test]
fn a_blocking_call_inside_a_polled_source_does_not_lose_the_outer_wake_up() {
    let cache = cache();
    let outer = || async {
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || tell.send(1_u64).unwrap());
        let inner = || Ok::<_, Error>(10_u64);
        let inner = cache
            .blocking()
            .get_or_load("inner", inner)
            .ttl("1h")
            .wait();
        Ok::<_, Error>(told.await.unwrap() + inner.unwrap())
    };
    assert_eq!(
        cache.get_or_load("outer", outer).ttl("1h").wait().unwrap(),
        11
    );
}

#[test]
fn many_keys_can_be_loaded_by_a_thread() {
    let cache = cache();
    let load = |keys: Vec<String>| async move {
        Ok::<_, Error>(
            keys.into_iter()
                .map(|key| (key, 1_u64))
                .collect::<HashMap<_, _>>(),
        )
    };
    let policy = Policy::new().ttl("1h");
    let found = cache
        .get_or_load_many(["a", "b"], load)
        .policy(policy)
        .wait();
    assert_eq!(found.unwrap().len(), 2);
}

#[test]
fn a_switched_off_cache_is_nothing_to_fear() {
    let cache = Cache::builder().off(Operations::ALL).build().unwrap();
    let cache = cache.blocking();
    assert!(!cache.set("k", &1_u64).ttl("1h").wait().unwrap());
    assert_eq!(cache.get::<u64>("k").unwrap(), None);
    assert!(!cache.delete("k").unwrap());
    let load = || Ok::<_, Error>(2_u64);
    assert_eq!(cache.get_or_load("k", load).ttl("1h").wait().unwrap(), 2);
    let counted = cache.increment("n", 1).ttl("1h").wait().unwrap_err();
    assert_eq!(counted.kind(), ErrorKind::Unsupported);
    assert!(
        counted.to_string().contains("writing is switched off"),
        "{counted}"
    );
}
