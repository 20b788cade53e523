//! Schedules over a store whose locks hang or lie.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::runtime::Runtime as _;
use larder::store::{
    Acquired, Fill, Found, LeaseLevel, Life, Locks, Page, Read, Removal, Scan, Store, StoreFuture,
    TagVersions, Touch, Write,
};
use larder::testing::MemoryStore;
use larder::{Cache, background};

use crate::support::{Oops, Origin, World, secs};

/// What is wrong with the locks.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Odd {
    HangsAtAcquire,
    /// It takes a second to answer.
    SlowToAcquire,
    HangsAtRelease,
    /// Another holds it, for no time at all.
    NothingLeft,
}

#[derive(Debug)]
struct OddLocks {
    inner: MemoryStore,
    world: Arc<World>,
    odd: Odd,
    asked: AtomicU32,
}

impl Locks for OddLocks {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(asked < 10_000, "asked again and again");
        match self.odd {
            Odd::HangsAtAcquire => Box::pin(pending()),
            Odd::SlowToAcquire => Box::pin(async move {
                self.world.sleep(secs(1)).await;
                self.inner.locks().unwrap().acquire(name, owner, ttl).await
            }),
            Odd::HangsAtRelease => self.inner.locks().unwrap().acquire(name, owner, ttl),
            Odd::NothingLeft => Box::pin(async {
                Ok(Acquired::Taken {
                    left: Duration::ZERO,
                })
            }),
        }
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        self.inner.locks().unwrap().renew(name, owner, ttl)
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        match self.odd {
            Odd::HangsAtRelease => Box::pin(pending()),
            _ => self.inner.locks().unwrap().release(name, owner),
        }
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        self.inner.locks().unwrap().held(name)
    }
}

impl Store for OddLocks {
    fn name(&self) -> &str {
        "odd"
    }

    fn lease_level(&self) -> LeaseLevel {
        self.inner.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        self.inner.read(reads)
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.inner.fill(fills)
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.inner.write(writes)
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.inner.touch(touch)
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.inner.remaining(keys)
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        self.inner.remove(removal)
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.inner.tag_versions(tags, life)
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.inner.forget_tags(tags)
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        self.inner.scan(scan)
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.inner.ping()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.inner.close()
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }
}

#[background(cache = cache, key = "rates", every = "1h", run_now)]
async fn rates(cache: &Cache, origin: &Origin) -> Result<u64, Oops> {
    let _ = cache;
    origin.call().await
}

/// A schedule that has just been started over such a store.
fn started(world: &Arc<World>, odd: Odd) -> (Cache, Origin, Arc<OddLocks>) {
    world.set_random(0);
    let store = Arc::new(OddLocks {
        inner: MemoryStore::new(world.clone()),
        world: Arc::clone(world),
        odd,
        asked: AtomicU32::new(0),
    });
    let cache = world.builder().store(Arc::clone(&store) as _);
    let (cache, origin) = (cache.build().unwrap(), Origin::new(world, 1));
    rates::start(&cache, &origin).unwrap();
    world.settle();
    (cache, origin, store)
}

#[test]
fn a_store_that_does_not_answer_for_its_lock_does_not_stop_the_runs() {
    let world = World::new();
    let (cache, origin, _) = started(&world, Odd::HangsAtAcquire);
    assert_eq!(origin.calls(), 0);
    world.advance(secs(5));
    assert_eq!(origin.calls(), 1);
    world.run(async move { cache.shutdown().await.unwrap() });
}

#[test]
fn a_schedule_that_is_stopped_while_the_store_does_not_answer_begins_no_run() {
    let world = World::new();
    let (cache, origin, _) = started(&world, Odd::HangsAtAcquire);
    assert!(rates::stop(&cache, &origin));
    world.advance(secs(10));
    assert_eq!(origin.calls(), 0);
}

#[test]
fn a_lock_that_comes_after_the_schedule_was_stopped_is_given_back_without_a_run() {
    let world = World::new();
    let (cache, origin, store) = started(&world, Odd::SlowToAcquire);
    let ending = world.spawn(async move { cache.shutdown().await });
    world.advance(secs(1));
    ending.value().unwrap();
    assert_eq!(origin.calls(), 0);
    // Another process need not wait until it ends.
    world.set_random(1 << 8);
    let other = world.builder().store(store).build().unwrap();
    rates::start(&other, &origin).unwrap();
    world.advance(secs(1));
    assert_eq!(origin.calls(), 1);
}

#[test]
fn a_schedule_stops_though_its_lock_cannot_be_given_back() {
    let world = World::new();
    let (cache, origin, _) = started(&world, Odd::HangsAtRelease);
    assert_eq!(origin.calls(), 1);
    let ending = world.spawn(async move { cache.shutdown().await });
    world.advance(secs(5));
    ending.value().unwrap();
}

#[test]
fn one_that_stands_by_asks_with_pauses_whatever_the_store_says() {
    let world = World::new();
    let (_cache, origin, store) = started(&world, Odd::NothingLeft);
    world.advance(secs(1));
    let asked = store.asked.load(Ordering::Relaxed);
    assert!((2..=21).contains(&asked), "{asked}");
    assert_eq!(origin.calls(), 0);
}
