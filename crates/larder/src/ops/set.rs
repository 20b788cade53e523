//! `set` and `set_many`.

use std::fmt;
use std::future::IntoFuture;

use super::increment::policy_knobs;
use crate::cache::{Cache, When};
use crate::codec::Wire;
use crate::engine::{Cacheable, Storing, store, store_many};
use crate::entry::Value;
use crate::error::Result;
use crate::key::Key;
use crate::policy::Policy;
use crate::runtime::{BoxFuture, block_on};
use crate::stats::Counter;

/// A write, before it is awaited.
#[must_use = "nothing is written before it is awaited, or driven with `wait`"]
pub struct Set<'a, V> {
    cache: &'a Cache,
    key: Key,
    value: V,
    policy: Policy,
    tags: Vec<Key>,
    when: When,
    wire: Wire,
}

impl<'a, V: Cacheable> Set<'a, V> {
    pub(super) fn new(cache: &'a Cache, key: Key, value: V, wire: Wire) -> Self {
        Self {
            cache,
            key,
            value,
            policy: Policy::new(),
            tags: Vec::new(),
            when: When::Always,
            wire,
        }
    }

    policy_knobs!();

    /// Tags to forget it by.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.tags
            .extend(tags.into_iter().map(|t| Key::from(t.as_ref())));
        self
    }

    /// Write only if nothing is there.
    pub fn if_absent(mut self) -> Self {
        self.when = When::Absent;
        self
    }

    /// Write only if something is there.
    pub fn if_present(mut self) -> Self {
        self.when = When::Present;
        self
    }

    /// Writes on this thread; whether it was written.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`](crate::ErrorKind) for a bad or a missing ttl; [`ErrorKind::Encode`](crate::ErrorKind) for a value that cannot become bytes or is too large;
    /// what a store says; [`ErrorKind::Closed`](crate::ErrorKind).
    pub fn wait(self) -> Result<bool> {
        block_on(self.run())
    }

    async fn run(self) -> Result<bool> {
        let inner = &self.cache.inner;
        inner.open("set")?;
        let storing = Storing {
            operation: "set",
            key: &self.key,
            when: self.when,
            policy: self.policy.or(&inner.defaults),
            wire: &self.wire,
        };
        let value = (Value::new(self.value), size_of::<V>());
        let written = store(inner, storing, self.tags, value).await?;
        if written {
            inner.count_direct(self.key.as_str(), Counter::Stored, 1);
        }
        Ok(written)
    }
}

impl<'a, V: Cacheable> IntoFuture for Set<'a, V> {
    type Output = Result<bool>;
    type IntoFuture = BoxFuture<'a, Result<bool>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<V> fmt::Debug for Set<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set")
            .field("key", &self.key)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Several writes under one policy, before they are awaited.
#[must_use = "nothing is written before it is awaited, or driven with `wait`"]
pub struct SetMany<'a, V> {
    cache: &'a Cache,
    entries: Vec<(Key, V)>,
    policy: Policy,
    tags: Vec<Key>,
    wire: Wire,
}

impl<'a, V: Cacheable> SetMany<'a, V> {
    pub(super) fn new(cache: &'a Cache, entries: Vec<(Key, V)>, wire: Wire) -> Self {
        Self {
            cache,
            entries,
            policy: Policy::new(),
            tags: Vec::new(),
            wire,
        }
    }

    policy_knobs!();

    /// Tags to forget them by.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.tags
            .extend(tags.into_iter().map(|t| Key::from(t.as_ref())));
        self
    }

    /// Writes on this thread; how many were written. A bad policy writes none.
    ///
    /// # Errors
    /// As [`Set::wait`].
    pub fn wait(self) -> Result<usize> {
        block_on(self.run())
    }

    async fn run(self) -> Result<usize> {
        let inner = &self.cache.inner;
        inner.open("set_many")?;
        let policy = self.policy.or(&inner.defaults);
        let wire = self.wire;
        let value = |value| (Value::new(value), size_of::<V>());
        let keys: Vec<Key> = self.entries.iter().map(|(key, _)| key.clone()).collect();
        let entries = self.entries.into_iter().map(|(key, v)| (key, value(v)));
        let written = store_many(inner, policy, &wire, &self.tags, entries.collect()).await?;
        // Which ones a store has not written, if any, it does not say.
        for key in keys.iter().take(written) {
            inner.count_direct(key.as_str(), Counter::Stored, 1);
        }
        Ok(written)
    }
}

impl<'a, V: Cacheable> IntoFuture for SetMany<'a, V> {
    type Output = Result<usize>;
    type IntoFuture = BoxFuture<'a, Result<usize>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<V> fmt::Debug for SetMany<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetMany")
            .field("keys", &self.entries.len())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
