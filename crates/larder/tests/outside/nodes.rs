//! What the tests of this file share: nodes on one store, in virtual time.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::store::{
    Bits, Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks, Page, Read, Removal, Scan,
    Store, StoreFuture, TagVersions, Touch, Windows, Write,
};
use larder::testing::{MemoryStore, Simulation};
use larder::{Builder, Cache, Event, Scoped};

/// Counts round trips on the way to a store.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    inner: MemoryStore,
    trips: Arc<AtomicU64>,
    tells: bool,
}

impl Counted {
    fn trip(&self) {
        self.trips.fetch_add(1, Ordering::Relaxed);
    }
}

macro_rules! counted {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $output:ty;)*) => {
        #[deny(clippy::missing_trait_methods)]
        impl Store for Counted {
            fn name(&self) -> &str {
                "shared"
            }

            fn lease_level(&self) -> LeaseLevel {
                self.inner.lease_level()
            }

            fn counters(&self) -> Option<&dyn Counters> {
                self.inner.counters()
            }

            fn locks(&self) -> Option<&dyn Locks> {
                self.inner.locks()
            }

            fn windows(&self) -> Option<&dyn Windows> {
                self.inner.windows()
            }

            fn bits(&self) -> Option<&dyn Bits> {
                self.inner.bits()
            }

            fn invalidations(&self) -> Option<&dyn Invalidations> {
                self.inner.invalidations().filter(|_| self.tells)
            }

            $(fn $name<'a>(&'a self, $($arg: $type),*) -> StoreFuture<'a, $output> {
                self.trip();
                self.inner.$name($($arg),*)
            })*
        }
    };
}

counted! {
    fn read(reads: &'a [Read<'a>]) -> Vec<Found>;
    fn fill(fills: &'a [Fill<'a>]) -> Vec<bool>;
    fn write(writes: &'a [Write<'a>]) -> Vec<bool>;
    fn touch(touch: &'a Touch<'a>) -> bool;
    fn remaining(keys: &'a [&'a str]) -> Vec<Option<Life>>;
    fn remove(removal: &'a Removal<'a>) -> u64;
    fn tag_versions(tags: &'a [&'a str], life: Life) -> TagVersions;
    fn forget_tags(tags: &'a [&'a str]) -> ();
    fn scan(scan: &'a Scan<'a>) -> Page;
    fn ping() -> ();
    fn close() -> ();
}

/// One process: a cache of its own on the shared store.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) cache: Cache,
    pub(crate) store: MemoryStore,
    trips: Arc<AtomicU64>,
}

impl Node {
    /// How many round trips it has made since it was asked last.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.swap(0, Ordering::Relaxed)
    }

    /// Runs sync functions with this node's cache as the default one.
    pub(crate) fn sync<R>(&self, run: impl FnOnce() -> R) -> R {
        larder::scope().default_cache(&self.cache).run(run)
    }

    /// Runs a future with this node's cache as the default one.
    pub(crate) fn run<F: Future>(&self, future: F) -> Scoped<F> {
        larder::scope().default_cache(&self.cache).wrap(future)
    }
}

/// The names of events.
#[derive(Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    /// How often this was told since the last time that anything was asked.
    pub(crate) fn count(&self, name: &str) -> usize {
        let told = std::mem::take(&mut *self.0.lock().expect("nobody panics"));
        told.iter().filter(|told| *told == name).count()
    }
}

/// A source that counts its calls: each gives the next number, or fails.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: AtomicU64,
    all: AtomicU64,
    fails: AtomicBool,
}

impl Calls {
    pub(crate) const fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            all: AtomicU64::new(0),
            fails: AtomicBool::new(false),
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.all.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn call(&self) -> Result<u64, Oops> {
        let next = self.next();
        if self.fails.load(Ordering::Relaxed) {
            return Err(Oops);
        }
        Ok(next)
    }

    /// How many there were since this was asked last.
    pub(crate) fn count(&self) -> u64 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn fail(&self) {
        self.fails.store(true, Ordering::Relaxed);
    }

    pub(crate) fn mend(&self) {
        self.fails.store(false, Ordering::Relaxed);
    }
}

/// How a source fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Oops;

impl std::fmt::Display for Oops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("oops")
    }
}

impl std::error::Error for Oops {}

/// A virtual world and a store in it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) simulation: Simulation,
    pub(crate) store: MemoryStore,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let simulation = Simulation::new(seed);
        let store = MemoryStore::new(simulation.runtime());
        Self { simulation, store }
    }

    /// A process that keeps nothing in memory.
    pub(crate) fn node(&self) -> Node {
        self.node_with(|builder| builder)
    }

    /// A process that keeps copies in memory for so long.
    pub(crate) fn hybrid(&self, memory_ttl: &'static str) -> Node {
        self.node_with(|builder| builder.memory_ttl(memory_ttl))
    }

    /// A process, and what is told there.
    pub(crate) fn told(&self, with: impl FnOnce(Builder) -> Builder) -> (Node, Told) {
        let told = Told::default();
        let events = Arc::clone(&told.0);
        let tell = move |event: &Event<'_>| {
            let event = format!("{event:?}");
            let name = event.split([' ', '{']).next().unwrap_or_default();
            events.lock().expect("nobody panics").push(name.to_owned());
        };
        let node = self.node_with(|builder| with(builder).observer(tell));
        (node, told)
    }

    pub(crate) fn node_with(&self, with: impl FnOnce(Builder) -> Builder) -> Node {
        self.make(false, with)
    }

    /// A process whose store tells it of changes, with copies in memory.
    pub(crate) fn listening_node(&self) -> Node {
        let node = self.make(true, |builder| builder);
        self.simulation.run();
        node
    }

    fn make(&self, tells: bool, with: impl FnOnce(Builder) -> Builder) -> Node {
        let store = self.store.connect();
        let trips = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: store.clone(),
            trips: Arc::clone(&trips),
            tells,
        };
        let builder = self.simulation.cache_builder().store(Arc::new(counted));
        let cache = with(builder).build().expect("the cache is well configured");
        Node {
            cache,
            store,
            trips,
        }
    }

    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.simulation.block_on(future)
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.simulation.advance(by);
    }
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
