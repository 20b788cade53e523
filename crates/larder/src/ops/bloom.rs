//! What is done with a Bloom filter on a cache, without a call.

use std::fmt;
use std::future::IntoFuture;

use crate::cache::Cache;
use crate::error::Result;
use crate::guard::{Bloom, Filter, Said};
use crate::key::KeyBuf;
use crate::runtime::{BoxFuture, block_on};

mod handle;

pub use handle::{AsyncBloom, SyncBloom};

impl Bloom {
    /// Adds a key; whether the filter has changed by it. `false` says that it, or others that look like it, was there.
    pub fn add<'a>(&'a self, cache: &'a Cache, key: impl AsRef<str>) -> BloomCall<'a, bool> {
        self.add_to(cache, self.own_name(), KeyBuf::from_text(key.as_ref()))
    }

    /// Adds keys, a thousand in each round trip.
    ///
    /// # Cancellation
    /// Some of the keys may have been added.
    pub fn add_many<'a>(
        &'a self,
        cache: &'a Cache,
        keys: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> BloomCall<'a, ()> {
        let keys = keys.into_iter();
        let keys = keys.map(|key| KeyBuf::from_text(key.as_ref())).collect();
        self.add_many_to(cache, self.own_name(), keys)
    }

    /// Whether a key may have been added: `false` is certain. Everything may have been added to a filter that is not [`ready`](Self::ready).
    pub fn may_contain<'a>(
        &'a self,
        cache: &'a Cache,
        key: impl AsRef<str>,
    ) -> BloomCall<'a, bool> {
        self.may_contain_in(cache, self.own_name(), KeyBuf::from_text(key.as_ref()))
    }

    /// Says that all keys there are have been added: from now on others are ruled out.
    ///
    /// An error of the kind [`Store`](crate::ErrorKind::Store) if the filter was lost since this process added the first of them: add everything again.
    pub fn ready<'a>(&'a self, cache: &'a Cache) -> BloomCall<'a, ()> {
        self.ready_in(cache, self.own_name())
    }

    /// Forgets all keys; the filter is not ready then. Whether there was anything to forget.
    pub fn reset<'a>(&'a self, cache: &'a Cache) -> BloomCall<'a, bool> {
        self.reset_in(cache, self.own_name())
    }

    fn open<'a>(&self, cache: &'a Cache, name: &KeyBuf) -> Result<Filter<'a>> {
        cache.inner.open("bloom")?;
        self.filter(&*cache.inner, cache.prefix(), name)
    }
}

/// What the attribute calls, with the function's path as the filter's name.
#[doc(hidden)]
impl Bloom {
    pub fn add_to<'a>(
        &'a self,
        cache: &'a Cache,
        name: KeyBuf,
        key: KeyBuf,
    ) -> BloomCall<'a, bool> {
        BloomCall(Box::pin(async move {
            let filter = self.open(cache, &name)?;
            filter.add(&key).await
        }))
    }

    pub fn add_many_to<'a>(
        &'a self,
        cache: &'a Cache,
        name: KeyBuf,
        keys: Vec<KeyBuf>,
    ) -> BloomCall<'a, ()> {
        BloomCall(Box::pin(async move {
            self.open(cache, &name)?.add_many(&keys).await
        }))
    }

    pub fn may_contain_in<'a>(
        &'a self,
        cache: &'a Cache,
        name: KeyBuf,
        key: KeyBuf,
    ) -> BloomCall<'a, bool> {
        BloomCall(Box::pin(async move {
            let filter = self.open(cache, &name)?;
            Ok(filter.ask(key.as_str()).await? != Said::No)
        }))
    }

    pub fn ready_in<'a>(&'a self, cache: &'a Cache, name: KeyBuf) -> BloomCall<'a, ()> {
        BloomCall(Box::pin(
            async move { self.open(cache, &name)?.ready().await },
        ))
    }

    pub fn reset_in<'a>(&'a self, cache: &'a Cache, name: KeyBuf) -> BloomCall<'a, bool> {
        BloomCall(Box::pin(
            async move { self.open(cache, &name)?.reset().await },
        ))
    }
}

/// An operation on a filter, before it is awaited.
#[must_use = "nothing is done before it is awaited, or driven with `wait`"]
pub struct BloomCall<'a, T>(BoxFuture<'a, Result<T>>);

impl<T> BloomCall<'_, T> {
    /// Does it on this thread.
    ///
    /// # Errors
    /// What the store says; [`ErrorKind::Unsupported`](crate::ErrorKind) when it keeps no bits, [`ErrorKind::InvalidPolicy`](crate::ErrorKind) for a size that cannot be.
    pub fn wait(self) -> Result<T> {
        block_on(self.0)
    }
}

impl<'a, T> IntoFuture for BloomCall<'a, T> {
    type Output = Result<T>;
    type IntoFuture = BoxFuture<'a, Result<T>>;

    fn into_future(self) -> Self::IntoFuture {
        self.0
    }
}

impl<T> fmt::Debug for BloomCall<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BloomCall").finish_non_exhaustive()
    }
}
