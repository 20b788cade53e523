//! The engine under threads, with every interleaving of locks and atomics left to the shuttle model checker.
//!
//! Run with `RUSTFLAGS="--cfg shuttle" cargo test -p larder --test shuttle`. A failing schedule prints a text
//! that `shuttle::replay` takes.
#![cfg(shuttle)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io::{Error, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use larder::runtime::{BoxFuture, Clock, Runtime, Task};
use larder::testing::{UnderWay, under_way};
use larder::{Cache, Policy};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use shuttle::thread;

/// Time stands still, and loads behind run on threads of the checker.
#[derive(Debug)]
struct Still(Clock);

impl Runtime for Still {
    fn clock(&self) -> Clock {
        self.0.clone()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn spawn(&self, task: Task) {
        match task {
            Task::Load(future) => drop(thread::spawn(|| shuttle::future::block_on(future))),
            Task::BlockingLoad(job) => drop(thread::spawn(job)),
            Task::Chore(_) => {}
        }
    }

    fn random(&self) -> u64 {
        0
    }
}

fn cache() -> Cache {
    let runtime = Arc::new(Still(Clock::manual()));
    let cache = Cache::builder().size(64).runtime(runtime).build();
    cache.expect("a builder with nothing wrong")
}

/// Without a time limit a lost wake-up is a deadlock, which the checker finds.
fn policy() -> Policy {
    Policy::new().ttl("1h").wait("forever")
}

fn check(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), 2_000);
    shuttle::check_pct(test, 2_000, 3);
}

fn at_rest(cache: &Cache) {
    assert_eq!(under_way(cache), UnderWay::default());
}

/// A value that changes, and how often it was asked for.
#[derive(Debug, Default)]
struct Truth {
    value: AtomicU64,
    asked: AtomicU64,
}

type Source = Arc<Truth>;

fn truth(value: u64) -> Source {
    Arc::new(Truth {
        value: AtomicU64::new(value),
        asked: AtomicU64::new(0),
    })
}

/// What others do while the source is being asked, they may do now.
fn ask(source: &Source) -> Result<u64, Infallible> {
    let value = source.value.load(Ordering::SeqCst);
    source.asked.fetch_add(1, Ordering::SeqCst);
    thread::yield_now();
    Ok(value)
}

/// Waits for somebody to be in the middle of a load: only then is there a race to lose.
fn await_load(source: &Source) {
    while source.asked.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
}

fn read(cache: &Cache, source: &Source) -> u64 {
    let loading = cache.blocking().get_or_load("k", || ask(source));
    let loading = loading.policy(policy()).tags(["t"]);
    loading.wait().expect("a source that does not fail")
}

#[test]
fn a_cold_key_is_loaded_once() {
    check(|| {
        let (cache, loads) = (cache(), Arc::new(AtomicU64::new(0)));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (cache, loads) = (cache.clone(), Arc::clone(&loads));
                thread::spawn(move || {
                    let load = || {
                        thread::yield_now();
                        Ok::<_, Infallible>(loads.fetch_add(1, Ordering::SeqCst))
                    };
                    let loading = cache.blocking().get_or_load("k", load);
                    assert_eq!(loading.policy(policy()).wait().unwrap(), 0);
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        let stats = cache.stats();
        assert_eq!((stats.loads, stats.hits() + stats.misses), (1, 3));
        at_rest(&cache);
    });
}

/// Pending once, without a wake-up: whoever waits for it waits for ever.
async fn stuck() -> Result<u64, Infallible> {
    std::future::poll_fn(|_| Poll::<()>::Pending).await;
    Ok(0)
}

#[test]
fn a_leader_that_is_dropped_hands_over() {
    check(|| {
        let (cache, source) = (cache(), truth(7));
        let dropped = {
            let cache = cache.clone();
            thread::spawn(move || {
                let mut loading = pin!(async {
                    let loading = cache.get_or_load("k", stuck).policy(policy());
                    loading.await
                });
                let context = &mut Context::from_waker(Waker::noop());
                drop(loading.as_mut().poll(context));
                thread::yield_now();
            })
        };
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let (cache, source) = (cache.clone(), Arc::clone(&source));
                thread::spawn(move || read(&cache, &source))
            })
            .collect();
        dropped.join().unwrap();
        for reader in waiting {
            assert_eq!(reader.join().unwrap(), 7);
        }
        at_rest(&cache);
    });
}

/// The source changes, then `forget` is called: whoever asks afterwards is given what is true now.
fn forgets(forget: impl Fn(&Cache) + Send + Sync + Clone + 'static) {
    check(move || {
        let (cache, source) = (cache(), truth(1));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (cache, source) = (cache.clone(), Arc::clone(&source));
                thread::spawn(move || {
                    let first = read(&cache, &source);
                    let second = read(&cache, &source);
                    assert!(first <= second, "{first}, then {second}");
                })
            })
            .collect();
        await_load(&source);
        source.value.store(2, Ordering::SeqCst);
        forget(&cache);
        assert_eq!(read(&cache, &source), 2);
        readers.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(read(&cache, &source), 2);
        at_rest(&cache);
    });
}

#[test]
fn a_deleted_key_is_not_filled_by_an_older_load() {
    forgets(|cache| assert!(cache.blocking().delete("k").is_ok()));
}

