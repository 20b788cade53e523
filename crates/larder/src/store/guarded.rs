//! A store with time limits, a breaker, and a memory for removals that did not get through.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{
    Acquired, Admission, Bits, Condition, Counters, Fill, Found, Invalidations, LeaseLevel, Life,
    Locks, Notices, Page, Quota, Read, Removal, Scan, Sink, Store, StoreFuture, TagVersions, Touch,
    Unheard, Windows, Write,
};
use crate::error::{Error, Result};
use crate::runtime::Runtime;

mod breaker;
mod gate;
mod inner;
mod probe;

use super::owed::{Because, Item};
pub use breaker::BreakerState;
use inner::{Inner, Left, Lost};

/// A [`Store`] that answers in time, whatever the one behind it does.
///
/// # Time limits
/// An operation that takes longer than [`timeout`](GuardedBuilder::timeout) is dropped and fails with [`ErrorKind::Timeout`](crate::ErrorKind). Waiting for a free place
/// ([`in_flight`](GuardedBuilder::in_flight)) counts. Removing by prefix or pattern and subscribing may take [`sweep`](GuardedBuilder::sweep).
///
/// # Breaker
/// After [`failures`](GuardedBuilder::failures) operations in a row without an answer, or a share of errors, the store is not asked any more: everything fails at once with
/// [`ErrorKind::Unavailable`](crate::ErrorKind). After [`open_for`](GuardedBuilder::open_for), doubled each time up to [`open_at_most`](GuardedBuilder::open_at_most), one probe
/// in the background asks whether it answers; nobody waits for that. When it has answered [`successes`](GuardedBuilder::successes) times and has removed what
/// was remembered, it is asked again. The first operation that then gets no answer opens the breaker again, for longer.
///
/// # Remembered removals
/// A removal, by keys, prefix, pattern or tag, that may not have reached the store is remembered and *succeeds*: it is done before this process reads that store
/// again, so this process never reads what was removed. Other processes may, until it is done. A write, fill or touch that may not have reached the store fails, and the removal of its key is
/// remembered; one that was sent may even arrive late, so the key is removed once more [`again`](GuardedBuilder::again) after the first time.
/// Between those two, a late write can be read.
///
/// More than [`remembered`](GuardedBuilder::remembered) give way to prefixes, and these to everything; what is remembered for longer than
/// [`remember`](GuardedBuilder::remember) is lost. Both is told to the [`Notices`]. The memory ends with the process.
///
/// # Cancellation
/// A dropped future frees its place. What was sent by a dropped removal or write counts as in doubt.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use larder::store::{Guarded, Removal, Store};
/// use larder::testing::{MemoryStore, Simulation};
///
/// let simulation = Simulation::new(1);
/// let memory = MemoryStore::new(simulation.runtime());
/// let store = Guarded::builder(Arc::new(memory.clone()), simulation.runtime())
///     .timeout(Duration::from_millis(200))
///     .build();
///
/// memory.cut();
/// assert!(simulation.block_on(store.remaining(&["a"])).is_err());
/// // Not done, but it will be before this store is read again.
/// assert_eq!(simulation.block_on(store.remove(&Removal::Keys(&["a"])))?, 0);
/// assert_eq!(store.owed(), 1);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
pub struct Guarded {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug)]
struct Knobs {
    timeout: Duration,
    sweep: Duration,
    failures: u32,
    share: f64,
    open_for: Duration,
    open_at_most: Duration,
    successes: u32,
    in_flight: usize,
    remember: Duration,
    remembered: usize,
    again: Duration,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            sweep: Duration::from_secs(10),
            failures: 5,
            share: 0.5,
            open_for: Duration::from_secs(1),
            open_at_most: Duration::from_secs(30),
            successes: 2,
            in_flight: 1_024,
            remember: Duration::from_secs(86_400),
            remembered: 10_000,
            again: Duration::from_secs(5),
        }
    }
}

/// What a [`Guarded`] store is made with.
#[derive(Clone, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct GuardedBuilder {
    store: Arc<dyn Store>,
    runtime: Arc<dyn Runtime>,
    notices: Arc<dyn Notices>,
    knobs: Knobs,
}

