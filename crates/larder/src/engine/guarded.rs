//! A call of a source behind a guard.

use std::future::Future;
use std::sync::Arc;

use super::{Shape, within};
use crate::cache::Cache;
use crate::event::Event;
use crate::guard::{Asking, CarriesRefusal, Ground, Guard, Outcome, Refused, mark};
use crate::key::KeyBuf;
use crate::runtime::block_on;
use crate::stats::Counter;

/// Asks a guard and, if it lets the call through, calls the source.
///
/// `counts` says of an error whether it is a failure to the guard.
///
/// # Cancellation
/// Dropping the future drops the source; the guard is told so.
pub async fn guarded<S, R, L, F>(
    cache: &Cache,
    guard: &dyn Guard,
    key: KeyBuf,
    counts: impl FnOnce(&S::Error) -> bool,
    load: L,
) -> R
where
    S: Shape<R>,
    S::Error: CarriesRefusal,
    L: FnOnce() -> F,
    F: Future<Output = R>,
{
    let ground: Arc<dyn Ground> = Arc::clone(&cache.inner) as _;
    let asking = Asking::new(ground, cache.prefix(), guard.name(), &key);
    let refuse = |refused: Refused| {
        tell_refused(cache, &asking, &refused);
        S::error(S::Error::carry(refused))
    };
    let mut pass = match guard.admit(&asking).await {
        Ok(pass) => pass,
        Err(refused) => return refuse(refused),
    };
    let began = asking.now();
    let (scope, until) = (pass.take_scope(), pass.take_until());
    let source = async move {
        match scope {
            Some(scope) => scope.wrap(load()).await,
            None => load().await,
        }
    };
    // Apart from this future: a guard must not make each call of a small function large.
    let source = Box::pin(mark::watch(source));
    let (output, was_refused) = match until {
        None => source.await,
        Some((until, refused)) => match within(&cache.inner, until, source).await {
            Some(output) => output,
            None => {
                let took = asking.now().since(began);
                pass.end(Outcome::Failed { took }).await;
                return refuse(refused);
            }
        },
    };
    let took = asking.now().since(began);
    let (outcome, output) = match S::split(output) {
        Ok(value) => (Outcome::Succeeded { took }, S::value(value)),
        // What a guard further in has refused says nothing of the source.
        Err(error) if was_refused => (Outcome::Dropped, S::error(error)),
        Err(error) if counts(&error) => (Outcome::Failed { took }, S::error(error)),
        Err(error) => (Outcome::Succeeded { took }, S::error(error)),
    };
    pass.end(outcome).await;
    if was_refused {
        mark::refused();
    }
    output
}

/// [`guarded`] with a sync source, on this thread.
pub fn guarded_sync<S, R, L>(
    cache: &Cache,
    guard: &dyn Guard,
    key: KeyBuf,
    counts: impl FnOnce(&S::Error) -> bool,
    load: L,
) -> R
where
    S: Shape<R>,
    S::Error: CarriesRefusal,
    L: FnOnce() -> R,
{
    let load = || async { load() };
    block_on(guarded::<S, R, _, _>(cache, guard, key, counts, load))
}

pub(super) fn tell_refused(cache: &Cache, asking: &Asking, refused: &Refused) {
    let key = asking.key();
    cache.inner.stats.add(Counter::Refused, 1);
    cache.inner.tell(|| Event::Refused { key, refused });
    mark::refused();
}
