//! A copy of a value that another writes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::beat::Beat;
use super::keeper::{Keeper, Start, Told};
use super::{Status, known};
use crate::cache::{Cache, Ended, Schedule};
use crate::codec::{Portable, Wire};
use crate::engine::{AsPlain, Cacheable, refused};
use crate::error::Result;
use crate::key::KeyBuf;
use crate::policy::{FOREVER, Fault, IntoShare, IntoSpan, Span};
use crate::runtime::{Home, Task, Timestamp, block_on};

/// A [`Reader`] before it is started.
#[derive(Debug)]
#[must_use = "nothing is read before it is started"]
pub struct ReaderBuilder<V> {
    cache: Cache,
    key: KeyBuf,
    wire: Wire,
    beat: Beat,
    ttl: Option<Result<Span, Fault>>,
    fallback: Option<V>,
}

/// How often a reader pulls, unless it is told.
const EVERY: Duration = Duration::from_secs(30);
/// For how long one pull may keep others from running; each operation of the store has its own limit.
const LIMIT: Duration = Duration::from_secs(60);

/// A reader of what somebody writes under a key of the default cache. See [`Cache::reader`].
pub fn reader<V: Cacheable + Portable>(key: impl AsRef<str>) -> ReaderBuilder<V> {
    crate::cache::cache().reader(key)
}

impl Cache {
    /// A reader of what somebody writes under a key: a copy of its own, pulled on its own interval and answered from memory.
    ///
    /// The key is the one that the writer's attribute gives, without the cache's prefix. Of a function that this program knows, take
    /// `rates::reader()` instead: its key and type are right by themselves.
    ///
    /// ```
    /// use larder::Cache;
    ///
    /// let cache = Cache::builder().build()?;
    /// cache.blocking().set("rates", &7_u64).ttl("1m").wait()?;
    /// let rates = cache.reader::<u64>("rates").every("5s").start()?;
    /// assert_eq!(rates.pull().wait()?, Some(7));
    /// assert_eq!(rates.value(), Some(7));
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn reader<V: Cacheable + Portable>(&self, key: impl AsRef<str>) -> ReaderBuilder<V> {
        ReaderBuilder::new(self, self.full_key(key.as_ref()), V::wire())
    }
}

impl<V: Cacheable> ReaderBuilder<V> {
    #[doc(hidden)]
    pub fn new(cache: &Cache, key: KeyBuf, wire: Wire) -> Self {
        Self {
            cache: cache.clone(),
            key,
            wire,
            beat: Beat::new().every(EVERY).now(),
            ttl: None,
            fallback: None,
        }
    }

    /// How often it pulls. Default 30 s; zero: only when [`pull`](Reader::pull) is called.
    pub fn every(mut self, span: impl IntoSpan) -> Self {
        self.beat = self.beat.every(span);
        self
    }

    /// By which share an interval may be shorter, so that readers do not pull together. Default 10 %.
    pub fn jitter(mut self, share: impl IntoShare) -> Self {
        self.beat = self.beat.jitter(share);
        self
    }

    /// For how long a copy is served when pulls fail. Default twice the interval, for ever without one.
    pub fn ttl(mut self, span: impl IntoSpan) -> Self {
        self.ttl = Some(span.into_span());
        self
    }

    /// What is given when there is no value.
    pub fn fallback(mut self, value: V) -> Self {
        self.fallback = Some(value);
        self
    }

    /// Starts it; the first pull begins at once.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`](crate::ErrorKind) for a bad span or share; [`ErrorKind::Closed`](crate::ErrorKind).
    pub fn start(self) -> Result<Reader<V>> {
        let inner = &self.cache.inner;
        inner.open("reader")?;
        let text = self.key.to_key();
        let fault = |fault| refused("reader", &text, fault);
        let beat = self.beat.checked().map_err(fault)?;
        let ttl = match (self.ttl, beat.longest()) {
            (Some(ttl), _) => ttl.map_err(fault)?.0,
            (None, Some(every)) => crate::runtime::nanos(every).saturating_mul(2),
            (None, None) => FOREVER,
        };
        let shelf = Arc::new(Shelf {
            key: self.key,
            wire: self.wire,
            ttl,
            held: Mutex::new(None),
        });
        let schedule = Schedule::new(None);
        inner.schedules.add(&schedule);
        known(inner);
        let keeper = Keeper {
            schedule: Arc::clone(&schedule),
            cache: Arc::downgrade(inner),
            runtime: Arc::clone(&inner.runtime),
            home: Home::current(),
            beat,
            tenure: None,
            limit: LIMIT,
            start: pulling(&shelf),
        };
        keeper.spawn();
        Ok(Reader(Arc::new(Inside {
            cache: self.cache,
            shelf,
            schedule,
            fallback: self.fallback,
        })))
    }
}

