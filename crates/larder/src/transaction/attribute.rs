//! What `#[transactional]` expands to.

use std::future::Future;
use std::time::Duration;

use super::run::Begun;
use super::{LIMIT, LONGEST, Mode, limit};
use crate::cache::Cache;
use crate::engine::Shape;
use crate::error::Error;
use crate::policy::{Fault, IntoSpan, Lit, Span};
use crate::runtime::block_on;

/// The knobs of `#[transactional]`, evaluated by the compiler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct TransactionKnobs(TransactionTerms);

/// What `#[transactional]` says.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct TransactionTerms {
    mode: Mode,
    limit: Result<Span, Fault>,
}

#[doc(hidden)]
#[allow(clippy::new_without_default)]
impl TransactionKnobs {
    #[must_use]
    pub const fn new() -> Self {
        Self(TransactionTerms {
            mode: Mode::Fast,
            limit: Ok(LIMIT),
        })
    }

    #[track_caller]
    #[must_use]
    pub const fn mode(mut self, value: Lit) -> Self {
        self.0.mode = match value {
            Lit::Text(word) => match Mode::of(word) {
                Some(mode) => mode,
                None => panic!("`mode` is \"fast\", \"locked\" or \"serializable\""),
            },
            _ => panic!("`mode` is \"fast\", \"locked\" or \"serializable\""),
        };
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn timeout(mut self, value: Lit) -> Self {
        let nanos = value.finite();
        assert!(
            nanos <= LONGEST.0,
            "`timeout` is at most a day: locks are held as long"
        );
        self.0.limit = Ok(Span(nanos));
        self
    }

    #[must_use]
    pub const fn finish(self) -> TransactionTerms {
        self.0
    }
}

#[doc(hidden)]
impl TransactionTerms {
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    #[must_use]
    pub fn timeout(mut self, span: impl IntoSpan) -> Self {
        self.limit = span.into_span();
        self
    }
}

/// An error that can say why a transaction was not committed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot say why a transaction was not committed",
    label = "a commit that fails is an error of this type",
    note = "add `impl From<larder::Error> for {Self}` (with thiserror: a variant `Cache(#[from] larder::Error)`)"
)]
pub trait CarriesError {
    #[doc(hidden)]
    fn carry(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Error>> CarriesError for E {
    fn carry(error: Error) -> Self {
        Self::from(error)
    }
}

/// Brings the two kinds of errors together for the end of a transaction.
struct Carried<E>(E);

impl<E: CarriesError> From<Error> for Carried<E> {
    fn from(error: Error) -> Self {
        Self(E::carry(error))
    }
}

/// Runs the body of a function that can fail in a transaction. In a cache that is closed there is none to keep.
pub async fn transactional<S, R, L, F>(cache: &Cache, terms: TransactionTerms, load: L) -> R
where
    S: Shape<R>,
    S::Error: CarriesError,
    L: FnOnce() -> F,
    F: Future<Output = R>,
{
    if cache.inner.open("transaction").is_err() {
        return load().await;
    }
    let fail = |error| S::error(S::Error::carry(error));
    let limit = match limit(terms.limit) {
        Ok(limit) => limit,
        Err(error) => return fail(error),
    };
    let begun = match Begun::new(cache, terms.mode, limit).await {
        Ok(begun) => begun,
        Err(error) => return fail(error),
    };
    let output = begun.run(async move { load().await }).await;
    let output = output.map(|output| S::split(output).map_err(Carried));
    match begun.end(output).await {
        Ok(value) => S::value(value),
        Err(Carried(error)) => S::error(error),
    }
}

/// [`transactional`] with a sync body, on this thread.
pub fn transactional_sync<S, R, L>(cache: &Cache, terms: TransactionTerms, load: L) -> R
where
    S: Shape<R>,
    S::Error: CarriesError,
    L: FnOnce() -> R,
{
    let load = || async { load() };
    block_on(transactional::<S, R, _, _>(cache, terms, load))
}

/// Runs the body of a function that cannot fail in a transaction, and commits it. What goes wrong then is told by events alone.
pub async fn transactional_always<R, L, F>(cache: &Cache, _: TransactionTerms, load: L) -> R
where
    L: FnOnce() -> F,
    F: Future<Output = R>,
{
    if cache.inner.open("transaction").is_err() {
        return load().await;
    }
    // Nobody could be told that it took too long.
    let limit = Duration::from_nanos(LONGEST.0);
    let begun = Begun::new(cache, Mode::Fast, limit).await;
    let Ok(begun) = begun else {
        return load().await;
    };
    let output = begun.run_to_the_end(async move { load().await }).await;
    drop(begun.commit().await);
    output
}

/// [`transactional_always`] with a sync body, on this thread.
pub fn transactional_always_sync<R, L>(cache: &Cache, terms: TransactionTerms, load: L) -> R
where
    L: FnOnce() -> R,
{
    let load = || async { load() };
    block_on(transactional_always(cache, terms, load))
}