impl GuardedBuilder {
    /// How long an operation may take; 1 s by default.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.knobs.timeout = limit;
        self
    }

    /// How long a removal by prefix or pattern, or doing what is remembered, may take; 10 s by default.
    pub fn sweep(mut self, limit: Duration) -> Self {
        self.knobs.sweep = limit;
        self
    }

    /// After so many operations in a row without an answer the breaker opens; 5 by default, at least 1.
    pub fn failures(mut self, count: u32) -> Self {
        self.knobs.failures = count.max(1);
        self
    }

    /// When such a share of the latest 64 operations (at least 20) failed, with or without an answer, the breaker opens; 0.5 by default, above 1 never.
    pub fn failing_share(mut self, share: f64) -> Self {
        self.knobs.share = share;
        self
    }

    /// How long the breaker is open the first time; 1 s by default, give or take a fifth.
    pub fn open_for(mut self, span: Duration) -> Self {
        self.knobs.open_for = span;
        self
    }

    /// How long the breaker is open at most; 30 s by default, give or take a fifth.
    pub fn open_at_most(mut self, span: Duration) -> Self {
        self.knobs.open_at_most = span;
        self
    }

    /// How often the probe must be answered in a row to close the breaker; 2 by default.
    pub fn successes(mut self, count: u32) -> Self {
        self.knobs.successes = count;
        self
    }

    /// How many operations may be under way; more wait for a place. 1 024 by default, at least 1.
    pub fn in_flight(mut self, count: usize) -> Self {
        self.knobs.in_flight = count;
        self
    }

    /// For how long a removal is remembered; 1 day by default.
    pub fn remember(mut self, span: Duration) -> Self {
        self.knobs.remember = span;
        self
    }

    /// How many removals are remembered one by one; 10 000 by default. With 0 none is, and a removal that does not get through fails.
    pub fn remembered(mut self, count: usize) -> Self {
        self.knobs.remembered = count;
        self
    }

    /// How long after the first removal of what may arrive late it is removed once more; 5 s by default.
    pub fn again(mut self, span: Duration) -> Self {
        self.knobs.again = span;
        self
    }

    /// Who is told what befalls the store; nobody by default.
    pub fn notices(mut self, notices: Arc<dyn Notices>) -> Self {
        self.notices = notices;
        self
    }

    /// The guarded store.
    #[must_use]
    pub fn build(self) -> Guarded {
        Guarded {
            inner: Inner::new(self.store, self.runtime, self.knobs, self.notices),
        }
    }
}

impl Guarded {
    /// Guards a store; time and chance come from this runtime.
    pub fn builder(store: Arc<dyn Store>, runtime: Arc<dyn Runtime>) -> GuardedBuilder {
        GuardedBuilder {
            store,
            runtime,
            notices: Arc::new(Unheard),
            knobs: Knobs::default(),
        }
    }

    /// What the breaker does at present.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        self.inner.breaker.lock().state()
    }

    /// How many removals are remembered at present.
    #[must_use]
    pub fn owed(&self) -> usize {
        self.inner.owed()
    }

    /// An operation that leaves nothing behind.
    async fn ask<T>(&self, operation: &'static str, asked: StoreFuture<'_, T>) -> Result<T> {
        let limit = self.inner.knobs.timeout;
        let nothing = |_| Vec::new();
        let done = self.inner.run(operation, limit, nothing, asked).await;
        done.map_err(|lost| lost.error)
    }

    /// An operation on entries under leases: if nobody waits for it any more, the lease still judges what arrives.
    async fn under_lease<T>(
        &self,
        operation: &'static str,
        keys: impl Fn() -> Vec<Item>,
        asked: StoreFuture<'_, T>,
    ) -> Result<T> {
        let stake = |left| match left {
            Left::Unsent => noted(keys(), Because::Removed),
            Left::InDoubt => noted(keys(), Because::InDoubt),
            Left::Dropped => Vec::new(),
        };
        let limit = self.inner.knobs.timeout;
        let done = self.inner.run(operation, limit, stake, asked).await;
        done.map_err(|lost| lost.error)
    }
}

fn noted(items: Vec<Item>, because: Because) -> Vec<(Item, Because)> {
    items.into_iter().map(|item| (item, because)).collect()
}

fn key(key: &str) -> Item {
    Item::Key(key.to_owned())
}

