//! Transactions: changes that are seen inside at once and by all others together at the commit.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use larder::transaction::Mode;
//!
//! let cache = larder::Cache::builder().build()?;
//! cache
//!     .transaction(Mode::Fast, |_tx| async {
//!         cache.set("seats", &4_u64).ttl("1h").await?;
//!         assert_eq!(cache.get::<u64>("seats").await?, Some(4)); // seen inside
//!         Ok::<_, larder::Error>(())
//!     })
//!     .await?;
//! assert_eq!(cache.get::<u64>("seats").await?, Some(4));
//!
//! let failed = cache
//!     .transaction(Mode::Fast, |_tx| async {
//!         cache.delete("seats").await?;
//!         Err::<(), _>(larder::Error::new(larder::ErrorKind::Source, "book", "no seat left"))
//!     })
//!     .await;
//! assert!(failed.is_err());
//! assert_eq!(cache.get::<u64>("seats").await?, Some(4)); // rolled back
//! # Ok::<(), larder::Error>(())
//! # }).unwrap();
//! ```
//!
//! # What takes part
//! Everything that happens in the closure and its future and concerns this cache, without being handed anything: direct operations, cached functions and their handles,
//! `#[invalidates]`, `#[cache_put]`. Not tasks and threads that are started inside, not loads behind, not other caches, not locks and guards.
//! `if_absent` and `if_present` are decided when they are called.
//!
//! # What a source gives inside
//! It may have seen what is not committed, so nobody outside waits for it or is given it. It is kept inside, and reaches the cache at the commit under the rights of
//! before it was loaded: not if anybody, this transaction included, has invalidated its key or tags before or since. Errors are not kept inside (`errors`).
//!
//! # The commit
//! Increments are added to what is there then, so that none is lost in any mode. Times to live count from when they were given; what has outlived
//! its own before the commit is removed. Removals by prefix, pattern, tags and all come first, then those by key, then what is written, in one batch.
//!
//! | store | what others may see while a commit is applied |
//! |---|---|
//! | memory | each key before or after; of two commits, and of a commit and single writes, never a mixture over the keys that they name |
//! | Redis, Valkey | removals, then all that is written at once; in a cluster: at once for each slot |
//! | SQLite | removals, then all that is written at once |
//! | Memcached, files, object stores | each key before or after |
//!
//! Whatever the store, nobody is left with an older value once the commit has answered, and no load that began before it is stored after it. A commit that has begun is carried to its end also when its future is dropped. One that fails
//! half way is an error; the keys that it wrote or removed are then forgotten.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::policy::{Fault, IntoSpan, Span};
use crate::runtime::{BoxFuture, Timestamp, block_on};

mod attribute;
mod held;
mod run;

pub use attribute::CarriesError;
#[doc(hidden)]
pub use attribute::{
    TransactionKnobs, TransactionTerms, transactional, transactional_always,
    transactional_always_sync, transactional_sync,
};
use run::Begun;

/// How a transaction keeps others away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// It does not: of two that write the same key, the later commit wins. The default of the attribute.
    #[default]
    Fast,
    /// By a lock for each key, taken when the key is first written, or read by a direct operation (`get`, `get_many`, `exists`, `remaining_ttl`), and held until the end. Hits of cached
    /// functions and removals by prefix, pattern and tags take none.
    ///
    /// Who asks for a key that sorts after all that it holds waits until its time is over; else only for a tenth of its time limit, so that two that wait for each other do not
    /// do so for long. A transaction that did not get a lock is not committed.
    Locked,
    /// By one lock for all serializable transactions of the cache, for its whole time.
    Serializable,
}

impl Mode {
    /// The word of an attribute.
    const fn of(word: &str) -> Option<Self> {
        match word.as_bytes() {
            b"fast" => Some(Self::Fast),
            b"locked" => Some(Self::Locked),
            b"serializable" => Some(Self::Serializable),
            _ => None,
        }
    }
}

/// How long a transaction may take that says nothing of it.
const LIMIT: Span = Span(10_000_000_000);

/// How long it may take at most: so long its locks would outlive a process that ends in the middle.
const LONGEST: Span = Span(86_400_000_000_000);