#[test]
fn a_deleted_prefix_is_not_filled_by_an_older_load() {
    forgets(|cache| assert!(cache.blocking().delete_prefix("k").is_ok()));
}

#[test]
fn a_deleted_pattern_is_not_filled_by_an_older_load() {
    forgets(|cache| assert!(cache.blocking().delete_pattern("?").is_ok()));
}

#[test]
fn a_forgotten_tag_is_not_filled_by_an_older_load() {
    forgets(|cache| assert!(cache.blocking().delete_tags(["t"]).is_ok()));
}

#[test]
fn a_cleared_cache_is_not_filled_by_an_older_load() {
    forgets(|cache| assert!(cache.blocking().clear().is_ok()));
}

#[test]
fn a_value_that_was_set_is_not_overwritten_by_an_older_load() {
    forgets(|cache| {
        let set = cache.blocking().set("k", &2_u64).policy(policy());
        assert!(set.tags(["t"]).wait().unwrap());
    });
}

/// A kept value stands in for a failing source, but not for one that asks after the value was forgotten.
fn saves_nobody_after(forget: impl Fn(&Cache) + Send + Sync + Clone + 'static) {
    check(move || {
        let cache = cache();
        let policy = policy().failover();
        let kept = cache.blocking().set("k", &1_u64).policy(policy).tags(["t"]);
        kept.wait().unwrap();
        let after = truth(2);
        let failing = {
            let (cache, began) = (cache.clone(), Arc::clone(&after));
            thread::spawn(move || {
                let fail = || {
                    await_load(&began);
                    thread::yield_now();
                    Err::<u64, _>(Error::from(ErrorKind::TimedOut))
                };
                let loading = cache.blocking().get_or_load("k", fail).policy(policy);
                drop(loading.tags(["t"]).wait());
            })
        };
        forget(&cache);
        after.asked.fetch_add(1, Ordering::SeqCst);
        let good = || ask(&after);
        let loading = cache.blocking().get_or_load("k", good).policy(policy);
        assert_ne!(loading.tags(["t"]).wait().ok(), Some(1));
        failing.join().unwrap();
        at_rest(&cache);
    });
}

#[test]
fn a_kept_value_saves_nobody_after_its_key_was_deleted() {
    saves_nobody_after(|cache| assert!(cache.blocking().delete("k").is_ok()));
}

#[test]
fn a_kept_value_saves_nobody_after_its_prefix_was_deleted() {
    saves_nobody_after(|cache| assert!(cache.blocking().delete_prefix("k").is_ok()));
}

#[test]
fn a_kept_value_saves_nobody_after_its_tag_was_forgotten() {
    saves_nobody_after(|cache| assert!(cache.blocking().delete_tags(["t"]).is_ok()));
}

#[test]
fn a_kept_value_saves_nobody_after_the_cache_was_cleared() {
    saves_nobody_after(|cache| assert!(cache.blocking().clear().is_ok()));
}

#[test]
fn overlapping_batches_share_loads_and_end() {
    check(|| {
        let (cache, loads) = (cache(), Arc::new(AtomicU64::new(0)));
        let threads = [["a", "b"], ["b", "a"]].map(|keys| {
            let (cache, loads) = (cache.clone(), Arc::clone(&loads));
            thread::spawn(move || {
                let load = |keys: Vec<String>| {
                    thread::yield_now();
                    loads.fetch_add(keys.len() as u64, Ordering::SeqCst);
                    let loaded = keys.into_iter().map(|key| (key, 1_u64));
                    std::future::ready(Ok::<_, Infallible>(loaded.collect::<HashMap<_, _>>()))
                };
                let loading = cache.get_or_load_many(keys, load).policy(policy());
                assert_eq!(loading.wait().unwrap().len(), 2);
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(loads.load(Ordering::SeqCst), 2);
        at_rest(&cache);
    });
}

#[test]
fn sources_that_ask_for_each_other_end() {
    fn ask_in_a_circle(cache: &Cache, keys: [&'static str; 2]) -> u64 {
        let inner = || {
            let innermost = || Ok::<_, Infallible>(1_u64);
            let loading = cache.blocking().get_or_load(keys[1], innermost);
            loading.policy(policy()).wait()
        };
        let loading = cache.blocking().get_or_load(keys[0], inner);
        loading.policy(policy()).wait().unwrap()
    }
    check(|| {
        let cache = cache();
        let threads = [["a", "b"], ["b", "a"]].map(|keys| {
            let cache = cache.clone();
            thread::spawn(move || assert_eq!(ask_in_a_circle(&cache, keys), 1))
        });
        for thread in threads {
            thread.join().unwrap();
        }
        at_rest(&cache);
    });
}

#[test]
fn counts_of_threads_that_come_and_go_add_up() {
    check(|| {
        let cache = cache();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let cache = cache.clone();
                thread::spawn(move || {
                    let count = |cache: &Cache| drop(cache.blocking().get::<u64>("nothing"));
                    count(&cache);
                    let heir = cache.clone();
                    let heir = thread::spawn(move || count(&heir));
                    count(&cache);
                    heir.join().unwrap();
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(cache.stats().misses, 9);
    });
}
