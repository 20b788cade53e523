//! Values, clones and observers that use the cache: no lock of the cache's is held over a user's code.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larder::{Cache, Event, Policy};

use crate::support::{Oops, World, secs};

/// Calls the cache back when it is dropped, on all its operations that take locks.
struct Noisy {
    cache: Arc<OnceLock<Cache>>,
    key: &'static str,
    dropped: Arc<AtomicUsize>,
}

impl Drop for Noisy {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        let Some(cache) = self.cache.get() else {
            return;
        };
        let cache = cache.blocking();
        // The same key is in the same shard of every table: any lock that is held would be met again.
        // Whether it succeeds does not matter: the cache may be closed.
        drop(cache.set(self.key, &1_u64).ttl("1h").wait());
        drop(cache.get::<u64>(self.key));
        drop(cache.increment(self.key, 1).ttl("1h").wait());
        drop(cache.delete(self.key));
        drop(cache.scan("*"));
        drop(cache.delete_tags(["t"]));
        drop(cache.lock(self.key).wait());
        drop(cache.explain(self.key));
    }
}

struct Noise {
    world: Arc<World>,
    cache: Cache,
    back: Arc<OnceLock<Cache>>,
    dropped: Arc<AtomicUsize>,
}

impl Noise {
    fn value(&self, key: &'static str) -> Arc<Noisy> {
        Arc::new(Noisy {
            cache: Arc::clone(&self.back),
            key,
            dropped: Arc::clone(&self.dropped),
        })
    }

    fn set(&self, key: &'static str) {
        let set = self.cache.local().set(key, &self.value(key));
        set.ttl("1m").wait().unwrap();
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Runs a test on a thread of its own: a deadlock fails it in place of hanging all.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel::<()>();
    let thread = std::thread::spawn(move || {
        test();
        drop(done);
    });
    let waited = wait.recv_timeout(Duration::from_secs(30));
    let stuck = waited == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
    assert!(!stuck, "deadlock");
    thread.join().unwrap();
}

fn noisy(builder: fn(larder::Builder) -> larder::Builder, test: fn(&Noise)) {
    in_time(move || {
        let world = World::new();
        let cache = builder(world.builder()).build().unwrap();
        let noise = Noise {
            world,
            cache: cache.clone(),
            back: Arc::default(),
            dropped: Arc::default(),
        };
        noise.back.set(cache).unwrap();
        test(&noise);
    });
}

#[test]
fn a_value_may_use_the_cache_when_it_is_replaced() {
    noisy(
        |b| b,
        |noise| {
            noise.set("k");
            noise.set("k");
            // The first one's drop has removed the second.
            assert_eq!(noise.dropped(), 2);
            assert!(noise.cache.is_empty());
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_it_is_deleted() {
    noisy(
        |b| b,
        |noise| {
            let forget: [fn(&Cache); 5] = [
                |c| assert!(c.blocking().delete("k").unwrap()),
                |c| assert_eq!(c.blocking().delete_prefix("k").unwrap(), 1),
                |c| assert_eq!(c.blocking().delete_pattern("?").unwrap(), 1),
                |c| c.blocking().clear().unwrap(),
                |c| c.blocking().close(),
            ];
            for (n, forget) in forget.into_iter().enumerate() {
                noise.set("k");
                forget(&noise.cache);
                assert_eq!(noise.dropped(), n + 1);
            }
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_it_gives_way() {
    noisy(
        |b| b.size(1),
        |noise| {
            noise.set("a");
            noise.set("b");
            assert!(noise.dropped() >= 1);
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_it_is_too_heavy() {
    noisy(
        |b| b.weight(1_000),
        |noise| {
            let value = noise.value("k");
            let policy = Policy::new().ttl("1m").weight(5_000);
            noise
                .cache
                .local()
                .set("k", &value)
                .policy(policy)
                .wait()
                .unwrap();
            drop(value);
            assert_eq!(noise.dropped(), 1);
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_its_time_is_over() {
    noisy(
        |b| b,
        |noise| {
            noise.set("read");
            noise.world.clock_on(secs(60));
            assert!(
                noise
                    .cache
                    .local()
                    .get::<Arc<Noisy>>("read")
                    .unwrap()
                    .is_none()
            );
            assert_eq!(noise.dropped(), 1, "met by a reader");
            noise.set("swept");
            noise.world.advance(secs(120));
            assert_eq!(noise.dropped(), 2, "met by the sweeper");
        },
    );
}

#[test]
fn a_value_may_use_the_cache_when_its_write_or_its_fill_is_refused() {
    noisy(
        |b| b,
        |noise| {
            noise
                .cache
                .local()
                .set("k", &1_u64)
                .ttl("1m")
                .wait()
                .unwrap();
            let absent = noise.cache.local().set("k", &noise.value("other"));
            assert!(!absent.ttl("1m").if_absent().wait().unwrap());
            assert_eq!(noise.dropped(), 1);
            let load = || {
                noise.cache.blocking().delete("f").unwrap();
                Ok::<_, Oops>(noise.value("f"))
            };
            drop(
                noise
                    .cache
                    .local()
                    .get_or_load("f", || std::future::ready(load()))
                    .ttl("1m")
                    .wait()
                    .unwrap(),
            );
            assert_eq!(noise.dropped(), 2);
        },
    );
}

#[test]
fn a_clone_may_use_the_cache() {
    struct Loud(Arc<OnceLock<Cache>>);
    impl Clone for Loud {
        fn clone(&self) -> Self {
            if let Some(cache) = self.0.get() {
                cache.local().set("k", &1_u64).ttl("1m").wait().unwrap();
                cache.blocking().delete("k").unwrap();
                cache.blocking().clear().unwrap();
            }
            Self(Arc::clone(&self.0))
        }
    }
    in_time(|| {
        let world = World::new();
        let cache = world.cache();
        let back: Arc<OnceLock<Cache>> = Arc::default();
        cache
            .local()
            .set("k", &Loud(Arc::clone(&back)))
            .ttl("1m")
            .wait()
            .unwrap();
        assert!(back.set(cache.clone()).is_ok());
        assert!(cache.local().get::<Loud>("k").unwrap().is_some());
        assert!(cache.is_empty());
    });
}

#[test]
fn an_observer_may_use_the_cache() {
    in_time(|| {
        let world = World::new();
        let back: Arc<OnceLock<Cache>> = Arc::default();
        let observer = {
            let back = Arc::clone(&back);
            let inside = AtomicBool::new(false);
            move |event: &Event<'_>| {
                let Some(cache) = back.get() else { return };
                if inside.swap(true, Ordering::Relaxed) {
                    return;
                }
                let cache = cache.blocking();
                for key in ["a", "b"] {
                    drop(cache.set(key, &format!("{event}")).ttl("1m").wait());
                    assert!(cache.exists(key).is_ok());
                    drop(cache.increment(key, 1).wait());
                    cache.delete_many([key]).unwrap();
                }
                inside.store(false, Ordering::Relaxed);
            }
        };
        let cache = world.builder().size(1).observer(observer).build().unwrap();
        assert!(back.set(cache.clone()).is_ok());
        let blocking = cache.blocking();
        for key in ["a", "b"] {
            blocking.set(key, &1_u64).ttl("1m").wait().unwrap();
            drop(blocking.get::<u64>(key));
            drop(
                blocking
                    .get_or_load(key, || Ok::<_, Oops>(1_u64))
                    .ttl("1m")
                    .wait(),
            );
            blocking.delete(key).unwrap();
            blocking.delete_tags(["t"]).unwrap();
        }
        world.advance(secs(120));
        blocking.clear().unwrap();
    });
}
