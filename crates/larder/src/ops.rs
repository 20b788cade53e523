//! The direct operations.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use crate::cache::Cache;
use crate::detect::Source;
use crate::engine::{Cacheable, DIRECT};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::explain::{self, Explain};
use crate::key::{Key, KeyBuf};
use crate::policy::{IntoSpan, Span};
use crate::selector::Selector;
use crate::stats::Counter;
use crate::switch::Operations;

mod increment;
mod load;
mod load_many;
mod lock;
mod set;

pub use increment::Increment;
pub use load::{GetOrLoad, Loading};
pub use load_many::GetOrLoadMany;
pub use lock::{AcquireLock, Lock, RenewLock};
pub use set::{Set, SetMany};

/// How long an entry still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// So long, until its `keep_until`.
    For(Duration),
    /// It has no end.
    Forever,
}

impl Cache {
    /// The value under a key, if it is there, servable, and a `V`.
    ///
    /// An entry that is kept only for a failing source (`soft`, `fail_safe`, `failover`) is not served here.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] when the entry holds another type; [`ErrorKind::Closed`].
    pub async fn get<V: Cacheable>(&self, key: impl AsRef<str>) -> Result<Option<V>> {
        self.read("get", self.inner.key(key.as_ref()))
    }

    fn read<V: Cacheable>(&self, operation: &'static str, key: KeyBuf) -> Result<Option<V>> {
        let inner = &self.inner;
        inner.open(operation)?;
        match crate::engine::hit::<crate::engine::AsPlain, V>(self, &DIRECT, &key) {
            crate::engine::Hit::Value(value) | crate::engine::Hit::Refresh(value, _) => {
                Ok(Some(value))
            }
            crate::engine::Hit::Miss => {
                crate::engine::detected(inner, &DIRECT, &key, Source::Missing, None);
                let found = inner.memory.peek(&key).filter(|slot| inner.is_served(slot));
                let other = found.is_some_and(|slot| slot.is_other_than::<V>());
                if other && !inner.is_off(Operations::READ) {
                    return Err(wrong_type::<V>(operation, &key));
                }
                Ok(None)
            }
        }
    }

