//! Different stores for different keys, by what the keys begin with.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Acquired, Admission, Bits, Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks,
    Notice, Notices, Page, Quota, Read, Removal, Scan, Sink, Store, StoreFuture, TagVersions,
    Touch, Unheard, Windows, Write,
};
use crate::error::Error;

mod across;
mod leased;

/// Several stores as one [`Store`]: each key belongs to the route with the longest prefix that it begins with, or to the default.
///
/// - A batch is split and goes to its stores at the same time. Where one of them fails, its keys are missed, without a lease, and a [`Notice::Skipped`] says so; writes and removals fail.
/// - A prefix or pattern goes to every store that may have such keys.
/// - Tags are forgotten in all stores, in the default one last. Their versions are the default store's; entries that go elsewhere get the versions of their store, which
///   takes one more round trip there for tags that were not asked for with the lease, and for writes with tags.
/// - A lease on a route takes one more round trip, for the epoch of the default store.
/// - Counters, locks and windows belong to routes as keys do; a store that lacks them says so when it is asked. Word of others' changes is there if all stores have it.
///
/// A key that is moved to another store by a change of the routes is missed there; its old entry stays where it was until its life is over.
///
/// ```
/// use std::sync::Arc;
/// use larder::store::{Condition, Routed, Store, Write};
/// use larder::testing::{MemoryStore, Simulation};
///
/// let simulation = Simulation::new(1);
/// let new = || MemoryStore::new(simulation.runtime());
/// let (rest, users, admins) = (new(), new(), new());
/// let store = Routed::new(Arc::new(rest.clone()))
///     .route("user:", Arc::new(users.clone()))
///     .route("user:admin:", Arc::new(admins.clone()));
/// let write = |key| Write { key, bytes: b"1", life: None, condition: Condition::Always };
/// simulation.block_on(store.write(&[write("user:7"), write("user:admin:1"), write("user:8")]))?;
/// assert_eq!((rest.entries(), users.entries(), admins.entries()), (0, 2, 1));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
pub struct Routed {
    name: String,
    /// The default is the first.
    stores: Vec<Arc<dyn Store>>,
    /// The longest prefix first, and the number of its store.
    routes: Vec<(String, usize)>,
    notices: Arc<dyn Notices>,
}

const DEFAULT: usize = 0;

impl Routed {
    /// All keys go to this store until there are routes.
    pub fn new(default: Arc<dyn Store>) -> Self {
        Self {
            name: default.name().to_owned(),
            stores: vec![default],
            routes: Vec::new(),
            notices: Arc::new(Unheard),
        }
    }

    /// Keys that begin so go to this store, unless a longer prefix fits. A route that is given twice goes to the later store.
    #[must_use]
    pub fn route(mut self, prefix: impl Into<String>, store: Arc<dyn Store>) -> Self {
        let prefix = prefix.into();
        let known = self.stores.iter();
        let known = known.map(Arc::as_ptr).map(<*const dyn Store>::cast::<()>);
        let this = Arc::as_ptr(&store).cast::<()>();
        let number = known.into_iter().position(|other| other == this);
        let number = number.unwrap_or_else(|| {
            self.name = format!("{}|{}", self.name, store.name());
            self.stores.push(store);
            self.stores.len() - 1
        });
        self.routes.retain(|(other, _)| *other != prefix);
        self.routes.push((prefix, number));
        self.routes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        self
    }

    /// Who is told when a store is left out; nobody by default.
    #[must_use]
    pub fn notices(self, notices: Arc<dyn Notices>) -> Self {
        Self { notices, ..self }
    }

    /// The number of the store that a key belongs to.
    fn of(&self, key: &str) -> usize {
        let fits = self
            .routes
            .iter()
            .find(|(prefix, _)| key.starts_with(&**prefix));
        fits.map_or(DEFAULT, |(_, number)| *number)
    }

