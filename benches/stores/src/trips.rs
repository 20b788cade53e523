//! Round trips, counted on the wire; for stores without one, the operations that are asked of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::Cache;
use larder::store::{
    Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks, Page as Keys, Read, Removal,
    Scan, Store, StoreFuture, TagVersions, Touch, Windows, Write,
};

use crate::material::{PREFIX, open, open_store, page, tagged};
use crate::measure::{Bench, Place};
use crate::servers::new_directory;
use crate::wire::Proxy;
use crate::{memcached_server, redis_server};

/// What calls cost, one after another.
struct Counted {
    miss: u64,
    hit: u64,
    /// The same in a process that knows nothing of the entry.
    first_hit: u64,
    tagged_miss: u64,
    tagged_hit: u64,
    tagged_first_hit: u64,
}

pub(crate) fn run(bench: &mut Bench) {
    if !bench.wants("trips") || bench.iterations.is_some() {
        return;
    }
    println!("\ntrips: round trips of one call (for sqlite and file: operations)");
    println!(
        "  {:<12} {:>6} {:>6} {:>10} {:>12} {:>11} {:>16}",
        "", "miss", "hit", "first hit", "tagged miss", "tagged hit", "tagged first hit"
    );
    let place = Place::current();
    let server = redis_server::alone();
    let wire = Proxy::before(server.port());
    let url = format!("redis://127.0.0.1:{}/0?prefix={PREFIX}", wire.port());
    let trips = count(&place, || open(&url), move || wire.round_trips());
    note(bench, "redis", &trips);

    let server = memcached_server::alone();
    let wire = Proxy::before(server.port());
    let url = format!("memcached://127.0.0.1:{}?prefix={PREFIX}", wire.port());
    let trips = count(&place, || open(&url), move || wire.round_trips());
    note(bench, "memcached", &trips);

    for scheme in ["sqlite", "file"] {
        let directory = new_directory();
        let url = format!("{scheme}://{}/a", directory.display());
        let asked = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&asked);
        let open = || {
            let store = Watched {
                store: open_store(&url),
                asked: Arc::clone(&asked),
            };
            let cache = Cache::builder().prefix(PREFIX).store(Arc::new(store));
            cache.build().expect("a cache")
        };
        let trips = count(&place, open, move || counted.load(Ordering::SeqCst));
        note(bench, scheme, &trips);
        drop(std::fs::remove_dir_all(directory));
    }
}

fn count(
    place: &Place,
    open: impl Fn() -> Cache,
    trips: impl Fn() -> u64 + Send + Sync + 'static,
) -> Counted {
    // Built where its connections are to live.
    let entered = place.enter();
    let (cache, other) = (open(), open());
    drop(entered);
    place.run(async move {
        for cache in [&cache, &other] {
            cache.ping().await.expect("it answers");
            // Scripts that the server does not know are sent once more.
            page(cache, 1).await;
            tagged(cache, 1).await;
        }
        cache.delete_tags(["none"]).await.expect("it answers");
        let mut last = trips();
        let mut since = || {
            let before = std::mem::replace(&mut last, trips());
            last - before
        };
        page(&cache, 2).await;
        let miss = since();
        page(&cache, 2).await;
        let hit = since();
        page(&other, 2).await;
        let first_hit = since();
        // The version of a tag is made by the first entry under it.
        tagged(&cache, 2).await;
        let tagged_miss = since();
        tagged(&cache, 2).await;
        since();
        tagged(&cache, 2).await;
        let tagged_hit = since();
        tagged(&other, 2).await;
        let tagged_first_hit = since();
        Counted {
            miss,
            hit,
            first_hit,
            tagged_miss,
            tagged_hit,
            tagged_first_hit,
        }
    })
}

fn note(bench: &mut Bench, store: &str, trips: &Counted) {
    println!(
        "  {store:<12} {:>6} {:>6} {:>10} {:>12} {:>11} {:>16}",
        trips.miss,
        trips.hit,
        trips.first_hit,
        trips.tagged_miss,
        trips.tagged_hit,
        trips.tagged_first_hit
    );
    let case = format!("trips.{store}");
    for (subject, count) in [
        ("miss", trips.miss),
        ("hit", trips.hit),
        ("first hit", trips.first_hit),
        ("tagged miss", trips.tagged_miss),
        ("tagged hit", trips.tagged_hit),
        ("tagged first hit", trips.tagged_first_hit),
    ] {
        bench.note(&case, subject, "trips", count);
    }
}

/// A store whose operations are counted.
#[derive(Debug)]
struct Watched {
    store: Arc<dyn Store>,
    asked: Arc<AtomicU64>,
}

impl Watched {
    fn store(&self) -> &dyn Store {
        self.asked.fetch_add(1, Ordering::SeqCst);
        &*self.store
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Watched {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn lease_level(&self) -> LeaseLevel {
        self.store.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        self.store().read(reads)
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.store().fill(fills)
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.store().write(writes)
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.store().touch(touch)
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.store().remaining(keys)
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        self.store().remove(removal)
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.store().tag_versions(tags, life)
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.store().forget_tags(tags)
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Keys> {
        self.store().scan(scan)
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.store().ping()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.store().close()
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.store.counters()
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.store.locks()
    }

    fn windows(&self) -> Option<&dyn Windows> {
        self.store.windows()
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        self.store.invalidations()
    }
}