/// A run of a reader's schedule: a pull.
fn pulling<V: Cacheable>(shelf: &Arc<Shelf<V>>) -> Start {
    let pulled = Arc::clone(shelf);
    Box::new(move |cache, schedule| {
        let (cache, shelf) = (cache.clone(), Arc::clone(&pulled));
        let Some(mut told) = Told::new(schedule) else {
            return false;
        };
        let runtime = Arc::clone(&cache.inner.runtime);
        runtime.spawn(Task::Load(Box::pin(async move {
            told.begun();
            told.is(match shelf.pull(&cache).await {
                Ok(_) => Ended::Well,
                Err(_) => Ended::Failed,
            });
        })));
        true
    })
}

/// A copy of a value that another writes, answered from memory. Clones share it; the last one that is dropped ends the pulling.
///
/// What the source has lost or forgotten is gone here after the next pull. A source that cannot be asked leaves the copy as it is, until its ttl.
pub struct Reader<V>(Arc<Inside<V>>);

struct Inside<V> {
    cache: Cache,
    shelf: Arc<Shelf<V>>,
    schedule: Arc<Schedule>,
    fallback: Option<V>,
}

/// Where the copy lies.
struct Shelf<V> {
    key: KeyBuf,
    wire: Wire,
    ttl: u64,
    held: Mutex<Option<Held<V>>>,
}

struct Held<V> {
    /// `None`: the source had none.
    value: Option<Arc<V>>,
    /// When it was asked for.
    asked: Timestamp,
}

impl<V: Cacheable> Shelf<V> {
    /// Asks the source.
    async fn pull(&self, cache: &Cache) -> Result<Option<V>> {
        let asked = cache.inner.clock.now();
        let found = crate::ops::peek::<AsPlain, V>(cache, &self.key, &self.wire).await?;
        self.keep(found.clone().map(Arc::new), asked);
        Ok(found)
    }

    /// Keeps an answer, unless one that was asked for later has come before it.
    fn keep(&self, value: Option<Arc<V>>, asked: Timestamp) {
        let mut held = self.held.lock();
        if held.as_ref().is_some_and(|held| held.asked > asked) {
            return;
        }
        let before = held.replace(Held { value, asked });
        drop(held);
        drop(before);
    }

    fn value(&self, now: Timestamp) -> Option<(Arc<V>, Duration)> {
        let held = self.held.lock();
        let Held { value, asked } = held.as_ref()?;
        let age = now.since(*asked);
        let is_served = self.ttl == FOREVER || age < Duration::from_nanos(self.ttl);
        Some((value.clone().filter(|_| is_served)?, age))
    }
}

impl<V: Cacheable> Reader<V> {
    /// The value, at once: the copy, or the fallback if there is none.
    #[must_use]
    pub fn value(&self) -> Option<V> {
        let held = self.0.shelf.value(self.0.cache.inner.clock.now());
        match held {
            Some((value, _)) => Some((*value).clone()),
            None => self.0.fallback.clone(),
        }
    }

    /// Time since the copy was asked for; `None` when there is none.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let held = self.0.shelf.value(self.0.cache.inner.clock.now());
        held.map(|(_, age)| age)
    }

    /// Asks the source now: what it has, without the fallback. Awaited, or driven with [`wait`](Pull::wait).
    ///
    /// # Errors
    /// What the store says; the copy stays. [`ErrorKind::Closed`](crate::ErrorKind).
    pub fn pull(&self) -> Pull<'_, V> {
        Pull(self)
    }

    /// How its pulling goes.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.schedule.status(self.0.cache.inner.clock.now())
    }
}

impl<V> Clone for Reader<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> Drop for Inside<V> {
    fn drop(&mut self) {
        self.schedule.stop();
    }
}

impl<V> fmt::Debug for Reader<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("key", &self.0.shelf.key.as_str())
            .finish_non_exhaustive()
    }
}

/// A pull, before it is awaited.
#[derive(Debug)]
#[must_use = "nothing is pulled before it is awaited, or driven with `wait`"]
pub struct Pull<'r, V>(&'r Reader<V>);

impl<V: Cacheable> Pull<'_, V> {
    /// Pulls on this thread.
    ///
    /// # Errors
    /// As [`Reader::pull`].
    pub fn wait(self) -> Result<Option<V>> {
        block_on(self.run())
    }

    async fn run(self) -> Result<Option<V>> {
        let Inside { cache, shelf, .. } = &*self.0.0;
        cache.inner.open("pull")?;
        shelf.pull(cache).await
    }
}

impl<'r, V: Cacheable> IntoFuture for Pull<'r, V> {
    type Output = Result<Option<V>>;
    type IntoFuture = crate::runtime::BoxFuture<'r, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
