//! The direct operations.

use std::any::Any;
use std::future::Future;

use crate::cache::{Cache, Inner, Looking};
use crate::codec::{Portable, Wire};
use crate::detect::Source;
use crate::engine::{Cacheable, DIRECT, Seen, Shape, count_look, detected};
use crate::entry::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::explain::{self, Explain};
use crate::guard::{Guard, Refused};
use crate::key::{Key, KeyBuf};
use crate::lock::locks_of;
use crate::middleware::{Action, Doing, Intended, Outcome};
use crate::overlay::Ambient;
use crate::policy::{IntoSpan, Policy, Span};
use crate::scope;
use crate::selector::Selector;
use crate::stats::Counter;
use crate::store::Ask;
use crate::switch::Operations;

mod bloom;
mod guard;
mod increment;
mod inside;
mod load;
mod load_many;
mod local;
mod lock;
mod set;
mod warm;

pub use bloom::{AsyncBloom, BloomCall, SyncBloom};
pub use guard::Guarded;
pub use increment::Increment;
pub use load::{GetOrLoad, Loading};
pub use load_many::GetOrLoadMany;
pub use local::Local;
pub use lock::{AcquireLock, Lock, RenewLock};
pub use set::{Set, SetMany};
pub use warm::{OneByOne, Step, Together};
pub use warm::{Warm, Warming};

pub use crate::entry::Remaining;

impl Cache {
    /// The value under a key, if it is there, servable, and a `V`.
    ///
    /// An entry that is kept only for a failing source (`soft`, `fail_safe`, `failover`) is not served here.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] when memory holds another type under the key (in a store that is a miss, told by [`Event::Unreadable`](crate::Event::Unreadable)); what a
    /// store says; [`ErrorKind::Closed`].
    pub async fn get<V: Cacheable + Portable>(&self, key: impl AsRef<str>) -> Result<Option<V>> {
        let key = self.full_key(key.as_ref());
        let Some(mut reading) = self.reading("get", Action::Get, &key)? else {
            return Ok(None);
        };
        let found = self.get_now(key).await;
        reading.end(Outcome::found(&found));
        found
    }

    async fn get_now<V: Cacheable + Portable>(&self, key: KeyBuf) -> Result<Option<V>> {
        self.lock_inside("get", std::slice::from_ref(&key)).await?;
        let found = match self.reads_store::<V>(&key) {
            true => None,
            false => self.read::<V>("get", &key)?,
        };
        if found.is_some() {
            return Ok(found);
        }
        let found = self.read_outside::<V>("get", &[key]).await?;
        Ok(found.into_iter().next().flatten())
    }

