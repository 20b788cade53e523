//! A call of a source behind a guard.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use super::{Shape, within};
use crate::cache::Cache;
use crate::event::Event;
use crate::guard::mark::Mark;
use crate::guard::{Asking, Body, CarriesRefusal, Ground, Guard, Outcome, Refused, mark};
use crate::key::KeyBuf;
use crate::runtime::{BoxFuture, block_on};
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
    run::<S, R, _, _>(cache, guard, key, counts, load, Body::Async).await
}

async fn run<S, R, L, F>(
    cache: &Cache,
    guard: &dyn Guard,
    key: KeyBuf,
    counts: impl FnOnce(&S::Error) -> bool,
    load: L,
    body: Body,
) -> R
where
    S: Shape<R>,
    S::Error: CarriesRefusal,
    L: FnOnce() -> F,
    F: Future<Output = R>,
{
    let asking = asking(cache, guard.name(), &key, body);
    let refuse = |refused: Refused, as_what: Mark| {
        tell_refused(cache, &asking, &refused, as_what);
        S::error(S::Error::carry(refused))
    };
    let mut pass = match guard.admit(&asking).await {
        Ok(pass) => pass,
        Err(refused) => return refuse(refused, Mark::Refused),
    };
    let began = asking.now();
    let (scope, until, unless) = (pass.take_scope(), pass.take_until(), pass.take_unless());
    let source = async move {
        match scope {
            // The call itself too: a closure may do its work before it gives a future.
            Some(scope) => scope.wrap(async move { load().await }).await,
            None => load().await,
        }
    };
    // Apart from this future: a guard must not make each call of a small function large.
    let (mut source, watched) = (Box::pin(mark::watch(source)), &mut pass);
    // It owns the source: one that is stopped is gone before the pass hears of its end.
    let source = poll_fn(move |context| watched.watch(|| source.as_mut().poll(context)));
    let source = Box::pin(unstopped(unless, source));
    let stopped = |source: Result<_, Refused>| source.map_err(|refused| (refused, Mark::Refused));
    let ended = match until {
        None => stopped(source.await),
        Some((until, refused)) => match within(&cache.inner, until, source).await {
            Some(source) => stopped(source),
            None => Err((refused, Mark::Cut)),
        },
    };
    let (output, mark) = match ended {
        Ok(output) => output,
        Err((refused, as_what)) => {
            let took = asking.now().since(began);
            pass.end(Outcome::Failed { took }).await;
            return refuse(refused, as_what);
        }
    };
    let took = asking.now().since(began);
    let (outcome, output) = match S::split(output) {
        Ok(value) => (Outcome::Succeeded { took }, S::value(value)),
        // What a guard further in has refused says nothing of the source.
        Err(error) if mark == Mark::Refused => (Outcome::Dropped, S::error(error)),
        // That it took too long does, whatever the error looks like.
        Err(error) if mark == Mark::Cut => (Outcome::Failed { took }, S::error(error)),
        Err(error) if counts(&error) => (Outcome::Failed { took }, S::error(error)),
        Err(error) => (Outcome::Succeeded { took }, S::error(error)),
    };
    pass.end(outcome).await;
    mark::set(mark);
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
    block_on(run::<S, R, _, _>(
        cache,
        guard,
        key,
        counts,
        load,
        Body::Sync,
    ))
}

/// What the source comes to, unless it is told to stop.
async fn unstopped<F: Future + Unpin>(
    mut stop: Option<BoxFuture<'static, Refused>>,
    mut source: F,
) -> Result<F::Output, Refused> {
    poll_fn(|context| {
        // First: a source that has to stop must not go one step further.
        if let Some(stop) = &mut stop
            && let Poll::Ready(refused) = stop.as_mut().poll(context)
        {
            return Poll::Ready(Err(refused));
        }
        std::pin::Pin::new(&mut source).poll(context).map(Ok)
    })
    .await
}

/// Of a key as the caller gave it: without the cache's prefix, before its middleware.
pub(super) fn asking(cache: &Cache, guard: &'static str, called: &KeyBuf, body: Body) -> Asking {
    let ground: Arc<dyn Ground> = Arc::clone(&cache.inner) as _;
    let key = cache.guard_key(guard, called.as_str());
    let called = (cache.prefix(), called.as_str());
    Asking::new(ground, guard, &key, called, body)
}

pub(super) fn tell_refused(cache: &Cache, asking: &Asking, refused: &Refused, as_what: Mark) {
    let key = asking.key();
    cache.inner.stats.add(Counter::Refused, 1);
    cache.inner.tell(|| Event::Refused { key, refused });
    mark::set(as_what);
}
