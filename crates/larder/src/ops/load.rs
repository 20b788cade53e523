//! `get_or_load`.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::increment::policy_knobs;
use crate::cache::Cache;
use crate::codec::Wire;
use crate::engine::{
    AsResult, Cacheable, Hit, LOADING, Mode, Plan, Share, Ticket, count_look, fill_behind, hit,
    refused,
};
use crate::error::{BoxError, Error, Result};
use crate::key::{Key, KeyBuf};
use crate::policy::{Fault, IntoEarly, IntoSpan, Policy};
use crate::runtime::{BoxFuture, block_on};
use crate::scope::{Overrides, Scope, scope};
use parking_lot::Mutex;

/// A read with a load behind it, before it is awaited.
#[must_use = "nothing is read before it is awaited, or driven with `wait`"]
pub struct GetOrLoad<'a, L> {
    cache: &'a Cache,
    key: KeyBuf,
    load: L,
    policy: Policy,
    tags: Vec<Key>,
    wire: Wire,
    strict: bool,
    overrides: Overrides,
    /// How to reload behind, for a source that can be sent away.
    behind: Option<fn(Self, Ticket)>,
}

/// What a look gave.
enum Started<V, S> {
    Hit(V),
    Miss(S, Mode, Option<V>),
}

impl<'a, L> GetOrLoad<'a, L> {
    pub(crate) fn new(cache: &'a Cache, key: KeyBuf, load: L, wire: Wire) -> Self {
        Self {
            cache,
            key,
            load,
            policy: Policy::new(),
            tags: Vec::new(),
            wire,
            strict: false,
            overrides: Overrides::default(),
            behind: None,
        }
    }

    policy_knobs!();

    /// For how long past its ttl the value is still served while it is reloaded behind. See [`Policy::stale`](crate::Policy::stale).
    ///
    /// For a source that owns what it needs. With a source that borrows, give `stale` in a [`policy`](Self::policy): then one of the callers reloads
    /// within its own call, and all others are served at once.
    pub fn stale<F, V, E>(self, span: impl IntoSpan) -> Self
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
        V: Cacheable,
        E: Into<BoxError> + 'static,
    {
        let policy = self.policy.stale(span);
        self.reloaded_behind(policy)
    }

    /// From which age on the value is reloaded behind. See [`Policy::early`](crate::Policy::early), and [`stale`](Self::stale) for the source.
    pub fn early<F, V, E>(self, when: impl IntoEarly) -> Self
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
        V: Cacheable,
        E: Into<BoxError> + 'static,
    {
        let policy = self.policy.early(when);
        self.reloaded_behind(policy)
    }

    /// How long to wait for the load while a kept value could stand in; then the load finishes behind. See [`Policy::timeout`](crate::Policy::timeout), and
    /// [`stale`](Self::stale) for the source.
    pub fn timeout<F, V, E>(self, span: impl IntoSpan) -> Self
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
        V: Cacheable,
        E: Into<BoxError> + 'static,
    {
        let policy = self.policy.timeout(span);
        self.reloaded_behind(policy)
    }

    /// How long to wait for the load at all; then the call is given the kept entry, or fails with [`ErrorKind::Refused`](crate::ErrorKind). See
    /// [`Policy::hard_timeout`](crate::Policy::hard_timeout).
    ///
    /// A source that owns what it needs (see [`stale`](Self::stale)) finishes behind, any other is dropped. A sync one that borrows cannot be left.
    pub fn hard_timeout(mut self, span: impl IntoSpan) -> Self {
        self.policy = self.policy.hard_timeout(span);
        self
    }

    fn reloaded_behind<F, V, E>(self, policy: Policy) -> Self
    where
        L: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<V, E>> + Send + 'static,
        V: Cacheable,
        E: Into<BoxError> + 'static,
    {
        Self {
            policy,
            behind: Some(|this, ticket| {
                let Self {
                    key,
                    load,
                    policy,
                    tags,
                    wire,
                    ..
                } = this;
                ticket.run(move |cache, mode| async move {
                    let reload = GetOrLoad {
                        cache: &cache,
                        key,
                        load,
                        policy,
                        tags,
                        wire,
                        strict: false,
                        overrides: Overrides::default(),
                        behind: None,
                    };
                    reload.miss(mode).await
                });
            }),
            ..self
        }
    }

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

    /// A store that fails is an error, not a miss.
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Serves nothing that is overdue for longer than this. See [`Scope::max_stale`](crate::Scope::max_stale).
    pub fn max_stale(mut self, span: impl IntoSpan) -> Self {
        self.overrides.set_max_stale(span);
        self
    }

    /// Serves a fresh value only, and loads for anything else. See [`Scope::require_fresh`](crate::Scope::require_fresh).
    pub fn require_fresh(mut self) -> Self {
        self.overrides.max_stale = Some(0);
        self
    }

