//! `lock`.

use std::fmt;
use std::future::{IntoFuture, Ready, ready};
use std::time::Duration;

use crate::cache::Cache;
use crate::engine::{refused, within};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::lock::HeldUntil;
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
        loop {
            let now = inner.clock.now();
            let end = Timestamp(now.0.saturating_add(ttl));
            let Err(HeldUntil(held)) = inner.locks.take(&self.key, owner, now, end) else {
                return Ok(Lock {
                    cache: self.cache.clone(),
                    key: self.key,
                    owner,
                    ttl,
                });
            };
            let Some(until) = until.filter(|until| now < *until) else {
                let held = held.since(now);
                let message = format!(
                    "it is held for another {held:?}: try later, or wait longer with `wait_for`"
                );
                return Err(Error::new(ErrorKind::Timeout, "lock", message).at(&self.key));
            };
            within(inner, until.min(held), inner.locks.released(&self.key)).await;
        }
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
        inner.locks.is_held_by(&self.key, self.owner, now)
    }

    /// Starts its time anew; the answer is false when it was lost. Awaited, or driven with [`wait`](RenewLock::wait).
    pub fn renew(&self) -> RenewLock<'_> {
        RenewLock(self)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let inner = &self.cache.inner;
        inner
            .locks
            .release(&self.key, self.owner, inner.clock.now());
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
        let Lock {
            cache,
            key,
            owner,
            ttl,
        } = self.0;
        let inner = &cache.inner;
        inner.open("renew")?;
        let now = inner.clock.now();
        let until = Timestamp(now.0.saturating_add(*ttl));
        Ok(inner.locks.renew(key, *owner, now, until))
    }
}

impl IntoFuture for RenewLock<'_> {
    type Output = Result<bool>;
    type IntoFuture = Ready<Result<bool>>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.wait())
    }
}
