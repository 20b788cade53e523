//! The operations on values that stay in this process.

use std::collections::HashMap;
use std::future::Future;

use super::{GetOrLoad, GetOrLoadMany, Set, SetMany};
use crate::cache::Cache;
use crate::codec::Wire;
use crate::engine::Cacheable;
use crate::error::{BoxError, Result};
use crate::middleware::{Action, Outcome};

/// The operations of a [`Cache`] on values that stay in this process, whatever its store: they need no serde traits.
///
/// What is kept so is found only so, and by cached functions that are `local`. Invalidations reach it like everything else.
///
/// ```
/// #[derive(Clone)]
/// struct Connection(u32);
///
/// let cache = larder::Cache::builder().build()?;
/// let local = cache.local();
/// local.set("main", &Connection(7)).ttl("1m").wait()?;
/// assert_eq!(local.get::<Connection>("main")?.map(|c| c.0), Some(7));
/// cache.blocking().delete("main")?;
/// assert!(local.get::<Connection>("main")?.is_none());
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Local<'a>(&'a Cache);

impl Cache {
    /// The operations on values that stay in this process.
    #[must_use]
    pub fn local(&self) -> Local<'_> {
        Local(self)
    }
}

impl<'a> Local<'a> {
    /// The value under a key, if it is there, servable, and a `V`. Waits for nothing.
    ///
    /// # Errors
    /// As [`Cache::get`], without those of stores.
    pub fn get<V: Cacheable>(&self, key: impl AsRef<str>) -> Result<Option<V>> {
        self.read("get", key.as_ref())
    }

    /// The values under several keys, in the order of the keys. Waits for nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_many<V: Cacheable>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<V>>> {
        let read = |key: &str| self.read("get_many", key);
        keys.into_iter().map(|key| read(key.as_ref())).collect()
    }

    fn read<V: Cacheable>(&self, operation: &'static str, key: &str) -> Result<Option<V>> {
        let key = self.0.full_key(key);
        let Some(mut reading) = self.0.reading(operation, Action::Get, &key)? else {
            return Ok(None);
        };
        let found = self.0.read(operation, &key);
        reading.end(Outcome::found(&found));
        found
    }

    /// [`Cache::get_or_load`] for a value that stays in this process.
    pub fn get_or_load<L, F, V, E>(&self, key: impl AsRef<str>, load: L) -> GetOrLoad<'a, L>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        let key = self.0.full_key(key.as_ref());
        GetOrLoad::new(self.0, key, load, Wire::local::<V>())
    }

    /// [`Cache::get_or_load_many`] for values that stay in this process.
    pub fn get_or_load_many<L, F, V, E, K>(
        &self,
        keys: impl IntoIterator<Item = K>,
        load: L,
    ) -> GetOrLoadMany<'a, L>
    where
        L: FnMut(Vec<String>) -> F,
        F: Future<Output = Result<HashMap<String, V>, E>>,
        V: Cacheable,
        E: Into<BoxError>,
        K: AsRef<str>,
    {
        let keys = keys.into_iter().map(|key| key.as_ref().to_owned());
        GetOrLoadMany::new(self.0, keys.collect(), load, Wire::local::<V>())
    }

    /// [`Cache::set`] for a value that stays in this process.
    pub fn set<V>(&self, key: impl AsRef<str>, value: &V) -> Set<'a, V::Owned>
    where
        V: ToOwned + ?Sized,
        V::Owned: Cacheable,
    {
        let key = self.0.full_key(key.as_ref()).to_key();
        Set::new(self.0, key, value.to_owned(), Wire::local::<V::Owned>())
    }

    /// [`Cache::set_many`] for values that stay in this process.
    pub fn set_many<V: Cacheable, K: AsRef<str>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> SetMany<'a, V> {
        let full = |(key, value): (K, V)| (self.0.full_key(key.as_ref()).to_key(), value);
        let entries = entries.into_iter().map(full).collect();
        SetMany::new(self.0, entries, Wire::local::<V>())
    }
}
