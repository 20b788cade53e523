//! The handle to everything, and how it is built.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::event::Observers;
use crate::guard::{Here, States};
use crate::lease::Leases;
use crate::lock::Locks;
use crate::memory::Memory;
use crate::middleware::Chain;
use crate::policy::Policy;
use crate::runtime::{Clock, Runtime};
use crate::scope;
use crate::stats::{Counters, Stats, Templates};
use crate::switch::{Operations, Switch};
use crate::tag::Tags;

mod builder;
mod callbacks;
mod counting;
mod default;
mod direct;
mod ground;
mod inside;
mod listening;
mod naming;
mod outside;
mod relay;
mod rules;
mod schedules;
mod scoped;
mod sweep;
mod telling;
mod through;
mod write;

pub use builder::{Builder, IntoWeight};
use callbacks::Callbacks;
pub use callbacks::{Subscription, Told};
pub use default::{cache, named, register, set_default, setup};
pub(crate) use default::{install, process_default};
pub(crate) use outside::{Looking, Outside, Reached, StoreLease};
pub(crate) use relay::Relay;
use rules::Book;
pub use rules::Rules;
pub(crate) use schedules::{Ended, Schedule, Schedules, Woken};
pub use schedules::{Phase, Status};
use sweep::Sweeper;
pub(crate) use through::Through;
pub(crate) use write::{Filled, When};

/// A cache: where values are kept, for how long by default, and who is told.
///
/// Cheap to clone; all clones are one cache. Built once with [`Cache::builder`], or taken ready with [`larder::cache()`](crate::cache()).
///
/// ```
/// # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let cache = larder::Cache::builder().size(1_000).build()?;
/// cache.set("user:7", "Ada").ttl("10m").tags(["users"]).await?;
/// assert_eq!(cache.get::<String>("user:7").await?.as_deref(), Some("Ada"));
/// cache.delete_tags(["users"]).await?;
/// assert_eq!(cache.get::<String>("user:7").await?, None);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Cache {
    pub(crate) inner: Arc<Inner>,
    /// What the keys of this handle begin with: the cache's prefix, and that of a view; `None` for nothing.
    prefix: Option<Arc<str>>,
}

pub(crate) type Weigher = Arc<dyn Fn(&dyn Any) -> Option<u32> + Send + Sync>;

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) name: Arc<str>,
    pub(crate) prefix: Arc<str>,
    pub(crate) middleware: Chain,
    pub(crate) memory: Memory,
    pub(crate) sweeper: Sweeper,
    pub(crate) tags: Tags,
    pub(crate) leases: Arc<Leases>,
    pub(crate) locks: Locks,
    /// What guards count with when there is no store.
    pub(crate) here: Here,
    pub(crate) states: States,
    pub(crate) clock: Clock,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) defaults: Policy,
    pub(crate) stats: Counters,
    pub(crate) templates: Templates,
    pub(crate) observers: Observers,
    pub(crate) callbacks: Callbacks,
    pub(crate) book: Book,
    pub(crate) switch: Switch,
    pub(crate) background: Background,
    pub(crate) schedules: Schedules,
    pub(crate) weighers: Weighers,
    pub(crate) closed: AtomicBool,
    /// Whether `get_or_load` tells of a store that fails.
    pub(crate) is_strict: bool,
    /// The store, if values leave the process.
    pub(crate) outside: Option<Outside>,
}

/// How the weight of a value is found, by its type.
#[derive(Clone, Default)]
pub(crate) struct Weighers(pub(crate) HashMap<TypeId, Weigher>);

impl fmt::Debug for Weighers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} weighers", self.0.len())
    }
}

/// How many loads may run behind at once.
#[derive(Debug)]
pub(crate) struct Background {
    limit: usize,
    running: AtomicUsize,
    /// Who waits for the last of them to end.
    waiting: Mutex<Vec<Waker>>,
}

/// The right to run one load behind.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Inner>);

impl Background {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            running: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }
}

impl Permit {
    pub(crate) fn take(inner: &Arc<Inner>) -> Option<Self> {
        let limit = inner.background.limit;
        let add = |running| (running < limit).then_some(running + 1);
        inner
            .background
            .running
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, add)
            .ok()?;
        Some(Self(Arc::clone(inner)))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.0.background.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiting = std::mem::take(&mut *self.0.background.waiting.lock());
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

impl Inner {
    /// What is off here and now: for all, or in this scope.
    pub(crate) fn off(&self) -> Operations {
        let off = self.switch.off();
        match scope::current() {
            Some(settings) => off | settings.off,
            None => off,
        }
    }

    pub(crate) fn is_off(&self, operations: Operations) -> bool {
        self.off().contains(operations)
    }

    pub(crate) fn open(&self, operation: &'static str) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(
                ErrorKind::Closed,
                operation,
                format!("the cache `{}` is closed", self.name),
            ));
        }
        Ok(())
    }
}

impl Cache {
    /// What a cache is made of, all of it with defaults: 10 000 entries in memory, 64 loads behind at once.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The name it was built with; `"default"` for the default cache.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Counts since it was built.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.stats.read()
    }

    /// Switches operations off for everybody. Scopes can only switch off more.
    pub fn switch_off(&self, operations: Operations) {
        self.inner.switch.turn_off(operations);
    }

    /// Switches operations on again.
    pub fn switch_on(&self, operations: Operations) {
        self.inner.switch.turn_on(operations);
    }

    /// What is off here and now, for everybody or in the current scope.
    #[must_use]
    pub fn switched_off(&self) -> Operations {
        self.inner.off()
    }

    /// Waits until no load runs behind its readers: before a shutdown, or in a test.
    ///
    /// Loads that start meanwhile are waited for too.
    pub async fn idle(&self) {
        let background = &self.inner.background;
        std::future::poll_fn(|context| {
            if background.running() == 0 {
                return Poll::Ready(());
            }
            background.waiting.lock().push(context.waker().clone());
            // The last one may have ended before it could see the waker.
            if background.running() == 0 {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    /// The clock that this cache's deadlines are read on.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.inner.name)
            .field("entries", &self.inner.memory.len())
            .finish_non_exhaustive()
    }
}