    /// The scope that its overrides ask for.
    fn scope(&mut self) -> Option<Scope> {
        let overrides = std::mem::take(&mut self.overrides);
        (!overrides.say_nothing()).then(|| scope().overriding(overrides))
    }

    async fn run<F, V, E>(self) -> Result<V>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        match self.start()? {
            Started::Hit(value) => Ok(value),
            Started::Miss(missed, mode, stale) => missed.load(mode, stale).await,
        }
    }

    /// The hit, or what else it takes.
    fn start<V: Cacheable>(self) -> Result<Started<V, Self>> {
        let inner = &self.cache.inner;
        inner.open("get_or_load")?;
        let policy = self.policy.or(&inner.defaults);
        if let Some(fault) = policy.fault() {
            return Err(refused("get_or_load", &self.key.to_key(), fault));
        }
        if policy.ttl.is_none() {
            return Err(refused("get_or_load", &self.key.to_key(), Fault::NoTtl));
        }
        let looked = hit::<AsResult, Result<V>>(self.cache, &LOADING, &self.key);
        // Middleware is asked before anything is read: there the fill looks, and counts.
        if inner.middleware.is_empty() {
            count_look(inner, &LOADING, &self.key, Some(&looked));
        }
        Ok(match looked {
            Hit::Value(value) => Started::Hit(value?),
            Hit::Refresh(value, ticket) => match self.behind {
                Some(behind) => {
                    behind(self, ticket);
                    Started::Hit(value?)
                }
                None => Started::Miss(self, ticket.claim(), Some(value?)),
            },
            Hit::Miss => Started::Miss(self, Mode::Foreground, None),
        })
    }

    /// Loads; a stale value stands in when that fails.
    async fn load<F, V, E>(self, mode: Mode, stale: Option<V>) -> Result<V>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        match (self.miss(mode).await, stale) {
            (Err(_), Some(stale)) => Ok(stale),
            (loaded, _) => loaded,
        }
    }

    async fn miss<F, V, E>(self, mode: Mode) -> Result<V>
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
            wire,
            strict,
            behind,
            ..
        } = self;
        let text = key.to_key();
        // Whoever of the two comes first takes the source: the load, or the reload behind.
        let source = Mutex::new(Some((load, tags.clone())));
        let mut claimed = None;
        let found = fill_behind::<AsResult, Result<V>, _, _, _, _, _>(
            cache,
            &LOADING,
            key.clone(),
            mode,
            |plan: &mut Plan<Error>| {
                plan.policy(policy);
                plan.wire(wire);
                if wire.is_local() {
                    plan.local();
                }
                tags.into_iter().for_each(|tag| plan.tag(tag));
                plan.share_errors(Some(Share::by_clone()));
                if strict || cache.inner.is_strict {
                    plan.strict();
                }
                plan.refuse_late();
                if behind.is_none() {
                    plan.borrows();
                }
            },
            || async {
                let (load, _) = source.lock().take().expect("a source is asked once");
                let loaded = load().await;
                loaded.map_err(|e| Error::from_source("get_or_load", &text, e.into()))
            },
            |_| {},
            |ticket| {
                let Some((load, tags)) = source.lock().take() else {
                    return;
                };
                let reload = Self {
                    cache,
                    key,
                    load,
                    policy,
                    tags,
                    wire,
                    strict: false,
                    overrides: Overrides::default(),
                    behind: None,
                };
                match behind {
                    Some(behind) => behind(reload, ticket),
                    None => claimed = Some((reload, ticket)),
                }
            },
        )
        .await;
        match claimed {
            // A source that borrows cannot be sent away: this caller reloads within its own call.
            Some((reload, ticket)) => Box::pin(reload.miss(ticket.claim())).await.or(found),
            None => found,
        }
    }

    /// Reads on this thread, and loads on it if need be.
    ///
    /// # Errors
    /// See [`Cache::get_or_load`].
    pub fn wait<F, V, E>(mut self) -> Result<V>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        if let Some(scope) = self.scope() {
            return scope.run(|| block_on(self.run()));
        }
        match self.start()? {
            Started::Hit(value) => Ok(value),
            Started::Miss(missed, mode, stale) => block_on(missed.load(mode, stale)),
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

    fn into_future(mut self) -> Self::IntoFuture {
        if let Some(scope) = self.scope() {
            return Loading(State::Miss(Box::pin(scope.wrap(self.run()))));
        }
        Loading(match self.start() {
            Ok(Started::Hit(value)) => State::Hit(Some(Ok(value))),
            Err(error) => State::Hit(Some(Err(error))),
            Ok(Started::Miss(missed, mode, stale)) => {
                State::Miss(Box::pin(missed.load(mode, stale)))
            }
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
