//! `lock`.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::{Cache, Inner};
use crate::engine::refused;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Ground;
use crate::key::Key;
use crate::lock::{Holder, NotTaken, Taken};
use crate::policy::{Fault, IntoSpan, Span};
use crate::runtime::{BoxFuture, Timestamp, block_on};

/// Taking a lock, before it is awaited.
///
/// Without [`wait_for`](Self::wait_for) a held lock is refused at once.
#[derive(Debug)]
#[must_use = "no lock is taken before it is awaited, or driven with `wait`"]
pub struct AcquireLock<'a> {
    cache: &'a Cache,
    key: Key,
    ttl: Result<Span, Fault>,
    wait_for: Result<Option<Span>, Fault>,
}

impl<'a> AcquireLock<'a> {
    pub(super) fn new(cache: &'a Cache, key: Key) -> Self {
        Self {
            cache,
            key,
            ttl: Ok(Span(10_000_000_000)),
            wait_for: Ok(None),
        }
    }

    /// How long the lock is held at most; then others may take it, given back or not. Default 10 s.
    pub fn ttl(mut self, span: impl IntoSpan) -> Self {
        self.ttl = span.into_span();
        self
    }

    /// How long to wait for a held lock before it is refused. Default: not at all.
    pub fn wait_for(mut self, span: impl IntoSpan) -> Self {
        self.wait_for = span.into_span().map(Some);
        self
    }

    /// Takes it on this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when another holds it and it was not given back in time; [`ErrorKind::Unsupported`] when the store has no locks; [`ErrorKind::InvalidPolicy`]; what a
    /// store says; [`ErrorKind::Closed`].
    pub fn wait(self) -> Result<Lock> {
        block_on(self.take())
    }

    async fn take(self) -> Result<Lock> {
        let inner = &self.cache.inner;
        inner.open("lock")?;
        let fault = |fault| refused("lock", &self.key, fault);
        let Span(ttl) = self.ttl.map_err(fault)?;
        let wait_for = self.wait_for.map_err(fault)?;
        let until = wait_for.map(|Span(span)| inner.clock.now().after(Duration::from_nanos(span)));
        let ground: Arc<dyn Ground> = Arc::clone(inner) as _;
        let holder = Holder::new(ground, self.key, Duration::from_nanos(ttl));
        match holder.take(until).await {
            Ok(Taken { fence, until }) => Ok(Lock {
                cache: self.cache.clone(),
                holder,
                until: Mutex::new(until),
                fence,
            }),
            Err(NotTaken::Held(left)) => Err(is_held(holder.key(), left)),
            Err(NotTaken::Failed(error)) => Err(error.at(holder.key())),
        }
    }
}

fn is_held(key: &Key, left: Duration) -> Error {
    let message =
        format!("it is held for another {left:?}: try later, or wait longer with `wait_for`");
    Error::new(ErrorKind::Timeout, "lock", message).at(key)
}

/// Gives a lock back; false when the owner does not hold it any more.
pub(super) async fn release(inner: &Arc<Inner>, key: &Key, owner: u64) -> Result<bool> {
    let holder = Holder::of(Arc::clone(inner) as _, key.clone(), owner);
    holder.release().await.map_err(|error| error.at(key))
}

impl<'a> IntoFuture for AcquireLock<'a> {
    type Output = Result<Lock>;
    type IntoFuture = BoxFuture<'a, Result<Lock>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.take())
    }
}

/// A lock that is held. Dropping it gives it back: at once in this process, behind in a store.
pub struct Lock {
    cache: Cache,
    holder: Holder,
    until: Mutex<Timestamp>,
    fence: u64,
}

impl Lock {
    /// Who holds it, for [`Cache::unlock`] from elsewhere.
    #[must_use]
    pub fn owner(&self) -> u64 {
        self.holder.owner()
    }

    /// Whether it is still held: its time may be over.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.holder.is_held(*self.until.lock())
    }

    /// A number that is larger than that of every earlier holder of the name, for whoever is to refuse late writes of a holder whose time was over
    /// (Kleppmann, ["How to do distributed locking"](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html), 2016).
    ///
    /// It grows for as long as the store remembers the name; without a store, within this cache.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Starts its time anew; the answer is false when it was lost. Awaited, or driven with [`wait`](RenewLock::wait).
    pub fn renew(&self) -> RenewLock<'_> {
        RenewLock(self)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.holder.let_go();
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("key", self.holder.key())
            .finish_non_exhaustive()
    }
}

/// Renewing a lock, before it is awaited.
#[derive(Debug)]
#[must_use = "nothing is renewed before it is awaited, or driven with `wait`"]
pub struct RenewLock<'a>(&'a Lock);

impl RenewLock<'_> {
    /// Renews it on this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub fn wait(self) -> Result<bool> {
        block_on(self.run())
    }

    async fn run(self) -> Result<bool> {
        let Lock {
            cache,
            holder,
            until,
            ..
        } = self.0;
        cache.inner.open("renew")?;
        let renewed = holder.renew().await;
        let end = renewed.map_err(|error| error.at(holder.key()))?;
        *until.lock() = end.unwrap_or_else(|| holder.now());
        Ok(end.is_some())
    }
}

impl<'a> IntoFuture for RenewLock<'a> {
    type Output = Result<bool>;
    type IntoFuture = BoxFuture<'a, Result<bool>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
