//! Numbers, locks, windows and bits: each on the deepest level that has them.

use std::sync::Arc;
use std::time::Duration;

use super::Tiers;
use super::word::Relay;
use crate::error::{Error, Result};
use crate::store::{
    Acquired, Admission, Ask, Bits, Counters, Invalidations, Life, Locks, Quota, Read, Removal,
    Sink, Store, StoreFuture, Windows,
};

impl Tiers {
    pub(super) fn counting(&self) -> Option<(usize, &dyn Counters)> {
        let levels = self.levels.iter().enumerate().rev();
        levels
            .filter_map(|(number, level)| Some((number, level.store.counters()?)))
            .next()
    }

    pub(super) fn locking(&self) -> Option<&dyn Locks> {
        self.levels
            .iter()
            .rev()
            .find_map(|level| level.store.locks())
    }

    pub(super) fn windowing(&self) -> Option<&dyn Windows> {
        self.levels
            .iter()
            .rev()
            .find_map(|level| level.store.windows())
    }

    pub(super) fn filtering(&self) -> Option<&dyn Bits> {
        let mut levels = self.levels.iter().rev();
        levels.find_map(|level| level.store.bits())
    }

    fn lacks<T: Send + 'static>(&self, operation: &'static str) -> StoreFuture<'_, T> {
        let error = Error::unsupported(operation, self.name(), "no level of it can");
        Box::pin(std::future::ready(Err(error)))
    }

    /// The number lives on one level: what deeper ones have is brought up first and taken away afterwards.
    async fn sum(&self, key: &str, by: i64, life: Life) -> Result<i64> {
        let Some((level, counters)) = self.counting() else {
            return self.lacks("increment").await;
        };
        let below = &self.levels[level + 1..];
        if !below.is_empty() {
            let read = Read {
                key,
                ask: Ask::EntryOrLease,
                tags: &[],
                lease: Duration::from_secs(10),
                life,
                now: 0,
            };
            self.read_through(&[read]).await?;
        }
        let sum = counters
            .add(key, by, self.levels[level].capped(life))
            .await?;
        for level in below.iter().rev() {
            level.store.remove(&Removal::Keys(&[key])).await?;
        }
        self.remove_above(level, &[key]).await?;
        Ok(sum)
    }
}

impl Counters for Tiers {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        Box::pin(self.sum(key, by, life))
    }

    /// No other level has such a number, and none is to serve it.
    fn count<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        match self.counting() {
            Some((_, counters)) => counters.count(key, by, life),
            None => self.lacks("count"),
        }
    }
}

impl Locks for Tiers {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        match self.locking() {
            Some(locks) => locks.acquire(name, owner, ttl),
            None => self.lacks("lock"),
        }
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        match self.locking() {
            Some(locks) => locks.renew(name, owner, ttl),
            None => self.lacks("renew"),
        }
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        match self.locking() {
            Some(locks) => locks.release(name, owner),
            None => self.lacks("unlock"),
        }
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        match self.locking() {
            Some(locks) => locks.held(name),
            None => self.lacks("locked"),
        }
    }
}

impl Windows for Tiers {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        match self.windowing() {
            Some(windows) => windows.admit(key, quota),
            None => self.lacks("admit"),
        }
    }
}

impl Bits for Tiers {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        match self.filtering() {
            Some(bits) => bits.set(key, positions, life),
            None => self.lacks("set_bits"),
        }
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        match self.filtering() {
            Some(bits) => bits.test(key, positions),
            None => self.lacks("test_bits"),
        }
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        match self.filtering() {
            Some(bits) => bits.clear(key),
            None => self.lacks("clear_bits"),
        }
    }
}

impl Invalidations for Tiers {
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        let teller = self
            .teller()
            .and_then(|level| self.levels[level].store.invalidations());
        let word = Arc::clone(&self.word);
        match teller {
            Some(invalidations) => invalidations.subscribe(Arc::new(Relay { word, sink })),
            None => self.lacks("subscribe"),
        }
    }
}
