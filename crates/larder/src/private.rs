//! What the attributes expand to. Not for people: no promise holds here between releases.

use std::future::Future;

#[cfg(feature = "stream")]
pub use crate::engine::collected_stream;
pub use crate::engine::{
    Answer, AsFound, AskedFor, Asking, EntryOf, Limits, Overdue, Taped, collected, decide, picked,
    planned, settling,
};
pub use crate::engine::{
    ArcTarget, Arced, AsOption, AsPlain, AsResult, Cacheable, Hit, IntoTags, IsResult, KeptError,
    Mode, NotRefusing, NotResult, NotShared, Nullable, Plan, RefusalOf, Settle, Shape, Share,
    SharingOf, Site, Ticket, fill, fill_behind, fill_sync, fill_sync_behind, filtered,
    filtered_sync, guarded, guarded_sync, hit,
};

pub use crate::guard::{
    AnswerByRefusal, AnswerWithoutRefusal, Answers, AnswersOf, answers_of_value, carries, says_no,
    says_yes,
};

pub use crate::codec::{NotPortable, WireOf};
pub use crate::entry::{Kind, Value};
pub use crate::inspect::{inspect, inspect_sync};
pub use crate::key::private::*;
pub use crate::loaded::{unoffered, unoffered_sync};
pub use crate::policy::{Knobs, Lit};

pub use crate::background::beat::{Beat, BeatKnobs};
pub use crate::background::keeper::Told;
pub use crate::background::writer::{Writes, start, status, stop, turn};
pub use crate::codec::Wire;
pub use crate::ops::{OneByOne, Step, Together};
pub use crate::transaction::{
    TransactionKnobs, TransactionTerms, transactional, transactional_always,
    transactional_always_sync, transactional_sync,
};

use crate::cache::Cache;
use crate::error::Result;
use crate::explain::Explain;
use crate::key::Key;
use crate::runtime::block_on;
use crate::selector::Selector;

/// How an error of this shape is shared: `Some` when it can be cloned.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_error_cloner {
    ($shape:ty, $output:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::NotShared as _;
        // By one reference, at which the inherent method is found first; one more, and the trait's would be.
        let sharing = &$crate::__private::SharingOf::<
            <$shape as $crate::__private::Shape<$output>>::Error,
        >::new();
        sharing.share()
    }};
}

/// How a function that returns a `Result` answers without a call.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_answers {
    ($output:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::{AnswerByRefusal as _, AnswerWithoutRefusal as _};
        // By one reference, at which the inherent method is found first, then the first trait's; one more, and the second's.
        (&$crate::__private::AnswersOf::<$output>::new()).answers()
    }};
}

pub use crate::__larder_answers as answers;
/// How a refusal becomes an error of this shape: `Some` when it can.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_refusal {
    ($shape:ty, $output:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::NotRefusing as _;
        // As above: the inherent method is found first.
        let refusal = &$crate::__private::RefusalOf::<
            <$shape as $crate::__private::Shape<$output>>::Error,
        >::new();
        refusal.carry()
    }};
}

pub use crate::__larder_error_cloner as error_cloner;
pub use crate::__larder_refusal as refusal;
pub use crate::__larder_wire as wire;

/// A cache by value, by reference or behind any pointer to one.
#[diagnostic::on_unimplemented(
    message = "`cache = ..` needs a `larder::Cache`, and this is a `{Self}`",
    note = "name a field (`self.cache`), a static, or a call that gives a `Cache`"
)]
pub trait AsCache {
    #[doc(hidden)]
    fn as_cache(&self) -> &Cache;
}

impl AsCache for Cache {
    #[inline]
    fn as_cache(&self) -> &Cache {
        self
    }
}

impl<T: AsCache + ?Sized> AsCache for &T {
    #[inline]
    fn as_cache(&self) -> &Cache {
        (**self).as_cache()
    }
}

impl<T: AsCache + ?Sized> AsCache for &mut T {
    #[inline]
    fn as_cache(&self) -> &Cache {
        (**self).as_cache()
    }
}

impl<T: AsCache + ?Sized> AsCache for std::sync::Arc<T> {
    #[inline]
    fn as_cache(&self) -> &Cache {
        (**self).as_cache()
    }
}

impl<T: AsCache + ?Sized> AsCache for Box<T> {
    #[inline]
    fn as_cache(&self) -> &Cache {
        (**self).as_cache()
    }
}

impl<T: AsCache, F: FnOnce() -> T> AsCache for std::sync::LazyLock<T, F> {
    #[inline]
    fn as_cache(&self) -> &Cache {
        (**self).as_cache()
    }
}

/// The cache that an attribute names.
#[inline]
pub fn as_cache<C: AsCache + ?Sized>(cache: &C) -> &Cache {
    cache.as_cache()
}

/// The default cache; a scope's stand-in is kept alive by the caller's own binding.
#[inline]
#[must_use]
pub fn default_cache() -> DefaultCache {
    if crate::scope::any_open()
        && let Some(cache) = crate::scope::current().and_then(|s| s.cache.clone())
    {
        return DefaultCache(Some(cache));
    }
    DefaultCache(None)
}

/// The default cache, or what stands in for it in this scope.
#[derive(Debug)]
pub struct DefaultCache(Option<Cache>);

impl std::ops::Deref for DefaultCache {
    type Target = Cache;

    #[inline]
    fn deref(&self) -> &Cache {
        match &self.0 {
            Some(cache) => cache,
            None => crate::cache::process_default(),
        }
    }
}

impl KeyBuf {
    /// An empty key of a cache: its prefix, then the version's.
    #[inline]
    #[must_use]
    pub fn of(cache: &Cache, version: u32) -> Self {
        Self::with_prefix(cache.prefix(), version)
    }

