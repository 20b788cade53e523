//! `lock`.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::{Cache, Inner};
use crate::engine::{refused, within};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::lock::HeldUntil;
use crate::policy::{Fault, IntoSpan, Span};
use crate::runtime::{BoxFuture, Task, Timestamp, block_on};
use crate::store::{Acquired, Locks};

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

    /// How long to wait for a held lock before it is refused.
    pub fn wait_for(mut self, span: impl IntoSpan) -> Self {
        self.wait_for = span.into_span().map(Some);
        self
    }

    /// Takes it on this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Timeout`] when it is held and stays so; [`ErrorKind::InvalidPolicy`]; [`ErrorKind::Closed`].
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
        let owner = inner.runtime.random() | 1;
        if outside(inner, "lock")?.is_some() {
            return self.take_outside(owner, ttl, until).await;
        }
        loop {
            let now = inner.clock.now();
            let end = Timestamp(now.0.saturating_add(ttl));
            let Err(HeldUntil(held)) = inner.locks.take(&self.key, owner, now, end) else {
                return Ok(Lock {
                    cache: self.cache.clone(),
                    key: self.key,
                    owner,
                    ttl,
                    until: Mutex::new(end),
                    fence: None,
                });
            };
            let Some(until) = until.filter(|until| now < *until) else {
                return Err(is_held(&self.key, held.since(now)));
            };
            within(inner, until.min(held), inner.locks.released(&self.key)).await;
        }
    }

    /// Takes it in the store, where nobody tells when it is given back: it is asked for again after a growing pause.
    async fn take_outside(self, owner: u64, ttl: u64, until: Option<Timestamp>) -> Result<Lock> {
        let inner = &self.cache.inner;
        let (name, span) = (owner_name(owner), Duration::from_nanos(ttl));
        let mut pause = Duration::from_millis(10);
        loop {
            let Some(locks) = outside(inner, "lock")? else {
                return Err(Error::unsupported("lock", "this cache", "it has no store"));
            };
            let asked = inner.clock.now();
            let acquired = locks.acquire(self.key.as_str(), &name, span).await;
            let left = match acquired.map_err(|error| error.at(&self.key))? {
                Acquired::Held { fence } => {
                    // From before it was asked for: here the lock never seems to be held for longer than there.
                    let until = Mutex::new(Timestamp(asked.0.saturating_add(ttl)));
                    return Ok(Lock {
                        cache: self.cache.clone(),
                        key: self.key,
                        owner,
                        ttl,
                        until,
                        fence: Some(fence),
                    });
                }
                Acquired::Taken { left } => left,
            };
            let now = inner.clock.now();
            let Some(until) = until.filter(|until| now < *until) else {
                return Err(is_held(&self.key, left));
            };
            let wait = pause
                .min(left.max(Duration::from_millis(1)))
                .min(until.since(now));
            inner.runtime.sleep(wait).await;
            pause = (pause * 2).min(Duration::from_millis(250));
        }
    }
}

fn is_held(key: &Key, left: Duration) -> Error {
    let message =
        format!("it is held for another {left:?}: try later, or wait longer with `wait_for`");
    Error::new(ErrorKind::Timeout, "lock", message).at(key)
}

fn owner_name(owner: u64) -> String {
    format!("{owner:016x}")
}

/// The locks of the cache's store; `None` when the cache has no store.
pub(super) fn outside<'i>(
    inner: &'i Inner,
    operation: &'static str,
) -> Result<Option<&'i dyn Locks>> {
    let Some(outside) = &inner.outside else {
        return Ok(None);
    };
    let unsupported = || Error::unsupported(operation, outside.store.name(), "it has no locks");
    outside.store.locks().map(Some).ok_or_else(unsupported)
}

/// Gives a lock back; false when the owner does not hold it any more.
pub(super) async fn release(inner: &Inner, key: &Key, owner: u64) -> Result<bool> {
    match outside(inner, "unlock")? {
        Some(locks) => {
            let released = locks.release(key.as_str(), &owner_name(owner)).await;
            released.map_err(|error| error.at(key))
        }
        None => Ok(inner.locks.release(key, owner, inner.clock.now())),
    }
}

impl<'a> IntoFuture for AcquireLock<'a> {
    type Output = Result<Lock>;
    type IntoFuture = BoxFuture<'a, Result<Lock>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.take())
    }
}

/// A lock that is held. Dropping it gives it back.
pub struct Lock {
    cache: Cache,
    key: Key,
    owner: u64,
    ttl: u64,
    until: Mutex<Timestamp>,
    fence: Option<u64>,
}

impl Lock {
    /// Who holds it, for [`Cache::unlock`] from elsewhere.
    #[must_use]
    pub fn owner(&self) -> u64 {
        self.owner
    }

    /// Whether it is still held: its time may be over.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let inner = &self.cache.inner;
        let now = inner.clock.now();
        match &inner.outside {
            Some(_) => now < *self.until.lock(),
            None => inner.locks.is_held_by(&self.key, self.owner, now),
        }
    }

    /// A number that is larger than that of every earlier holder, for whoever is to refuse late writes of a holder whose time was over
    /// (Kleppmann, "How to do distributed locking", 2016). `None` without a store: within one process a holder sees [`is_held`](Self::is_held) at once.
    #[must_use]
    pub fn fence(&self) -> Option<u64> {
        self.fence
    }

    /// Starts its time anew; the answer is false when it was lost. Awaited, or driven with [`wait`](RenewLock::wait).
    pub fn renew(&self) -> RenewLock<'_> {
        RenewLock(self)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let inner = &self.cache.inner;
        if inner.outside.is_none() {
            let now = inner.clock.now();
            inner.locks.release(&self.key, self.owner, now);
            return;
        }
        // A drop cannot wait for a store; until the word has come there, the lock's own end bounds it.
        let (owner, key, task) = (self.owner, self.key.clone(), Arc::clone(inner));
        let chore = async move { drop(release(&task, &key, owner).await) };
        inner.runtime.spawn(Task::Chore(Box::pin(chore)));
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("key", &self.key)
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
    /// [`ErrorKind::Closed`].
    pub fn wait(self) -> Result<bool> {
        block_on(self.run())
    }

    async fn run(self) -> Result<bool> {
        let Lock {
            cache,
            key,
            owner,
            ttl,
            until,
            ..
        } = self.0;
        let inner = &cache.inner;
        inner.open("renew")?;
        let now = inner.clock.now();
        let end = Timestamp(now.0.saturating_add(*ttl));
        let Some(locks) = outside(inner, "renew")? else {
            return Ok(inner.locks.renew(key, *owner, now, end));
        };
        let span = Duration::from_nanos(*ttl);
        let renewed = locks.renew(key.as_str(), &owner_name(*owner), span).await;
        let renewed = renewed.map_err(|error| error.at(key))?;
        *until.lock() = if renewed { end } else { now };
        Ok(renewed)
    }
}

impl<'a> IntoFuture for RenewLock<'a> {
    type Output = Result<bool>;
    type IntoFuture = BoxFuture<'a, Result<bool>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
