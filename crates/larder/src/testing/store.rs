//! A store without a server: everything that the port asks for, on virtual time.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Runtime, Task};
use crate::store::{
    Acquired, Admission, Bits, Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks, Page,
    Quota, Read, Removal, Scan, Sink, Store, StoreFuture, TagVersions, Touch, Windows, Write,
};

mod entries;
mod faults;
mod powers;
mod request;
mod state;
mod tags;

pub use faults::Faults;
use faults::{Fate, Way};
use request::{OwnedRead, OwnedRemoval, OwnedScan};
use state::State;

/// A [`Store`] in the memory of this process, as a server would be one: entries are bytes, lives end on its own clock.
///
/// Handles of one place share what it holds: a [`Clone`] is the same connection, [`connect`](Self::connect) another one, as another process would have
/// it, and [`within`](Self::within) another name space.
///
/// It honours the whole contract of the port, in every step atomically. Each operation first lets others go, so that a seed of a
/// [`Simulation`](super::Simulation) orders them.
///
/// ```
/// use larder::store::{Condition, Store, Write};
/// use larder::testing::{MemoryStore, Simulation};
///
/// let simulation = Simulation::new(1);
/// let store = MemoryStore::new(simulation.runtime());
/// let write = Write { key: "a", bytes: b"1", life: None, condition: Condition::Absent };
/// let written = simulation.block_on(store.write(&[write, write]))?;
/// assert_eq!(written, [true, false]);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    place: Arc<Place>,
    space: Arc<str>,
    link: Arc<Link>,
}

/// What all handles share.
struct Place {
    state: Mutex<State>,
    runtime: Arc<dyn Runtime>,
}

/// One connection.
struct Link {
    number: u64,
    is_closed: AtomicBool,
    weather: Mutex<Weather>,
}

/// What a connection suffers at present.
#[derive(Clone, Default)]
struct Weather {
    way: Way,
    faults: Faults,
}

impl MemoryStore {
    /// An empty place, and the first connection to it. All keys are in its name space.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        let state = State::new(runtime.random(), runtime.clock().now());
        let place = Arc::new(Place {
            state: Mutex::new(state),
            runtime,
        });
        let link = place.link();
        Self {
            place,
            space: "".into(),
            link,
        }
    }

    /// Another connection to the same place and name space, without faults.
    #[must_use]
    pub fn connect(&self) -> Self {
        Self {
            link: self.place.link(),
            ..self.clone()
        }
    }

    /// Another connection to the same place, for the keys that begin with `prefix`.
    #[must_use]
    pub fn within(&self, prefix: &str) -> Self {
        Self {
            space: prefix.into(),
            ..self.connect()
        }
    }

    /// How many living entries the place has, in all name spaces.
    #[must_use]
    pub fn entries(&self) -> usize {
        let mut state = self.place.state.lock();
        state.sweep(self.place.runtime.clock().now());
        state.entries.len()
    }

    /// Lets this connection behave so from now on.
    pub fn suffer(&self, faults: Faults) {
        self.link.weather.lock().faults = faults;
    }

    /// Cuts this connection: nothing arrives any more, and nothing says so.
    pub fn cut(&self) {
        self.turn(Way::Cut);
    }

    /// Refuses all that comes on this connection: it fails at once.
    pub fn refuse(&self) {
        self.turn(Way::Refused);
    }

    /// Lets through what comes on this connection. Whoever hears of changes is told that anything may have changed.
    pub fn heal(&self) {
        self.turn(Way::Open);
        let mut state = self.place.state.lock();
        state.hears_again(self.link.number);
    }

    fn turn(&self, way: Way) {
        self.link.weather.lock().way = way;
        if way != Way::Open {
            self.place.state.lock().deaf.insert(self.link.number);
        }
    }

    /// Loses all that the place holds, as a server does that was killed and started again.
    pub fn crash(&self) {
        self.place.state.lock().crash();
    }

    /// Lets the place's own clock run at so many per cent of true time from now on.
    pub fn clock_runs_at(&self, percent: u32) {
        let now = self.place.runtime.clock().now();
        self.place.state.lock().time.runs_at(percent, now);
    }

    /// One operation: on its way, all at once, and on its way back.
    async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        apply: impl Fn(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (runtime, link) = (&self.place.runtime, self.link.number);
        let faults = self.passes(operation).await?;
        let fate = faults.fate(&**runtime);
        self.travels(&faults).await;
        self.passes(operation).await?;
        let done = match fate {
            Fate::Well => self.place.apply(link, &apply),
            Fate::Unavailable => return Err(unavailable(operation)),
            Fate::Error => {
                return Err(Error::store(
                    operation,
                    "memory",
                    "a fault that was asked for",
                ));
            }
            Fate::LostRequest => pending().await,
            Fate::LostAnswer => {
                drop(self.place.apply(link, &apply));
                pending().await
            }
            Fate::Doubled => {
                drop(self.place.apply(link, &apply));
                self.travels(&faults).await;
                self.place.apply(link, &apply)
            }
            Fate::Late(after) => {
                let place = Arc::clone(&self.place);
                let sleep = runtime.sleep(after);
                runtime.spawn(Task::Chore(Box::pin(async move {
                    sleep.await;
                    drop(place.apply(link, &apply));
                })));
                pending().await
            }
        };
        self.travels(&faults).await;
        self.passes(operation).await?;
        done
    }

    async fn travels(&self, faults: &Faults) {
        let runtime = &self.place.runtime;
        match faults.on_the_way(&**runtime) {
            Duration::ZERO => super::yield_now().await,
            time => runtime.sleep(time).await,
        }
    }

    /// Resolves if the connection lets anything through.
    async fn passes(&self, operation: &'static str) -> Result<Faults> {
        if self.link.is_closed.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Closed,
                operation,
                "this connection to memory is closed",
            ));
        }
        let Weather { way, faults } = self.link.weather.lock().clone();
        match way {
            Way::Open => Ok(faults),
            Way::Cut => pending().await,
            Way::Refused => Err(unavailable(operation)),
        }
    }
}

