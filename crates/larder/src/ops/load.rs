//! `get_or_load`.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::increment::policy_knobs;
use crate::cache::Cache;
use crate::engine::{AsResult, Cacheable, DIRECT, Hit, Mode, Plan, Share, fill, hit, refused};
use crate::error::{BoxError, Error, Result};
use crate::key::{Key, KeyBuf};
use crate::policy::{Fault, IntoSpan, Policy};
use crate::runtime::{BoxFuture, block_on};

/// A read with a load behind it, before it is awaited.
#[must_use = "nothing is read before it is awaited, or driven with `wait`"]
pub struct GetOrLoad<'a, L> {
    cache: &'a Cache,
    key: KeyBuf,
    load: L,
    policy: Policy,
    tags: Vec<Key>,
}

impl<'a, L> GetOrLoad<'a, L> {
    pub(crate) fn new(cache: &'a Cache, key: KeyBuf, load: L) -> Self {
        Self {
            cache,
            key,
            load,
            policy: Policy::new(),
            tags: Vec::new(),
        }
    }

    policy_knobs!();

    /// For how long a kept value stands in when the source fails. See [`Policy::fail_safe`](crate::Policy::fail_safe).
    pub fn fail_safe(mut self, span: impl IntoSpan) -> Self {
        self.policy = self.policy.fail_safe(span);
        self
    }

    /// How long to wait for another's load. See [`Policy::wait`](crate::Policy::wait).
    pub fn wait_at_most(mut self, span: impl IntoSpan) -> Self {
        self.policy = self.policy.wait(span);
        self
    }

    /// Tags to forget it by.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.tags
            .extend(tags.into_iter().map(|t| Key::from(t.as_ref())));
        self
    }

    /// The hit, or what else it takes.
    fn start<V: Cacheable>(self) -> Result<Result<V, Self>> {
        let inner = &self.cache.inner;
        inner.open("get_or_load")?;
        let policy = self.policy.or(&inner.defaults);
        if let Some(fault) = policy.fault() {
            return Err(refused("get_or_load", &self.key.to_key(), fault));
        }
        if policy.ttl.is_none() {
            return Err(refused("get_or_load", &self.key.to_key(), Fault::NoTtl));
        }
        match hit::<AsResult, Result<V>>(self.cache, &DIRECT, &self.key) {
            Hit::Value(value) | Hit::Refresh(value, _) => value.map(Ok),
            Hit::Miss => Ok(Err(self)),
        }
    }

    async fn miss<F, V, E>(self) -> Result<V>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        let Self {
            cache,
            key,
            load,
            policy,
            tags,
        } = self;
        let text = key.to_key();
        fill::<AsResult, Result<V>, _, _, _, _>(
            cache,
            &DIRECT,
            key,
            Mode::Foreground,
            |plan: &mut Plan<Error>| {
                plan.policy(policy);
                tags.into_iter().for_each(|tag| plan.tag(tag));
                plan.share_errors(Some(Share::by_clone()));
            },
            || async move {
                let loaded = load().await;
                loaded.map_err(|e| Error::from_source("get_or_load", &text, e.into()))
            },
            |_| {},
        )
        .await
    }

    /// Reads on this thread, and loads on it if need be.
    ///
    /// # Errors
    /// See [`Cache::get_or_load`].
    pub fn wait<F, V, E>(self) -> Result<V>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        match self.start()? {
            Ok(value) => Ok(value),
            Err(missed) => block_on(missed.miss()),
        }
    }
}

impl<'a, L, F, V, E> IntoFuture for GetOrLoad<'a, L>
where
    L: FnOnce() -> F + Send + 'a,
    F: Future<Output = Result<V, E>> + Send + 'a,
    V: Cacheable,
    E: Into<BoxError> + 'a,
{
    type Output = Result<V>;
    type IntoFuture = Loading<'a, V>;

    fn into_future(self) -> Self::IntoFuture {
        Loading(match self.start() {
            Ok(Ok(value)) => State::Hit(Some(Ok(value))),
            Err(error) => State::Hit(Some(Err(error))),
            Ok(Err(missed)) => State::Miss(Box::pin(missed.miss())),
        })
    }
}

/// The future of [`Cache::get_or_load`]; a hit allocates nothing.
///
/// Dropping it drops the load if this call leads it; one of those who wait takes over.
pub struct Loading<'a, V>(State<'a, V>);

enum State<'a, V> {
    Hit(Option<Result<V>>),
    Miss(BoxFuture<'a, Result<V>>),
}

// Nothing in it is pinned but what is behind a box.
impl<V> Unpin for Loading<'_, V> {}

impl<V> Future for Loading<'_, V> {
    type Output = Result<V>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<V>> {
        match &mut self.0 {
            State::Hit(value) => Poll::Ready(value.take().expect("polled after it was ready")),
            State::Miss(loading) => loading.as_mut().poll(context),
        }
    }
}

impl<V> fmt::Debug for Loading<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loading").finish_non_exhaustive()
    }
}

impl<L> fmt::Debug for GetOrLoad<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrLoad")
            .field("key", &self.key.as_str())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
