//! A value with what is known of how it came.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Cache;
use crate::codec::Portable;
use crate::detect::{Read, Source, detect, detect_async};
use crate::entry::{Cacheable, Remaining};
use crate::error::Result;

/// A value with what is known of how it came: what a handle's `inspect` and [`Cache::inspect`] give.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use larder::{Source, cached};
///
/// #[cached(key = "square:{n}", ttl = "10m")]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// assert_eq!(square::inspect(7).source, Source::Loaded);
/// let hit = square::inspect(7);
/// assert_eq!((hit.value, hit.source, hit.tier.as_deref()), (49, Source::Fresh, Some("memory")));
/// assert!(hit.age.is_some());
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cached<T> {
    /// What the call gave: of a function, what its signature says.
    pub value: T,
    /// Where it came from.
    pub source: Source,
    /// Time since the entry was written; `None` when it came from no entry.
    pub age: Option<Duration>,
    /// What held it: `memory`, or the name of a store; `None` when nothing did.
    pub tier: Option<Arc<str>>,
    /// For how long the entry is kept from now on, be it only for a failing source; `None` when nothing is kept.
    pub remaining: Option<Remaining>,
}

impl<T> Cached<T> {
    fn new(value: T, read: Option<Read>) -> Self {
        match read {
            Some(read) => Self {
                value,
                source: read.source,
                age: read.age,
                tier: read.tier,
                remaining: read.remaining,
            },
            // Past the cache: nobody has read anything.
            None => Self {
                value,
                source: Source::Loaded,
                age: None,
                tier: None,
                remaining: None,
            },
        }
    }

    fn of_call(value: T, reads: &[Read], function: &str) -> Self {
        // What its source has read has been told before.
        let own = |read: &Read| read.function == Some(function);
        Self::new(value, reads.iter().rfind(|read| own(read)).cloned())
    }

    /// The same for a part of the value, or for what is made of it.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Cached<U> {
        Cached {
            value: change(self.value),
            source: self.source,
            age: self.age,
            tier: self.tier,
            remaining: self.remaining,
        }
    }
}

/// Runs a call of a cached function, by its path, and tells how its value came.
pub async fn inspect<F: Future>(function: &str, call: F) -> Cached<F::Output> {
    let (value, reads) = detect_async(call).await;
    Cached::of_call(value, &reads, function)
}

/// [`inspect`] on this thread.
pub fn inspect_sync<R>(function: &str, call: impl FnOnce() -> R) -> Cached<R> {
    let (value, reads) = detect(call);
    Cached::of_call(value, &reads, function)
}

impl Cache {
    /// [`get`](Self::get), with what is known of the entry.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn inspect<V: Cacheable + Portable>(
        &self,
        key: impl AsRef<str>,
    ) -> Result<Option<Cached<V>>> {
        let (found, reads) = detect_async(self.get(key)).await;
        Ok(found?.map(|value| Cached::new(value, reads.last().cloned())))
    }
}
