//! The direct operations without `.await`.

use crate::cache::Cache;
use crate::codec::Portable;
use crate::engine::Cacheable;
use crate::error::{BoxError, Error, Result};
use crate::explain::Explain;
use crate::inspect::Cached;
use crate::key::KeyPart;
use crate::ops::{AcquireLock, GetOrLoad, Increment, Remaining, Set, SetMany};
use crate::policy::IntoSpan;
use crate::rules::{Happened, Happening};
use crate::runtime::block_on;
use crate::selector::Selector;
use crate::transaction::{Mode, Transact, Transaction};

/// The operations of a [`Cache`] for threads: the same names, results instead of futures.
///
/// What has options gives the same builder as the async operation; end it with `wait()`. Waiting parks the thread. With the memory
/// tier no runtime is needed.
///
/// ```
/// let cache = larder::Cache::builder().build()?;
/// let blocking = cache.blocking();
/// blocking.set("n", &1_u64).ttl("1m").wait()?;
/// assert_eq!(blocking.get::<u64>("n")?, Some(1));
/// let n: u64 = blocking.get_or_load("m", || Ok::<_, std::io::Error>(2)).ttl("1m").wait()?;
/// assert_eq!(n, 2);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Blocking<'a>(&'a Cache);

impl Cache {
    /// The same operations for threads.
    #[must_use]
    pub fn blocking(&self) -> Blocking<'_> {
        Blocking(self)
    }
}

macro_rules! blocking {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) -> $output:ty;)*) => {
        impl Blocking<'_> {$(
            #[doc = concat!("[`Cache::", stringify!($name), "`] on this thread.")]
            ///
            /// # Errors
            #[doc = concat!("As [`Cache::", stringify!($name), "`].")]
            pub fn $name(&self, $($arg: $type),*) -> $output {
                block_on(self.0.$name($($arg),*))
            }
        )*}
    };
}

blocking! {
    fn exists(key: impl AsRef<str>) -> Result<bool>;
    fn remaining_ttl(key: impl AsRef<str>) -> Result<Option<Remaining>>;
    fn touch(key: impl AsRef<str>, ttl: impl IntoSpan) -> Result<bool>;
    fn delete(key: impl AsRef<str>) -> Result<bool>;
    fn delete_many(keys: impl IntoIterator<Item = impl AsRef<str>>) -> Result<usize>;
    fn delete_prefix(prefix: impl Into<String>) -> Result<usize>;
    fn delete_pattern(pattern: impl Into<String>) -> Result<usize>;
    fn delete_tags(tags: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()>;
    fn clear() -> Result<()>;
    fn invalidate(selector: Selector) -> Result<usize>;
    fn scan(pattern: impl AsRef<str>) -> Result<Vec<String>>;
    fn explain(key: impl AsRef<str>) -> Result<Explain>;
    fn unlock(name: impl AsRef<str>, owner: u64) -> Result<bool>;
    fn is_locked(name: impl AsRef<str>) -> Result<bool>;
    fn ping() -> Result<()>;
    fn idle() -> ();
    fn close() -> ();
}

impl<'a> Blocking<'a> {
    /// [`Cache::get`] on this thread.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub fn get<V: Cacheable + Portable>(&self, key: impl AsRef<str>) -> Result<Option<V>> {
        block_on(self.0.get(key))
    }

    /// [`Cache::inspect`] on this thread.
    ///
    /// # Errors
    /// As [`Cache::get`].
    pub fn inspect<V: Cacheable + Portable>(
        &self,
        key: impl AsRef<str>,
    ) -> Result<Option<Cached<V>>> {
        block_on(self.0.inspect(key))
    }

    /// [`Cache::get_many`] on this thread.
    ///
    /// # Errors
    /// As [`Cache::get_many`].
    pub fn get_many<V: Cacheable + Portable>(
        &self,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Result<Vec<Option<V>>> {
        block_on(self.0.get_many(keys))
    }

    /// [`Cache::get_or_load`] with a sync source; end it with [`wait`](GetOrLoad::wait).
    pub fn get_or_load<K, L, V, E>(
        &self,
        key: K,
        load: L,
    ) -> GetOrLoad<'a, impl FnOnce() -> std::future::Ready<Result<V, E>> + use<K, L, V, E>>
    where
        K: AsRef<str>,
        L: FnOnce() -> Result<V, E>,
        V: Cacheable + Portable,
        E: Into<BoxError>,
    {
        let key = self.0.full_key(key.as_ref());
        GetOrLoad::new(self.0, key, || std::future::ready(load()), V::wire())
    }

    /// [`Cache::happened`] on this thread.
    ///
    /// # Errors
    /// As [`Cache::happened`].
    pub fn happened<E: Happening>(&self, event: &E) -> Result<Happened> {
        block_on(self.0.happened(event))
    }

    /// [`Cache::happened_named`] on this thread.
    ///
    /// # Errors
    /// As [`Cache::happened`].
    pub fn happened_named<N: AsRef<str>, V: KeyPart>(
        &self,
        name: &str,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Happened> {
        block_on(self.0.happened_named(name, fields))
    }

    /// [`Cache::set`]; end it with [`wait`](Set::wait).
    pub fn set<V>(&self, key: impl AsRef<str>, value: &V) -> Set<'a, V::Owned>
    where
        V: ToOwned + ?Sized,
        V::Owned: Cacheable + Portable,
    {
        self.0.set(key, value)
    }

    /// [`Cache::set_many`]; end it with [`wait`](SetMany::wait).
    pub fn set_many<V: Cacheable + Portable, K: AsRef<str>>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> SetMany<'a, V> {
        self.0.set_many(entries)
    }

    /// [`Cache::transaction`] with a sync closure; end it with [`wait`](Transact::wait).
    pub fn transaction<B, T, E>(
        &self,
        mode: Mode,
        body: B,
    ) -> Transact<'a, impl FnOnce(Transaction) -> std::future::Ready<Result<T, E>> + use<B, T, E>>
    where
        B: FnOnce(Transaction) -> Result<T, E>,
        E: From<Error>,
    {
        Transact::new(self.0, mode, |tx| std::future::ready(body(tx)))
    }

    /// [`Cache::increment`]; end it with [`wait`](Increment::wait).
    pub fn increment(&self, key: impl AsRef<str>, by: i64) -> Increment<'a> {
        self.0.increment(key, by)
    }

    /// [`Cache::lock`]; end it with [`wait`](AcquireLock::wait).
    pub fn lock(&self, name: impl AsRef<str>) -> AcquireLock<'a> {
        self.0.lock(name)
    }
}