    /// The key under which a cache keeps this one: behind its middleware, then behind its prefix.
    ///
    /// After the rendering, because a text that begins at a place known to the compiler is put together in fewer steps.
    #[inline(always)]
    #[must_use]
    pub fn within(self, cache: &Cache) -> Self {
        if cache.is_bare() {
            self
        } else {
            kept(cache, self)
        }
    }
}

#[cold]
#[inline(never)]
fn kept(cache: &Cache, key: KeyBuf) -> KeyBuf {
    cache.kept(key)
}

/// Drives a future of the direct API on this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    block_on(future)
}

/// The handle's `peek`: what is stored and servable, without counting as a use and without loading.
pub async fn peek<S, R>(cache: &Cache, key: KeyBuf, wire: Wire) -> Result<Option<S::Value>>
where
    S: Shape<R>,
    S::Value: Cacheable,
{
    cache.inner.open("peek")?;
    crate::ops::peek::<S, R>(cache, &key, &wire).await
}

/// The handle's `put`: stores a value under the attribute's policy and tags from arguments.
pub async fn put<S, R>(
    cache: &Cache,
    site: &'static Site,
    key: KeyBuf,
    prepare: impl FnOnce(&mut Plan<S::Error>),
    settle: impl FnOnce(&mut Settle<'_, S::Value, S::Error>),
    value: S::Value,
) -> Result<()>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    cache.inner.open("put")?;
    crate::engine::put::<S, R>(&cache.inner, site, key, prepare, settle, value).await
}

/// The handle's `invalidate`; whether there was a live entry.
pub async fn invalidate(cache: &Cache, key: KeyBuf) -> Result<bool> {
    cache.inner.open("invalidate")?;
    cache.inner.forget_key(&key).await
}

/// The handle's `invalidate_many`; how many live entries there were.
pub async fn invalidate_many(cache: &Cache, keys: Vec<KeyBuf>) -> Result<usize> {
    cache.inner.open("invalidate_many")?;
    let keys = keys.iter().map(KeyBuf::to_key);
    cache.inner.forget_full(keys.collect()).await
}

/// The handle's `explain`.
pub async fn explain(cache: &Cache, key: KeyBuf) -> Result<Explain> {
    cache.inner.open("explain")?;
    crate::explain::explain(cache, &key).await
}

/// The state of a key part that an invalidation edge has not given yet.
#[derive(Clone, Copy, Debug)]
pub struct Missing;

/// A key part that was given.
#[diagnostic::on_unimplemented(
    message = "this invalidation edge lacks a part of the key",
    label = "give every argument that the key uses: `f(arg = value, ..)`",
    note = "to forget many entries at once use `prefix = ..`, `pattern = ..` or `tags = ..`"
)]
pub trait Given<'a, T: ?Sized> {
    #[doc(hidden)]
    fn given(self) -> &'a T;
}

impl<'a, T: ?Sized> Given<'a, T> for &'a T {
    fn given(self) -> &'a T {
        self
    }
}

/// What `#[invalidates]` forgets: entries of one cache.
#[derive(Debug)]
pub struct Target {
    cache: Cache,
    what: What,
}

#[derive(Debug)]
enum What {
    Full(KeyBuf),
    Selected(Selector),
}

impl Target {
    /// A full key, as a handle renders it.
    #[must_use]
    pub fn key(cache: &Cache, key: KeyBuf) -> Self {
        Self {
            cache: cache.clone(),
            what: What::Full(key),
        }
    }

    fn selected(cache: &Cache, selector: Selector) -> Self {
        Self {
            cache: cache.clone(),
            what: What::Selected(cache.meant(selector)),
        }
    }

    /// A key as the user writes it, without the cache's prefix.
    pub fn keys(cache: &Cache, key: impl Into<Key>) -> Self {
        Self::selected(cache, Selector::Keys(vec![key.into()]))
    }

    /// All keys that begin so.
    pub fn prefix(cache: &Cache, prefix: impl Into<String>) -> Self {
        Self::selected(cache, Selector::Prefix(prefix.into()))
    }

    /// All keys that match.
    pub fn pattern(cache: &Cache, pattern: impl Into<String>) -> Self {
        Self::selected(cache, Selector::Pattern(pattern.into()))
    }

    /// All entries under a tag.
    pub fn tag(cache: &Cache, tag: impl Into<Key>) -> Self {
        Self::selected(cache, Selector::Tags(vec![tag.into()]))
    }

    /// The whole cache.
    #[must_use]
    pub fn all(cache: &Cache) -> Self {
        Self::selected(cache, Selector::All)
    }

    /// What the store says is told by an event: the function has succeeded whatever the cache does.
    async fn forget(&self) {
        let inner = &self.cache.inner;
        match &self.what {
            What::Full(key) => drop(inner.forget_key(key).await),
            What::Selected(selector) => drop(inner.forget(selector).await),
        }
    }
}

/// Forgets all targets.
pub async fn forget(targets: &[Target]) {
    for target in targets {
        target.forget().await;
    }
}

/// Forgets all targets.
pub fn forget_sync(targets: &[Target]) {
    block_on(forget(targets));
}

/// Arguments that one of two closures takes: the load, or the reload behind.
#[derive(Debug)]
pub struct Parcel<T>(parking_lot::Mutex<Option<T>>);

impl<T> Parcel<T> {
    /// Keeps the arguments.
    #[must_use]
    pub fn new(arguments: T) -> Self {
        Self(parking_lot::Mutex::new(Some(arguments)))
    }

    /// The arguments, once.
    #[must_use]
    pub fn open(&self) -> T {
        let arguments = self.0.lock().take();
        arguments.expect("larder: a function loads or reloads, never both in one call")
    }
}