impl Cache {
    /// Runs a closure whose changes to this cache are seen by nobody else until it is done, and then by all: when it gives `Ok`. With `Err`, in a panic and
    /// when the future is dropped, they are dropped.
    ///
    /// Awaited, or driven with [`wait`](Transact::wait). In a transaction it is a part of that one: its commit gives its changes to the outer one, its rollback drops
    /// only its own. See [`transaction`](crate::transaction).
    ///
    /// # Errors
    /// The error of the closure. [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) when it took too long, [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when another holds a lock that it needs or
    /// when it lost one, [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) when it needs locks and the store has none, and what the store says at the commit.
    pub fn transaction<B, F, T, E>(&self, mode: Mode, body: B) -> Transact<'_, B>
    where
        B: FnOnce(Transaction) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        Transact::new(self, mode, body)
    }
}

/// A transaction, before it is awaited.
#[must_use = "nothing is done before it is awaited, or driven with `wait`"]
pub struct Transact<'a, B> {
    cache: &'a Cache,
    mode: Mode,
    limit: Result<Span, Fault>,
    body: B,
}

impl<'a, B> Transact<'a, B> {
    pub(crate) fn new(cache: &'a Cache, mode: Mode, body: B) -> Self {
        Self {
            cache,
            mode,
            limit: Ok(LIMIT),
            body,
        }
    }

    /// How long it may take, with waiting for locks and without the commit; then it is rolled back. Default 10 s, at most a day.
    ///
    /// A sync closure cannot be stopped: it goes on to its end and is rolled back then.
    pub fn timeout(mut self, span: impl IntoSpan) -> Self {
        self.limit = span.into_span();
        self
    }

    /// Runs it on this thread.
    ///
    /// # Errors
    /// See [`Cache::transaction`].
    pub fn wait<F, T, E>(self) -> Result<T, E>
    where
        B: FnOnce(Transaction) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        block_on(self.run())
    }

    async fn run<F, T, E>(self) -> Result<T, E>
    where
        B: FnOnce(Transaction) -> F,
        F: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        self.cache.inner.open("transaction")?;
        let limit = limit(self.limit)?;
        let begun = Begun::new(self.cache, self.mode, limit).await?;
        let (body, handle) = (self.body, begun.handle());
        let output = begun.run(async move { body(handle).await }).await;
        begun.end(output).await
    }
}

/// A time limit that can be kept.
///
/// # Errors
/// When it cannot.
fn limit(limit: Result<Span, Fault>) -> Result<Duration> {
    let Span(limit) = limit.map_err(|fault| Error::invalid("transaction", fault.message()))?;
    if limit > LONGEST.0 {
        let message = "`timeout` is at most a day: locks are held as long";
        return Err(Error::invalid("transaction", message));
    }
    Ok(Duration::from_nanos(limit))
}

impl<'a, B, F, T, E> IntoFuture for Transact<'a, B>
where
    B: FnOnce(Transaction) -> F + Send + 'a,
    F: Future<Output = Result<T, E>> + Send + 'a,
    T: Send + 'a,
    E: From<Error> + Send + 'a,
{
    type Output = Result<T, E>;
    type IntoFuture = BoxFuture<'a, Result<T, E>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<B> fmt::Debug for Transact<'_, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transact")
            .field("cache", &self.cache)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// A transaction that is under way, for what only its body can decide.
///
/// ```
/// use larder::transaction::Mode;
///
/// let cache = larder::Cache::builder().build()?;
/// let blocking = cache.blocking();
/// let tried: Result<&str, larder::Error> = blocking
///     .transaction(Mode::Fast, |tx| {
///         blocking.set("draft", &1_u64).ttl("1h").wait()?;
///         tx.roll_back();
///         Ok("only tried")
///     })
///     .wait();
/// assert_eq!(tried?, "only tried");
/// assert_eq!(blocking.get::<u64>("draft")?, None);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct Transaction {
    cache: Cache,
    until: Timestamp,
    is_rolled_back: Arc<AtomicBool>,
}

impl Transaction {
    /// Has its changes dropped at its end, also if that is `Ok`. Until then they are seen inside.
    pub fn roll_back(&self) {
        self.is_rolled_back.store(true, Ordering::Release);
    }

    /// Whether its changes will be dropped.
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        self.is_rolled_back.load(Ordering::Acquire)
    }

    /// How long it may still take.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.until.since(self.cache.inner.clock.now())
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("cache", &self.cache)
            .field("is_rolled_back", &self.is_rolled_back())
            .finish_non_exhaustive()
    }
}
