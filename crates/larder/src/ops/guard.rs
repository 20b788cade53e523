//! `guard`: a call behind a guard, without an attribute.

use std::future::{Future, IntoFuture};

use crate::cache::Cache;
use crate::engine::{AsResult, guarded};
use crate::guard::{Circuit, CircuitBreaker, CircuitState, Guard, Refused};
use crate::key::KeyBuf;
use crate::runtime::{BoxFuture, block_on};

/// A call behind a guard, before it is awaited.
#[must_use = "nothing is called before it is awaited, or driven with `wait`"]
pub struct Guarded<'a, L> {
    cache: &'a Cache,
    guard: &'a dyn Guard,
    key: KeyBuf,
    load: L,
}

impl<'a, L> Guarded<'a, L> {
    pub(super) fn new(cache: &'a Cache, guard: &'a dyn Guard, key: KeyBuf, load: L) -> Self {
        Self {
            cache,
            guard,
            key,
            load,
        }
    }

    /// Asks and calls on this thread.
    ///
    /// # Errors
    /// The refusal of the guard, or the source's own error.
    pub fn wait<F, V, E>(self) -> Result<V, E>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        E: From<Refused>,
    {
        block_on(self.run())
    }

    async fn run<F, V, E>(self) -> Result<V, E>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
        E: From<Refused>,
    {
        let Self {
            cache,
            guard,
            key,
            load,
        } = self;
        guarded::<AsResult, Result<V, E>, _, _>(cache, guard, key, |_| true, load).await
    }
}

impl<'a, L, F, V, E> IntoFuture for Guarded<'a, L>
where
    L: FnOnce() -> F + Send + 'a,
    F: Future<Output = Result<V, E>> + Send + 'a,
    V: Send + 'a,
    E: From<Refused> + Send + 'a,
{
    type Output = Result<V, E>;
    type IntoFuture = BoxFuture<'a, Result<V, E>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L> std::fmt::Debug for Guarded<'_, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded")
            .field("guard", &self.guard)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl CircuitBreaker {
    /// What the circuit of this key does with calls now, as this process knows it; closed if no call has asked it.
    ///
    /// The key is the attribute's, with its placeholders filled in. A function without a `key` has its path: `my_crate::mail::send`. A shared circuit may have been turned by another process
    /// since the last call of this one.
    ///
    /// ```
    /// use larder::guard::{CircuitBreaker, CircuitState};
    ///
    /// assert_eq!(CircuitBreaker::state(&larder::cache(), "mail"), CircuitState::Closed);
    /// ```
    #[must_use]
    pub fn state(cache: &Cache, key: impl AsRef<str>) -> CircuitState {
        let inner = &cache.inner;
        let name = cache.guard_key("circuit_breaker", key.as_ref());
        let circuit = inner.states.known::<Circuit>(name.as_str());
        circuit.map_or(CircuitState::Closed, |c| c.state(inner.clock.now()))
    }
}