    /// The values under several keys, in the order of the keys; `None` where there is none.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_many<V: Cacheable>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<V>>> {
        keys.into_iter()
            .map(|key| self.read("get_many", self.inner.key(key.as_ref())))
            .collect()
    }

    /// The value under a key; if there is none, what `load` gives, which is then stored. One load per key, however many ask.
    ///
    /// Awaited, or driven with [`wait`](GetOrLoad::wait). `ttl` is needed unless the cache has a default.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let cache = larder::Cache::builder().build()?;
    /// let user: String = cache
    ///     .get_or_load("user:7", || async { Ok::<_, std::io::Error>("Ada".to_owned()) })
    ///     .ttl("10m")
    ///     .await?;
    /// assert_eq!(user, "Ada");
    /// # Ok::<(), larder::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Source`] with the source's own error inside ([`Error::source_as`]); all who waited get the same one.
    /// [`ErrorKind::InvalidPolicy`] before anything is loaded.
    pub fn get_or_load<L, F, V, E>(&self, key: impl AsRef<str>, load: L) -> GetOrLoad<'_, L>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<crate::error::BoxError>,
    {
        GetOrLoad::new(self, self.inner.key(key.as_ref()), load)
    }

    /// The values under several keys; the missing ones are loaded by one call of `load`.
    ///
    /// Keys that another call is loading already are waited for, after this call's own load: overlapping batches share
    /// loads and cannot wait for each other in a circle. A key that `load` does not answer is not in the result and is not stored.
    /// `load` is called again only for keys whose other load came to nothing.
    ///
    /// # Errors
    /// As [`get_or_load`](Self::get_or_load).
    pub fn get_or_load_many<L, F, V, E, K>(
        &self,
        keys: impl IntoIterator<Item = K>,
        load: L,
    ) -> GetOrLoadMany<'_, L>
    where
        L: FnMut(Vec<String>) -> F,
        F: Future<Output = Result<std::collections::HashMap<String, V>, E>>,
        V: Cacheable,
        E: Into<crate::error::BoxError>,
        K: AsRef<str>,
    {
        let keys = keys.into_iter().map(|key| key.as_ref().to_owned());
        GetOrLoadMany::new(self, keys.collect(), load)
    }

    /// Writes a value. Awaited, or driven with [`wait`](Set::wait); the result says whether it was written.
    ///
    /// It is a write of truth: loads of the key that are under way will not overwrite it. The value is cloned; `&str` is kept as `String`, a slice as `Vec`.
    pub fn set<V>(&self, key: impl AsRef<str>, value: &V) -> Set<'_, V::Owned>
    where
        V: ToOwned + ?Sized,
        V::Owned: Cacheable,
    {
        Set::new(
            self,
            self.inner.key(key.as_ref()).to_key(),
            value.to_owned(),
        )
    }

    /// Writes several values under one policy. The result says how many were written.
    pub fn set_many<V: Cacheable, K: AsRef<str>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> SetMany<'_, V> {
        let full = |(key, value): (K, V)| (self.inner.key(key.as_ref()).to_key(), value);
        SetMany::new(self, entries.into_iter().map(full).collect())
    }

    /// Adds to a whole number and gives the new one; a key that is not there counts as 0. Awaited, or driven with [`wait`](Increment::wait).
    ///
    /// It is kept as an `i64`: read it as one.
    /// The ttl is that of the first increment, whatever it adds; later ones leave it as it is.
    pub fn increment(&self, key: impl AsRef<str>, by: i64) -> Increment<'_> {
        Increment::new(self, self.inner.key(key.as_ref()).to_key(), by)
    }

    /// Takes the lock of this name. Awaited, or driven with [`wait`](AcquireLock::wait).
    pub fn lock(&self, name: impl AsRef<str>) -> AcquireLock<'_> {
        AcquireLock::new(self, self.inner.key(name.as_ref()).to_key())
    }

    /// Gives a lock back by its owner; false when that owner does not hold it any more.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn unlock(&self, name: impl AsRef<str>, owner: u64) -> Result<bool> {
        self.inner.open("unlock")?;
        let key = self.inner.key(name.as_ref()).to_key();
        Ok(self
            .inner
            .locks
            .release(&key, owner, self.inner.clock.now()))
    }

    /// Whether somebody holds the lock of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn is_locked(&self, name: impl AsRef<str>) -> Result<bool> {
        self.inner.open("is_locked")?;
        let key = self.inner.key(name.as_ref()).to_key();
        Ok(self.inner.locks.is_held(&key, self.inner.clock.now()))
    }

    /// Whether a servable entry is there.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn exists(&self, key: impl AsRef<str>) -> Result<bool> {
        self.inner.open("exists")?;
        if self.inner.is_off(Operations::READ) {
            return Ok(false);
        }
        let slot = self.inner.memory.peek(&self.inner.key(key.as_ref()));
        Ok(slot.is_some_and(|slot| self.inner.is_served(&slot)))
    }

    /// How long the entry is still kept; `None` when it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn remaining_ttl(&self, key: impl AsRef<str>) -> Result<Option<Remaining>> {
        self.inner.open("remaining_ttl")?;
        let slot = self.inner.memory.peek(&self.inner.key(key.as_ref()));
        let alive = slot.filter(|slot| self.inner.is_alive(slot));
        Ok(alive.map(|slot| {
            let end = slot.keep_until();
            if end.0 >= u64::MAX - 16 {
                Remaining::Forever
            } else {
                Remaining::For(end.since(self.inner.clock.now()))
            }
        }))
    }

    /// Gives an entry a new life of `ttl` from now, without its other knobs; false when it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] for a bad ttl; [`ErrorKind::Closed`].
    pub async fn touch(&self, key: impl AsRef<str>, ttl: impl IntoSpan) -> Result<bool> {
        self.inner.open("touch")?;
        let key = self.inner.key(key.as_ref()).to_key();
        let Span(ttl) = ttl
            .into_span()
            .map_err(|fault| crate::engine::refused("touch", &key, fault))?;
        let now = self.inner.clock.now();
        Ok(self.inner.touch(&key, |found| found.with_ttl(ttl, now)))
    }

    /// Forgets a key; whether a live entry was there. Loads of it that are under way are returned to their callers and not stored.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn delete(&self, key: impl AsRef<str>) -> Result<bool> {
        self.inner.open("delete")?;
        Ok(self.inner.remove_key(&self.inner.key(key.as_ref())))
    }

    /// Forgets several keys; how many live entries were there.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn delete_many(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<usize> {
        let keys = keys.into_iter().map(|key| Key::from(key.as_ref()));
        self.forget("delete_many", &Selector::Keys(keys.collect()))
    }

    /// Forgets all keys that begin with `prefix`, literally; how many live entries there were.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn delete_prefix(&self, prefix: impl Into<String>) -> Result<usize> {
        self.forget("delete_prefix", &Selector::Prefix(prefix.into()))
    }

    /// Forgets all keys that match a glob pattern by Redis' rules, walking all entries. Use [`escape`](crate::escape) for what is to be taken literally.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn delete_pattern(&self, pattern: impl Into<String>) -> Result<usize> {
        self.forget("delete_pattern", &Selector::Pattern(pattern.into()))
    }

    /// Forgets every entry under any of these tags, in a time that does not depend on how many they are.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn delete_tags(&self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
        let tags = tags.into_iter().map(|tag| Key::from(tag.as_ref()));
        self.forget("delete_tags", &Selector::Tags(tags.collect()))?;
        Ok(())
    }

    /// Forgets everything.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn clear(&self) -> Result<()> {
        self.forget("clear", &Selector::All)?;
        Ok(())
    }

    /// Forgets what a selector means; how many live entries there were (0 for tags, which nobody counts).
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn invalidate(&self, selector: Selector) -> Result<usize> {
        self.forget("invalidate", &selector)
    }

    fn forget(&self, operation: &'static str, selector: &Selector) -> Result<usize> {
        self.inner.open(operation)?;
        Ok(self.inner.remove_selected(selector))
    }

    /// The keys that match a glob pattern and are alive, in no order. Walks all entries, each under its own short lock, without a pause.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn scan(&self, pattern: impl AsRef<str>) -> Result<Vec<String>> {
        let inner = &self.inner;
        inner.open("scan")?;
        let pattern = pattern.as_ref();
        let keys = inner.memory.matching(|key, slot| {
            key.as_str().starts_with(&*inner.prefix)
                && larder_syntax::glob::matches(pattern, inner.bare(key))
                && inner.is_alive(slot)
        });
        Ok(keys.iter().map(|key| inner.bare(key).to_owned()).collect())
    }

    /// How many entries are held, also those whose time is over and which nobody has met yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.memory.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries weigh, in a cache that is bounded by weight; else their number.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.inner.memory.weight()
    }

    /// What is known of a key, and what the next call would do.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn explain(&self, key: impl AsRef<str>) -> Result<Explain> {
        self.inner.open("explain")?;
        Ok(explain::explain(self, &self.inner.key(key.as_ref())))
    }

    /// Whether the cache can be reached. In memory it can, until it is closed.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`].
    pub async fn ping(&self) -> Result<()> {
        self.inner.open("ping")
    }

    /// Forgets everything and refuses all further direct operations. Cached functions go on without a cache.
    pub async fn close(&self) {
        let closed = &self.inner.closed;
        closed.store(true, std::sync::atomic::Ordering::Release);
        // First, so that nothing is stored after the end by a load that is under way.
        self.inner.switch.turn_off(Operations::ALL);
        self.inner.remove_all();
        let selector = &Selector::All;
        self.inner.tell(|| Event::Invalidated { selector });
    }
}

fn wrong_type<V: Any>(operation: &'static str, key: &KeyBuf) -> Error {
    DIRECT.counters.add(Counter::WrongType, 1);
    Error::new(
        ErrorKind::WrongType,
        operation,
        format!(
            "the entry holds no `{}`: read it as the type it was stored as, or delete it",
            std::any::type_name::<V>()
        ),
    )
    .at(&key.to_key())
}
