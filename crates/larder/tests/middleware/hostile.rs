//! Cancelled callers, panics, operations from within a hook, many threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use larder::middleware::{Action, Middleware, Operation, Outcome};
use larder::{Cache, Policy, cached};

use crate::Spy;
use crate::support::{Cached, Origin, World};

#[test]
fn a_call_that_is_dropped_is_told_as_dropped() {
    let world = World::new();
    let spy = Spy::new();
    let cache = world.builder().middleware(spy.clone()).build().unwrap();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let _gate = origin.hold();
    let call = world.spawn(function.call("k"));
    world.settle();
    call.cancel();
    world.settle();
    assert_eq!(spy.take(), ["get k: Miss", "load k: Dropped"]);
}

#[test]
fn a_source_that_panics_is_told_and_poisons_nothing() {
    let spy = Spy::new();
    let cache = Cache::builder().middleware(spy.clone()).build().unwrap();
    let load = || -> Result<u64, std::io::Error> { panic!("no") };
    let blocking = cache.blocking();
    let call = || blocking.get_or_load("k", load).ttl("1m").wait();
    assert!(catch_unwind(AssertUnwindSafe(call)).is_err());
    assert_eq!(spy.take(), ["get k: Miss", "load k: Dropped"]);
    let value = blocking
        .get_or_load("k", || Ok::<_, std::io::Error>(1_u64))
        .ttl("1m")
        .wait();
    assert_eq!(value.unwrap(), 1);
}

/// Panics at a certain operation.
struct Panics(Action);

impl Middleware for Panics {
    fn after(&self, operation: &Operation<'_>, outcome: Outcome, _: Duration) {
        if operation.action == self.0 && outcome != Outcome::Dropped {
            panic!("a hook that does what it must not");
        }
    }
}

#[test]
fn a_hook_that_panics_takes_only_its_caller_with_it() {
    for action in [Action::Get, Action::Load, Action::Set, Action::Delete] {
        let cache = Cache::builder().middleware(Panics(action)).build().unwrap();
        let blocking = cache.blocking();
        let call = || {
            let load = || Ok::<_, std::io::Error>(1_u64);
            drop(blocking.get_or_load("k", load).ttl("1m").wait());
            drop(blocking.delete("k"));
        };
        assert!(catch_unwind(AssertUnwindSafe(call)).is_err(), "{action}");
        // No lock, no flight and no lease is left behind.
        let other = cache
            .blocking()
            .get_or_load("other", || Ok::<_, std::io::Error>(2_u64));
        let again = catch_unwind(AssertUnwindSafe(|| other.ttl("1m").wait()));
        assert_eq!(again.is_err(), action != Action::Delete, "{action}");
    }
}

/// Counts, in the cache itself, how often each key is read.
#[derive(Default)]
struct Counts(OnceLock<Cache>);

impl Middleware for Counts {
    fn after(&self, operation: &Operation<'_>, _: Outcome, _: Duration) {
        if let Some(cache) = self.0.get()
            && operation.action == Action::Get
            && !operation.key.starts_with("reads:")
        {
            let key = format!("reads:{}", operation.key);
            cache.blocking().increment(key, 1).ttl("1h").wait().unwrap();
        }
    }
}

#[test]
fn a_hook_may_use_the_cache_it_stands_around() {
    #[cached(cache = cache, key = "n:{n}", ttl = "1m")]
    fn double(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n * 2
    }
    let counts = Arc::new(Counts::default());
    let cache = Cache::builder()
        .middleware(Arc::clone(&counts))
        .build()
        .unwrap();
    assert!(counts.0.set(cache.clone()).is_ok());
    for _ in 0..3 {
        assert_eq!(double(&cache, 2), 4);
    }
    assert_eq!(cache.blocking().get::<i64>("reads:n:2").unwrap(), Some(3));
}

#[test]
fn threads_pass_through_at_the_same_time() {
    let spy = Spy::new();
    let cache = Cache::builder().middleware(spy.clone()).build().unwrap();
    std::thread::scope(|threads| {
        for thread in 0..8_u64 {
            let cache = &cache;
            threads.spawn(move || {
                for n in 0..100_u64 {
                    let key = format!("{thread}:{n}");
                    let load = || Ok::<_, std::io::Error>(n);
                    let value = cache.blocking().get_or_load(&key, load).ttl("1m").wait();
                    assert_eq!(value.unwrap(), n);
                }
            });
        }
    });
    assert_eq!(
        spy.take().len(),
        8 * 100 * 3,
        "a get, a load and a set for each"
    );
}

#[test]
fn a_hit_is_told_with_the_functions_path() {
    #[cached(cache = cache, key = "n:{n}", ttl = "1m")]
    fn double(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n * 2
    }
    /// Remembers who asked.
    #[derive(Default)]
    struct Who(std::sync::Mutex<Vec<Option<&'static str>>>);
    impl Middleware for Who {
        fn after(&self, operation: &Operation<'_>, _: Outcome, _: Duration) {
            self.0.lock().unwrap().push(operation.function);
        }
    }
    let who = Arc::new(Who::default());
    let cache = Cache::builder()
        .middleware(Arc::clone(&who))
        .build()
        .unwrap();
    double(&cache, 1);
    cache.blocking().get::<u64>("n:1").unwrap();
    let who = who.0.lock().unwrap();
    assert_eq!(who.len(), 4);
    assert!(
        who[..3]
            .iter()
            .all(|path| path.is_some_and(|path| path.ends_with("::double"))),
        "{who:?}"
    );
    assert_eq!(who[3], None);
}