    /// Asks the middleware before a read; `None` when it is left out, which is a miss.
    fn reading(
        &self,
        operation: &'static str,
        action: Action,
        key: &KeyBuf,
    ) -> Result<Option<Doing<'_>>> {
        let inner = &self.inner;
        inner.open(operation)?;
        if inner.is_off(Operations::READ) {
            return Ok(Some(Doing::unseen()));
        }
        let reading = inner.begin(|| Intended::key(action, inner.bare(key.as_str())));
        if reading.is_none() && action == Action::Get {
            inner.stats.add(Counter::Misses, 1);
            inner.count_direct(key.as_str(), Counter::Misses, 1);
            detected(inner, &DIRECT, key, Seen::nothing(Source::Missing));
        }
        Ok(reading)
    }

    fn read<V: Cacheable>(&self, operation: &'static str, key: &KeyBuf) -> Result<Option<V>> {
        let inner = &self.inner;
        inner.open(operation)?;
        let looked = crate::engine::hit::<crate::engine::AsPlain, V>(self, &DIRECT, key);
        count_look(inner, &DIRECT, key, Some(&looked));
        match looked {
            crate::engine::Hit::Value(value) | crate::engine::Hit::Refresh(value, _) => {
                Ok(Some(value))
            }
            crate::engine::Hit::Miss => {
                if inner.outside.is_none() {
                    detected(inner, &DIRECT, key, Seen::nothing(Source::Missing));
                }
                let found = match inner.ambient() {
                    Some(ambient) => inner
                        .visible_here(&ambient, &key.to_key())
                        .filter(|slot| inner.is_current(slot)),
                    None => inner.memory.peek(key).filter(|slot| inner.is_served(slot)),
                };
                let other = found.is_some_and(|slot| slot.is_other_than::<V>());
                if other && !inner.is_off(Operations::READ) {
                    return Err(wrong_type::<V>(operation, key));
                }
                Ok(None)
            }
        }
    }

    /// What the store holds under keys that memory does not have, in one round trip.
    async fn read_outside<V: Cacheable + Portable>(
        &self,
        operation: &'static str,
        keys: &[KeyBuf],
    ) -> Result<Vec<Option<V>>> {
        let inner = &self.inner;
        let nothing = || keys.iter().map(|_| None).collect();
        let wire = V::wire();
        let Some(outside) = inner.outside_for(&wire).filter(|_| !keys.is_empty()) else {
            return Ok(nothing());
        };
        if inner.is_off(Operations::READ) {
            return Ok(nothing());
        }
        let full: Vec<Key> = keys.iter().map(KeyBuf::to_key).collect();
        let ambient = inner.ambient();
        if scope::current().is_some_and(|settings| settings.invalidate_further) {
            if ambient.is_none() {
                inner.forget_further(outside, &full).await;
            }
            return Ok(nothing());
        }
        let looking = full.iter().map(|key| looking(inner, key, &wire));
        let looking: Vec<Looking<'_>> = looking.collect();
        let found = inner.find_outside(outside, &looking).await;
        let mut slots = found.map_err(|error| error.during(operation))?;
        if let Some(ambient) = ambient {
            for (key, slot) in full.iter().zip(&mut slots) {
                let base = slot.take();
                // What is decided inside was looked for before.
                if ambient.decide(key).is_none() {
                    *slot = ambient.through(key, base);
                }
            }
        }
        let mut values = Vec::with_capacity(slots.len());
        for (key, slot) in keys.iter().zip(slots) {
            let verdict = slot.as_ref().map(|slot| slot.verdict(inner.clock.now()));
            let now = inner.clock.now();
            let wanted = |slot: &Slot| scope::overrides().allow_entry(slot, now);
            let served = slot.filter(|slot| inner.is_served(slot) && wanted(slot));
            let value = served.as_ref().and_then(|slot| slot.value::<V>());
            let seen = match (&value, &served) {
                (Some(_), Some(slot)) => Seen::of(Source::Fresh, outside.store.name(), slot),
                _ => Seen::nothing(Source::Missing),
            };
            if let (Some(_), Some(verdict)) = (&value, verdict) {
                inner.stats.add(Counter::StoreHits, 1);
                inner.count_direct(key.as_str(), Counter::StoreHits, 1);
                let (key, store) = (key.as_str(), outside.store.name());
                inner.tell(|| Event::StoreHit {
                    key,
                    store,
                    verdict,
                });
            }
            detected(inner, &DIRECT, key, seen);
            values.push(value);
        }
        Ok(values)
    }

    /// The values under several keys, in the order of the keys; `None` where there is none. To a store they go in one round trip.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn get_many<V: Cacheable + Portable>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<V>>> {
        let keys = keys.into_iter().map(|key| self.full_key(key.as_ref()));
        let keys: Vec<KeyBuf> = keys.collect();
        let ask = |key| self.reading("get_many", Action::Get, key);
        let mut readings = keys.iter().map(ask).collect::<Result<Vec<_>>>()?;
        let is_read: Vec<bool> = readings.iter().map(Option::is_some).collect();
        let found = self.get_many_now::<V>(keys, &is_read).await;
        for (at, reading) in readings.iter_mut().enumerate() {
            let Some(reading) = reading else { continue };
            let one = found
                .as_ref()
                .map(|values| values.get(at).and_then(Option::as_ref));
            reading.end(Outcome::found(&one));
        }
        found
    }

    /// The values of those keys that are read.
    async fn get_many_now<V: Cacheable + Portable>(
        &self,
        keys: Vec<KeyBuf>,
        is_read: &[bool],
    ) -> Result<Vec<Option<V>>> {
        self.lock_inside("get_many", &keys).await?;
        let read = |(key, is_read): (&KeyBuf, &bool)| match *is_read && !self.reads_store::<V>(key)
        {
            true => self.read::<V>("get_many", key),
            false => Ok(None),
        };
        let values = keys.iter().zip(is_read).map(read);
        let mut values = values.collect::<Result<Vec<Option<V>>>>()?;
        let at: Vec<usize> = (0..keys.len())
            .filter(|at| is_read[*at] && values[*at].is_none())
            .collect();
        let missing: Vec<KeyBuf> = at.iter().map(|at| keys[*at].clone()).collect();
        let found = self.read_outside::<V>("get_many", &missing).await?;
        for (at, value) in at.into_iter().zip(found) {
            values[at] = value;
        }
        Ok(values)
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
    /// [`ErrorKind::InvalidPolicy`] before anything is loaded; [`ErrorKind::Refused`] at a `hard_timeout`; what a store says when the call or the cache is `strict`;
    /// [`ErrorKind::Closed`].
    ///
    /// # Cancellation
    /// Dropping it drops the load if this call leads it; one of those who wait takes over.
    pub fn get_or_load<L, F, V, E>(&self, key: impl AsRef<str>, load: L) -> GetOrLoad<'_, L>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable + Portable,
        E: Into<crate::error::BoxError>,
    {
        GetOrLoad::new(self, self.full_key(key.as_ref()), load, V::wire())
    }

    /// Calls a source behind a guard; see [`guard`](crate::guard).
    ///
    /// Awaited, or driven with [`wait`](Guarded::wait). Every error of the source is a failure to the guard.
    ///
    /// # Errors
    /// The refusal of the guard as `E`, or the source's own error.
    pub fn guard<'a, L, F, V, E>(
        &'a self,
        guard: &'a dyn Guard,
        key: impl AsRef<str>,
        load: L,
    ) -> Guarded<'a, L>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        E: From<Refused>,
    {
        Guarded::new(self, guard, KeyBuf::from_text(key.as_ref()), load)
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
        V: Cacheable + Portable,
        E: Into<crate::error::BoxError>,
        K: AsRef<str>,
    {
        let keys = keys.into_iter().map(|key| key.as_ref().to_owned());
        GetOrLoadMany::new(self, keys.collect(), load, V::wire())
    }

    /// Writes a value. Awaited, or driven with [`wait`](Set::wait); the result says whether it was written.
    ///
    /// It is a write of truth: loads of the key that are under way will not overwrite it. The value is cloned; `&str` is kept as `String`, a slice as `Vec`.
    /// A `ttl` is needed unless the cache has a default. With writing switched off nothing is written.
    pub fn set<V>(&self, key: impl AsRef<str>, value: &V) -> Set<'_, V::Owned>
    where
        V: ToOwned + ?Sized,
        V::Owned: Cacheable + Portable,
    {
        Set::new(
            self,
            self.full_key(key.as_ref()).to_key(),
            value.to_owned(),
            V::Owned::wire(),
        )
    }

    /// Writes several values under one policy. The result says how many were written. A `ttl` is needed unless the cache has a default.
    pub fn set_many<V: Cacheable + Portable, K: AsRef<str>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> SetMany<'_, V> {
        let full = |(key, value): (K, V)| (self.full_key(key.as_ref()).to_key(), value);
        SetMany::new(self, entries.into_iter().map(full).collect(), V::wire())
    }

    /// Adds to a whole number and gives the new one; a key that is not there counts as 0. Awaited, or driven with [`wait`](Increment::wait).
    ///
    /// It is kept as an `i64`: read it as one.
    /// The ttl is that of the first increment, whatever it adds; later ones leave it as it is. The first needs one, unless the cache has a default.
    pub fn increment(&self, key: impl AsRef<str>, by: i64) -> Increment<'_> {
        Increment::new(self, self.full_key(key.as_ref()).to_key(), by)
    }

    /// Takes the lock of this name for 10 s, or fails at once if another holds it: see [`ttl`](AcquireLock::ttl) and [`wait_for`](AcquireLock::wait_for). Awaited, or driven
    /// with [`wait`](AcquireLock::wait). It is not renewed by itself: call [`renew`](Lock::renew), or use [`locked`](macro@crate::locked).
    pub fn lock(&self, name: impl AsRef<str>) -> AcquireLock<'_> {
        AcquireLock::new(self, self.full_key(name.as_ref()).to_key())
    }

    /// Gives a lock back by its owner; false when that owner does not hold it any more.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub async fn unlock(&self, name: impl AsRef<str>, owner: u64) -> Result<bool> {
        self.inner.open("unlock")?;
        let key = self.full_key(name.as_ref()).to_key();
        lock::release(&self.inner, &key, owner).await
    }

    /// Whether somebody holds the lock of this name.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub async fn is_locked(&self, name: impl AsRef<str>) -> Result<bool> {
        self.inner.open("is_locked")?;
        let key = self.full_key(name.as_ref()).to_key();
        let store = self.inner.outside.as_ref().map(|outside| &outside.store);
        match locks_of(store, "is_locked")? {
            Some(locks) => Ok(locks.held(key.as_str()).await?.is_some()),
            None => Ok(self.inner.locks.is_held(&key, self.inner.clock.now())),
        }
    }

    /// Whether a servable entry is there. A key that a store does not know costs one look at its metadata.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub async fn exists(&self, key: impl AsRef<str>) -> Result<bool> {
        let key = self.full_key(key.as_ref());
        let Some(mut reading) = self.reading("exists", Action::Exists, &key)? else {
            return Ok(false);
        };
        let exists = self.exists_now(&key).await;
        reading.end(Outcome::found(
            &exists.as_ref().map(|exists| exists.then_some(())),
        ));
        exists
    }

    async fn exists_now(&self, key: &KeyBuf) -> Result<bool> {
        if self.inner.is_off(Operations::READ) {
            return Ok(false);
        }
        if let Some(ambient) = self.inner.ambient() {
            let seen = self
                .served_inside("exists", &ambient, &key.to_key())
                .await?;
            return Ok(seen.is_some());
        }
        let slot = self.inner.memory.peek(key);
        if slot.is_some_and(|slot| self.inner.is_served(&slot)) {
            return Ok(true);
        }
        let stamps = self.inner.stamps_outside(&key.to_key()).await?;
        Ok(stamps.is_some_and(|stamps| stamps.is_served))
    }

    /// How long the entry is still kept, `stale` and `fail_safe` included; `None` when it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub async fn remaining_ttl(&self, key: impl AsRef<str>) -> Result<Option<Remaining>> {
        self.inner.open("remaining_ttl")?;
        let key = self.full_key(key.as_ref());
        if let Some(ambient) = self.inner.ambient() {
            let key = key.to_key();
            let seen = self.served_inside("remaining_ttl", &ambient, &key);
            let left = seen.await?.map(|slot| self.inner.left(&slot));
            return Ok(left.map(|left| left.map_or(Remaining::Forever, Remaining::For)));
        }
        if self.inner.outside.is_some()
            && let Some(stamps) = self.inner.stamps_outside(&key.to_key()).await?
        {
            return Ok(Some(stamps.left.into()));
        }
        let slot = self.inner.memory.peek(&key);
        let alive = slot.filter(|slot| self.inner.is_alive(slot));
        Ok(alive.map(|slot| self.inner.left(&slot).into()))
    }

    /// Gives an entry a new life of `ttl` from now, without its other knobs; false when it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] for a bad ttl; [`ErrorKind::Closed`]; what a store says.
    pub async fn touch(&self, key: impl AsRef<str>, ttl: impl IntoSpan) -> Result<bool> {
        self.inner.open("touch")?;
        let key = self.full_key(key.as_ref()).to_key();
        let Span(ttl) = ttl
            .into_span()
            .map_err(|fault| crate::engine::refused("touch", &key, fault))?;
        let intended = || Intended::key(Action::Touch, self.inner.bare(key.as_str()));
        let Some(mut touching) = self.inner.begin(intended) else {
            return Ok(false);
        };
        let touched = self.touch_now(&key, ttl).await;
        touching.end(Outcome::came_of(&touched, |touched| *touched));
        touched
    }

    async fn touch_now(&self, key: &Key, ttl: u64) -> Result<bool> {
        let inner = &self.inner;
        if let Some(ambient) = inner.ambient_transaction() {
            return self.touch_inside(&ambient, key, ttl).await;
        }
        let touch_here = || {
            let now = inner.clock.now();
            inner.touch(key, |found| found.with_ttl(ttl, now))
        };
        let Some(outside) = &inner.outside else {
            return Ok(touch_here());
        };
        if inner.is_off(Operations::WRITE) {
            return Ok(false);
        }
        if inner.touch_outside(outside, key, ttl).await? {
            return Ok(true);
        }
        // A copy of what the store has lost must not live longer for it.
        Ok(!outside.keeps_copies() && touch_here())
    }

    /// Forgets a key; whether a live entry was there. Loads of it that are under way are returned to their callers and not stored.
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn delete(&self, key: impl AsRef<str>) -> Result<bool> {
        self.inner.open("delete")?;
        self.inner.forget_key(&self.full_key(key.as_ref())).await
    }

    /// Forgets several keys; how many live entries were there.
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn delete_many(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<usize> {
        let keys = keys.into_iter().map(|key| Key::from(key.as_ref()));
        self.forget("delete_many", Selector::Keys(keys.collect()))
            .await
    }

    /// Forgets all keys that begin with `prefix`, literally; how many live entries there were.
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn delete_prefix(&self, prefix: impl Into<String>) -> Result<usize> {
        self.forget("delete_prefix", Selector::Prefix(prefix.into()))
            .await
    }

    /// Forgets all keys that match a glob pattern by Redis' rules, walking all entries. Use [`escape`](crate::escape) for what is to be taken literally.
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn delete_pattern(&self, pattern: impl Into<String>) -> Result<usize> {
        self.forget("delete_pattern", Selector::Pattern(pattern.into()))
            .await
    }

    /// Forgets every entry under any of these tags, in a time that does not depend on how many they are.
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn delete_tags(&self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
        let tags = tags.into_iter().map(|tag| Key::from(tag.as_ref()));
        self.forget("delete_tags", Selector::Tags(tags.collect()))
            .await?;
        Ok(())
    }

    /// Forgets everything; on a view ([`scoped`](Self::scoped)) all that lies under it.
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn clear(&self) -> Result<()> {
        self.forget("clear", Selector::All).await?;
        Ok(())
    }

    /// Forgets what a selector means; how many live entries there were (0 for tags, which nobody counts).
    ///
    /// # Errors
    /// What a store says, memory having forgotten it all the same: [`ErrorKind::Unsupported`] for patterns on Memcached; [`ErrorKind::Closed`].
    /// A removal that does not reach a guarded store is no error: it is remembered, done before this process reads that store again, and counts nothing.
    pub async fn invalidate(&self, selector: Selector) -> Result<usize> {
        self.forget("invalidate", selector).await
    }

    async fn forget(&self, operation: &'static str, selector: Selector) -> Result<usize> {
        self.inner.open(operation)?;
        let removed = self.inner.forget(&self.meant(selector)).await;
        removed.map_err(|error| error.during(operation))
    }

    /// The keys that match a glob pattern and are alive, in no order. Walks all entries, each under its own short lock, without a pause.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says; [`ErrorKind::Unsupported`] on Memcached, which has no list of its keys.
    pub async fn scan(&self, pattern: impl AsRef<str>) -> Result<Vec<String>> {
        let inner = &self.inner;
        inner.open("scan")?;
        let kept = self.kept_pattern(pattern.as_ref());
        let keys = inner.memory.matching(|key, slot| {
            key.as_str().starts_with(&*inner.prefix)
                && larder_syntax::glob::matches(&kept, inner.bare(key.as_str()))
                && inner.is_alive(slot)
        });
        let bare = keys.iter().map(|key| inner.bare(key.as_str()).to_owned());
        let mut bare: Vec<String> = bare.collect();
        let ambient = inner.ambient();
        let is_memory = inner.outside.is_none() && ambient.is_none();
        if inner.outside.is_some() {
            bare.extend(inner.scan_outside(&inner.prefix, &kept).await?);
        }
        if let Some(ambient) = ambient {
            bare = inner.scan_inside(&ambient, &kept, bare).await?;
        }
        let mut keys: Vec<String> = bare.iter().map(|key| self.asked(key)).collect();
        if !is_memory {
            keys.sort_unstable();
            keys.dedup();
        }
        Ok(keys)
    }

    /// How many entries memory holds, those of a store not counted, also those whose time is over and which nobody has met yet. A view counts its own, and walks all for that.
    #[must_use]
    pub fn len(&self) -> usize {
        let memory = &self.inner.memory;
        if self.is_view() {
            let own = self.inner.kept_prefix(self.view());
            let is_mine = |key: &Key, _: &Slot| key.as_str().starts_with(&own);
            return memory.matching(is_mine).len();
        }
        memory.len()
    }

    /// Whether memory holds nothing; a store may.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all entries in memory weigh, also on a view, in a cache that is bounded by weight; else their number.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.inner.memory.weight()
    }

    /// What is known of a key, and what the next call would do.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub async fn explain(&self, key: impl AsRef<str>) -> Result<Explain> {
        self.inner.open("explain")?;
        explain::explain(self, &self.full_key(key.as_ref())).await
    }

    /// Whether the cache can be reached: its store answers, and it is not closed.
    ///
    /// # Errors
    /// [`ErrorKind::Closed`]; what a store says.
    pub async fn ping(&self) -> Result<()> {
        self.inner.open("ping")?;
        match &self.inner.outside {
            Some(outside) => outside.store.ping().await,
            None => Ok(()),
        }
    }

    /// Forgets what memory holds, lets go of the store and refuses all further direct operations. Cached functions go on without a cache. What the store holds stays there.
    pub async fn close(&self) {
        let closed = &self.inner.closed;
        closed.store(true, std::sync::atomic::Ordering::Release);
        // First, so that nothing is stored after the end by a load that is under way.
        self.inner.switch.turn_off(Operations::ALL);
        for schedule in self.inner.schedules.all() {
            schedule.stop();
        }
        self.inner.remove_all();
        let selector = &Selector::All;
        self.inner.tell(|| Event::Invalidated { selector });
        if let Some(outside) = &self.inner.outside
            && let Err(error) = outside.store.close().await
        {
            self.inner.store_failed(outside, "", &error);
        }
    }
}

