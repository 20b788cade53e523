//! `set` and `set_many`.

use std::fmt;
use std::future::{IntoFuture, Ready, ready};

use super::increment::policy_knobs;
use crate::cache::{Cache, When};
use crate::engine::{Cacheable, store};
use crate::entry::Value;
use crate::error::Result;
use crate::key::Key;
use crate::policy::Policy;

/// A write, before it is awaited.
#[must_use = "nothing is written before it is awaited, or driven with `wait`"]
pub struct Set<'a, V> {
    cache: &'a Cache,
    key: Key,
    value: V,
    policy: Policy,
    tags: Vec<Key>,
    when: When,
}

impl<'a, V: Cacheable> Set<'a, V> {
    pub(super) fn new(cache: &'a Cache, key: Key, value: V) -> Self {
        Self {
            cache,
            key,
            value,
            policy: Policy::new(),
            tags: Vec::new(),
            when: When::Always,
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
    /// [`ErrorKind::InvalidPolicy`](crate::ErrorKind) for a bad or a missing ttl; [`ErrorKind::Closed`](crate::ErrorKind).
    pub fn wait(self) -> Result<bool> {
        let inner = &self.cache.inner;
        inner.open("set")?;
        let policy = self.policy.or(&inner.defaults);
        let value = (Value::new(self.value), size_of::<V>());
        store(inner, "set", &self.key, self.when, policy, self.tags, value)
    }
}

impl<V: Cacheable> IntoFuture for Set<'_, V> {
    type Output = Result<bool>;
    type IntoFuture = Ready<Result<bool>>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.wait())
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
}

impl<'a, V: Cacheable> SetMany<'a, V> {
    pub(super) fn new(cache: &'a Cache, entries: Vec<(Key, V)>) -> Self {
        Self {
            cache,
            entries,
            policy: Policy::new(),
            tags: Vec::new(),
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
        let inner = &self.cache.inner;
        inner.open("set_many")?;
        let policy = self.policy.or(&inner.defaults);
        let mut written = 0;
        for (key, value) in self.entries {
            let tags = self.tags.clone();
            let value = (Value::new(value), size_of::<V>());
            let stored = store(inner, "set_many", &key, When::Always, policy, tags, value)?;
            written += usize::from(stored);
        }
        Ok(written)
    }
}

impl<V: Cacheable> IntoFuture for SetMany<'_, V> {
    type Output = Result<usize>;
    type IntoFuture = Ready<Result<usize>>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.wait())
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