    /// The stores that may have keys that begin so, in order.
    fn under(&self, prefix: &str) -> Vec<usize> {
        let deeper = self
            .routes
            .iter()
            .filter(|(route, _)| route.starts_with(prefix));
        let mut numbers: Vec<usize> = deeper.map(|(_, number)| *number).collect();
        numbers.push(self.of(prefix));
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    fn skip(&self, operation: &'static str, number: usize, error: &Error) {
        let name = self.stores[number].name();
        self.notices
            .notice(name, Notice::Skipped { operation, error });
    }

    fn lacks<T: Send + 'static>(&self, operation: &'static str, key: &str) -> StoreFuture<'_, T> {
        let store = self.stores[self.of(key)].name();
        let error = Error::unsupported(operation, store, "its keys are routed to it");
        Box::pin(std::future::ready(Err(error)))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Routed {
    /// The names of its stores, the default first, joined by `|`.
    fn name(&self) -> &str {
        &self.name
    }

    /// The least of its stores'.
    fn lease_level(&self) -> LeaseLevel {
        super::least(self.stores.iter().map(|store| store.lease_level()))
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(self.read_routes(reads))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.fill_routes(fills))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.write_routes(writes))
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(self.touch_route(touch))
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(self.remaining_on_routes(keys))
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(self.remove_on_routes(removal))
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.stores[DEFAULT].tag_versions(tags, life)
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Box::pin(self.forget_on_routes(tags))
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(self.scan_routes(scan))
    }

    /// Whether all stores answer.
    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let pings = self.stores.iter().map(|store| store.ping());
            super::wait::join(pings.collect())
                .await
                .into_iter()
                .collect()
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let closing = self.stores.iter().map(|store| store.close());
            super::wait::join(closing.collect())
                .await
                .into_iter()
                .collect()
        })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        let has = |store: &Arc<dyn Store>| store.counters().is_some();
        self.stores.iter().any(has).then_some(self as _)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        let has = |store: &Arc<dyn Store>| store.locks().is_some();
        self.stores.iter().any(has).then_some(self as _)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        let has = |store: &Arc<dyn Store>| store.windows().is_some();
        self.stores.iter().any(has).then_some(self as _)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        let has = |store: &Arc<dyn Store>| store.bits().is_some();
        self.stores.iter().any(has).then_some(self as _)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        let has = |store: &Arc<dyn Store>| store.invalidations().is_some();
        self.stores.iter().all(has).then_some(self as _)
    }
}

impl Counters for Routed {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        match self.stores[self.of(key)].counters() {
            Some(counters) => counters.add(key, by, life),
            None => self.lacks("increment", key),
        }
    }

    fn count<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        match self.stores[self.of(key)].counters() {
            Some(counters) => counters.count(key, by, life),
            None => self.lacks("count", key),
        }
    }
}

impl Locks for Routed {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        match self.stores[self.of(name)].locks() {
            Some(locks) => locks.acquire(name, owner, ttl),
            None => self.lacks("lock", name),
        }
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        match self.stores[self.of(name)].locks() {
            Some(locks) => locks.renew(name, owner, ttl),
            None => self.lacks("renew", name),
        }
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        match self.stores[self.of(name)].locks() {
            Some(locks) => locks.release(name, owner),
            None => self.lacks("unlock", name),
        }
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        match self.stores[self.of(name)].locks() {
            Some(locks) => locks.held(name),
            None => self.lacks("locked", name),
        }
    }
}

impl Windows for Routed {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        match self.stores[self.of(key)].windows() {
            Some(windows) => windows.admit(key, quota),
            None => self.lacks("admit", key),
        }
    }
}

impl Bits for Routed {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        match self.stores[self.of(key)].bits() {
            Some(bits) => bits.set(key, positions, life),
            None => self.lacks("set_bits", key),
        }
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        match self.stores[self.of(key)].bits() {
            Some(bits) => bits.test(key, positions),
            None => self.lacks("test_bits", key),
        }
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        match self.stores[self.of(key)].bits() {
            Some(bits) => bits.clear(key),
            None => self.lacks("clear_bits", key),
        }
    }
}

impl Invalidations for Routed {
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            for store in &self.stores {
                match store.invalidations() {
                    Some(invalidations) => invalidations.subscribe(Arc::clone(&sink)).await?,
                    None => {
                        let why = "it tells nobody what others change";
                        return Err(Error::unsupported("subscribe", store.name(), why));
                    }
                }
            }
            Ok(())
        })
    }
}