/// A look for a direct operation, which knows neither tags nor a policy.
fn looking<'a>(inner: &Inner, key: &'a Key, wire: &'a Wire) -> Looking<'a> {
    const PLAIN: &Policy = &Policy::new();
    Looking {
        key,
        tags: &[],
        wire,
        policy: PLAIN,
        ask: Ask::Entry,
        as_of: inner.tags.epoch(),
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

/// What is stored and servable, in memory or in the store, without counting as a use.
pub(crate) async fn peek<S, R>(cache: &Cache, key: &KeyBuf, wire: &Wire) -> Result<Option<S::Value>>
where
    S: Shape<R>,
    S::Value: Cacheable,
{
    let inner = &cache.inner;
    let served = |slot: Slot| inner.is_served(&slot).then(|| slot.into_shared());
    if let Some(ambient) = inner.ambient() {
        return peek_inside::<S, R>(inner, &ambient, &key.to_key(), wire).await;
    }
    if let Some((kind, value)) = inner.memory.peek(key).and_then(served) {
        return Ok(S::read(kind, value));
    }
    let Some(outside) = inner.outside_for(wire) else {
        return Ok(None);
    };
    let key = key.to_key();
    let looked = inner.look(outside, looking(inner, &key, wire)).await;
    if let Some(error) = looked.error {
        return Err(error.during("peek").at(&key));
    }
    let read = |(kind, value)| S::read(kind, value);
    Ok(looked.slot.and_then(served).and_then(read))
}

/// [`peek`] in a scope that keeps changes to itself.
async fn peek_inside<S, R>(
    inner: &Inner,
    ambient: &Ambient,
    key: &Key,
    wire: &Wire,
) -> Result<Option<S::Value>>
where
    S: Shape<R>,
    S::Value: Cacheable,
{
    let read = |slot: Slot| {
        let (kind, value) = slot.into_shared();
        S::read(kind, value)
    };
    let current = |slot: &Slot| inner.is_current(slot);
    if let Some(slot) = ambient.decide(key) {
        return Ok(slot.filter(current).and_then(read));
    }
    let mut base = inner.memory.peek(key).filter(|slot| inner.is_served(slot));
    if let Some(outside) = inner.outside_for(wire).filter(|_| base.is_none()) {
        let looked = inner.look(outside, looking(inner, key, wire)).await;
        if let Some(error) = looked.error {
            return Err(error.during("peek").at(key));
        }
        base = looked.slot;
    }
    Ok(ambient.through(key, base).filter(current).and_then(read))
}