/// A removal that is remembered is as good as done.
fn forgiven<T: Default>(done: Result<T, Lost>) -> Result<T> {
    match done {
        Err(lost) if lost.is_remembered => Ok(T::default()),
        Err(lost) => Err(lost.error),
        Ok(done) => Ok(done),
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Guarded {
    fn name(&self) -> &str {
        self.inner.store.name()
    }

    fn lease_level(&self) -> LeaseLevel {
        self.inner.store.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(self.ask("read", self.inner.store.read(reads)))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        let keys = || fills.iter().map(|fill| key(fill.key)).collect();
        Box::pin(self.under_lease("fill", keys, self.inner.store.fill(fills)))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        let stake = |left| {
            let because = match left {
                Left::Unsent => Because::Removed,
                Left::InDoubt | Left::Dropped => Because::InDoubt,
            };
            // A write if absent that was not sent would have replaced nothing.
            let matters =
                |write: &&Write<'_>| left != Left::Unsent || write.condition != Condition::Absent;
            let keys = writes.iter().filter(matters).map(|write| key(write.key));
            noted(keys.collect(), because)
        };
        Box::pin(async move {
            let limit = self.inner.knobs.timeout;
            let written = self.inner.store.write(writes);
            let done = self.inner.run("write", limit, stake, written).await;
            done.map_err(|lost| lost.error)
        })
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        let keys = || vec![key(touch.key)];
        Box::pin(self.under_lease("touch", keys, self.inner.store.touch(touch)))
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(self.ask("remaining", self.inner.store.remaining(keys)))
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        let knobs = &self.inner.knobs;
        let limit = match removal {
            Removal::Keys(_) => knobs.timeout,
            Removal::Prefix(_) | Removal::Pattern { .. } => knobs.sweep,
        };
        let stake = |_| noted(Item::of(removal), Because::Removed);
        Box::pin(async move {
            let removed = self.inner.store.remove(removal);
            forgiven(self.inner.run("remove", limit, stake, removed).await)
        })
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(self.ask("tag_versions", self.inner.store.tag_versions(tags, life)))
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        let stake = |_| {
            let items = tags.iter().map(|tag| Item::Tag((*tag).to_owned()));
            noted(items.collect(), Because::Removed)
        };
        Box::pin(async move {
            let limit = self.inner.knobs.timeout;
            let forgotten = self.inner.store.forget_tags(tags);
            forgiven(self.inner.run("forget_tags", limit, stake, forgotten).await)
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(self.ask("scan", self.inner.store.scan(scan)))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.ask("ping", self.inner.store.ping()))
    }

    /// Also while the breaker is open. What is still remembered is lost.
    fn close(&self) -> StoreFuture<'_, ()> {
        let inner = &self.inner;
        Box::pin(async move {
            if !inner.is_closed.swap(true, Ordering::AcqRel) && inner.owed() > 0 {
                inner.tell(super::Notice::RemovalsLost {
                    count: inner.owed(),
                    why: "the store was closed",
                });
            }
            let limit = inner.runtime.sleep(inner.knobs.timeout);
            let closed = super::wait::within(limit, inner.store.close()).await;
            closed.unwrap_or_else(|| {
                let why = "closing took too long";
                Err(Error::unavailable("close", inner.store.name(), why))
            })
        })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.inner.store.counters().map(|_| self as _)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.inner.store.locks().map(|_| self as _)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        self.inner.store.windows().map(|_| self as _)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        self.inner.store.bits().map(|_| self as _)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        self.inner.store.invalidations().map(|_| self as _)
    }
}

impl Guarded {
    fn lacks<T: Send + 'static>(&self, operation: &'static str) -> StoreFuture<'_, T> {
        let error = Error::unsupported(operation, self.name(), "it never could");
        Box::pin(std::future::ready(Err(error)))
    }
}

impl Counters for Guarded {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let Some(counters) = self.inner.store.counters() else {
            return self.lacks("increment");
        };
        Box::pin(self.ask("increment", counters.add(key, by, life)))
    }

    fn count<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let Some(counters) = self.inner.store.counters() else {
            return self.lacks("count");
        };
        Box::pin(self.ask("count", counters.count(key, by, life)))
    }
}

impl Locks for Guarded {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        let Some(locks) = self.inner.store.locks() else {
            return self.lacks("lock");
        };
        Box::pin(self.ask("lock", locks.acquire(name, owner, ttl)))
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        let Some(locks) = self.inner.store.locks() else {
            return self.lacks("renew");
        };
        Box::pin(self.ask("renew", locks.renew(name, owner, ttl)))
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        let Some(locks) = self.inner.store.locks() else {
            return self.lacks("unlock");
        };
        Box::pin(self.ask("unlock", locks.release(name, owner)))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        let Some(locks) = self.inner.store.locks() else {
            return self.lacks("locked");
        };
        Box::pin(self.ask("locked", locks.held(name)))
    }
}

impl Windows for Guarded {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        let Some(windows) = self.inner.store.windows() else {
            return self.lacks("admit");
        };
        Box::pin(self.ask("admit", windows.admit(key, quota)))
    }
}

impl Bits for Guarded {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        match self.inner.store.bits() {
            Some(bits) => Box::pin(self.ask("set_bits", bits.set(key, positions, life))),
            None => self.lacks("set_bits"),
        }
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        match self.inner.store.bits() {
            Some(bits) => Box::pin(self.ask("test_bits", bits.test(key, positions))),
            None => self.lacks("test_bits"),
        }
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        match self.inner.store.bits() {
            Some(bits) => Box::pin(self.ask("clear_bits", bits.clear(key))),
            None => self.lacks("clear_bits"),
        }
    }
}

impl Invalidations for Guarded {
    /// Past the breaker: a subscription waits for a store that comes back.
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        match self.inner.store.invalidations() {
            Some(invalidations) => invalidations.subscribe(sink),
            None => self.lacks("subscribe"),
        }
    }
}