fn unavailable(operation: &'static str) -> Error {
    Error::unavailable(operation, "memory", "connection refused")
}

impl Place {
    fn link(&self) -> Arc<Link> {
        Arc::new(Link {
            number: self.state.lock().number(),
            is_closed: AtomicBool::new(false),
            weather: Mutex::default(),
        })
    }

    fn apply<T>(&self, link: u64, apply: &impl Fn(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.state.lock();
        state.sweep(self.runtime.clock().now());
        let done = apply(&mut state);
        // Under the lock: an operation that comes later finds its sink told.
        state.tell(link);
        done
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("link", &self.link.number)
            .field("space", &self.space)
            .finish_non_exhaustive()
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[deny(clippy::missing_trait_methods)]
impl Store for MemoryStore {
    fn name(&self) -> &str {
        "memory"
    }

    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Atomic
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        let reads: Vec<OwnedRead> = reads.iter().map(OwnedRead::new).collect();
        Box::pin(self.call("read", move |state| {
            Ok(reads.iter().map(|read| state.read(read)).collect())
        }))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        let fills: Vec<_> = fills
            .iter()
            .map(|fill| {
                let key = fill.key.to_owned();
                (key, fill.bytes.to_vec(), fill.life, fill.lease.clone())
            })
            .collect();
        Box::pin(self.call("fill", move |state| {
            let fills = fills.iter();
            Ok(fills
                .map(|(key, bytes, life, lease)| state.fill(key, bytes, *life, lease))
                .collect())
        }))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        let writes: Vec<_> = writes
            .iter()
            .map(|write| {
                let key = write.key.to_owned();
                (key, write.bytes.to_vec(), write.life, write.condition)
            })
            .collect();
        Box::pin(self.call("write", move |state| {
            let writes = writes.iter();
            Ok(writes
                .map(|(key, bytes, life, condition)| state.write(key, bytes, *life, *condition))
                .collect())
        }))
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        let (key, head) = (touch.key.to_owned(), touch.head.to_vec());
        let (life, lease) = (touch.life, touch.lease.clone());
        Box::pin(self.call("touch", move |state| {
            Ok(state.touch(&key, &head, life, &lease))
        }))
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        let keys = owned(keys);
        Box::pin(self.call("remaining", move |state| {
            Ok(keys.iter().map(|key| state.remaining(key)).collect())
        }))
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        let removal = OwnedRemoval::new(removal, &self.space);
        Box::pin(self.call("remove", move |state| Ok(state.remove(&removal))))
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        let tags = owned(tags);
        Box::pin(self.call("tag_versions", move |state| {
            Ok(TagVersions {
                versions: tags.iter().map(|tag| state.version(tag, life)).collect(),
                epoch: state.epoch,
            })
        }))
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        let tags = owned(tags);
        Box::pin(self.call("forget_tags", move |state| {
            state.forget_tags(&tags);
            Ok(())
        }))
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        let scan = OwnedScan::new(scan, &self.space);
        Box::pin(self.call("scan", move |state| Ok(state.scan(&scan))))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(self.call("ping", |_| Ok(())))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.link.is_closed.store(true, Ordering::Release);
        self.place.state.lock().sinks.remove(&self.link.number);
        Box::pin(std::future::ready(Ok(())))
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        Some(self)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        Some(self)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        Some(self)
    }
}

impl Counters for MemoryStore {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let key = key.to_owned();
        Box::pin(self.call("increment", move |state| state.add(&key, by, life)))
    }
}

impl Locks for MemoryStore {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.call("lock", move |state| Ok(state.acquire(&name, &owner, ttl))))
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.call("renew", move |state| Ok(state.renew(&name, &owner, ttl))))
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        let (name, owner) = (name.to_owned(), owner.to_owned());
        Box::pin(self.call("unlock", move |state| Ok(state.release(&name, &owner))))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        let name = name.to_owned();
        Box::pin(self.call("locked", move |state| Ok(state.held(&name))))
    }
}

impl Windows for MemoryStore {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        let (key, quota) = (key.to_owned(), *quota);
        Box::pin(self.call("admit", move |state| Ok(state.admit(&key, &quota))))
    }
}

impl Bits for MemoryStore {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        let (key, positions) = (key.to_owned(), positions.to_vec());
        Box::pin(self.call("set_bits", move |state| {
            Ok(state.set_bits(&key, &positions, life))
        }))
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        let (key, positions) = (key.to_owned(), positions.to_vec());
        Box::pin(self.call("test_bits", move |state| {
            Ok(state.test_bits(&key, &positions))
        }))
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        let key = key.to_owned();
        Box::pin(self.call("clear_bits", move |state| {
            Ok(state.rows.remove(&key).is_some())
        }))
    }
}

impl Invalidations for MemoryStore {
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        let link = self.link.number;
        Box::pin(self.call("subscribe", move |state| {
            state.sinks.insert(link, Arc::clone(&sink));
            Ok(())
        }))
    }
}
