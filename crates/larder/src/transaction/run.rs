//! A transaction from its begin to its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};
use std::time::Duration;

use super::held::{Held, KeyGate, late};
use super::{Mode, Transaction};
use crate::cache::{Cache, Inner};
use crate::engine::within;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::overlay::{Layer, Overlay, Reading, State};
use crate::runtime::{BoxFuture, Runtime, Task, Timestamp};
use crate::scope::{Scoped, scope};
use crate::stats::Counter;

/// A transaction that has begun. Dropped, it is rolled back.
pub(super) struct Begun {
    cache: Cache,
    overlay: Arc<Overlay>,
    held: Arc<Held>,
    is_outermost: bool,
    until: Timestamp,
    limit: Duration,
    is_rolled_back: Arc<AtomicBool>,
}

impl Begun {
    /// Begins one, inside of that which is under way here if there is one.
    ///
    /// # Errors
    /// When it is serializable and another one is under way for too long.
    pub(super) async fn new(cache: &Cache, mode: Mode, limit: Duration) -> Result<Self> {
        let inner = &cache.inner;
        let outer = inner.ambient_transaction();
        let outer = outer.as_ref().and_then(|ambient| ambient.transaction());
        let outer = outer.and_then(|outer| outer.held_by::<Held>());
        let until = inner.clock.now().after(limit);
        let until = outer.as_ref().map_or(until, |held| until.min(held.until()));
        let is_outermost = outer.is_none();
        let held = outer.unwrap_or_else(|| Arc::new(Held::new(cache, until)));
        let gate = || KeyGate {
            held: Arc::clone(&held),
            until,
            limit,
        };
        let gate = (mode == Mode::Locked).then(|| Arc::new(gate()) as _);
        let reading = match mode {
            Mode::Fast => Reading::Copies,
            Mode::Locked | Mode::Serializable => Reading::Store,
        };
        let begun = Self {
            cache: cache.clone(),
            overlay: Overlay::transaction(cache, reading, gate, Arc::clone(&held) as _),
            held,
            is_outermost,
            until,
            limit,
            is_rolled_back: Arc::default(),
        };
        if mode == Mode::Serializable
            && let Err(error) = begun.held.take_all(until, limit).await
        {
            begun.roll_back(Some(&error)).await;
            return Err(error);
        }
        Ok(begun)
    }

    pub(super) fn handle(&self) -> Transaction {
        Transaction {
            cache: self.cache.clone(),
            until: self.until,
            is_rolled_back: Arc::clone(&self.is_rolled_back),
        }
    }

    /// Runs something inside; `None` when its time is over.
    pub(super) async fn run<F: Future>(&self, body: F) -> Option<F::Output> {
        within(&self.cache.inner, self.until, self.inside(body)).await
    }

    /// Runs something inside, however long it takes.
    pub(super) async fn run_to_the_end<F: Future>(&self, body: F) -> F::Output {
        self.inside(body).await
    }

    fn inside<F: Future>(&self, body: F) -> Scoped<F> {
        let layer = Layer::Transaction(Arc::clone(&self.overlay));
        scope().under(layer).wrap(body)
    }

    /// Ends it by what came out of the body.
    ///
    /// # Errors
    /// That of the body, of the time limit or of the commit.
    pub(super) async fn end<T, E: From<Error>>(self, output: Option<Result<T, E>>) -> Result<T, E> {
        let Some(output) = output else {
            let error = late(self.limit);
            self.roll_back(Some(&error)).await;
            return Err(error.into());
        };
        if output.is_err() || self.handle().is_rolled_back() {
            self.roll_back(None).await;
            return output;
        }
        self.commit().await?;
        output
    }

    /// Drops its changes and gives its locks back.
    async fn roll_back(self, why: Option<&Error>) {
        self.dropped(why);
        if self.is_outermost {
            self.held.give_back().await;
        }
    }

    /// Tells that its changes are dropped, unless it has ended already.
    fn dropped(&self, why: Option<&Error>) {
        let Some(state) = self.overlay.close() else {
            return;
        };
        let inner = &self.cache.inner;
        inner.stats.add(Counter::RolledBack, 1);
        let (changes, error) = (state.len(), why);
        drop(state);
        inner.tell(|| Event::RolledBack { changes, error });
    }

    /// Applies its changes, or gives them to the transaction around it.
    ///
    /// # Errors
    /// When its time is over or a lock was lost, and nothing is applied; what the store says.
    pub(super) async fn commit(self) -> Result<()> {
        let ready = self.ready().await;
        if let Err(error) = ready {
            self.roll_back(Some(&error)).await;
            return Err(error);
        }
        let Some(state) = self.overlay.close() else {
            return Ok(());
        };
        let inner = &self.cache.inner;
        let changes = state.len();
        let left = match inner.ambient() {
            Some(ambient) => ambient.absorb(state),
            None => Some(state),
        };
        let Some(state) = left else {
            return Ok(());
        };
        let held = self.is_outermost.then(|| Arc::clone(&self.held));
        let applied = applied(Arc::clone(inner), state, changes, held);
        Finishing::new(Arc::clone(&inner.runtime), applied).await
    }

    async fn ready(&self) -> Result<()> {
        if let Some(doom) = self.overlay.doomed() {
            return Err(doom);
        }
        if self.is_outermost {
            self.held.renew().await?;
        }
        // A sync body cannot be stopped when its time is over.
        match self.cache.inner.clock.now() < self.until {
            true => Ok(()),
            false => Err(late(self.limit)),
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.dropped(None);
    }
}

/// Applies changes to the cache, tells so, and gives the locks back, whatever came of it.
async fn applied(
    inner: Arc<Inner>,
    state: State,
    changes: usize,
    held: Option<Arc<Held>>,
) -> Result<()> {
    let committed = inner.commit(state).await;
    let committed = committed.map_err(|error| error.during("commit"));
    match &committed {
        Ok(()) => {
            inner.stats.add(Counter::Committed, 1);
            inner.tell(|| Event::Committed { changes });
        }
        Err(error) => {
            inner.stats.add(Counter::RolledBack, 1);
            inner.tell(|| Event::CommitFailed { changes, error });
        }
    }
    if let Some(held) = held {
        held.give_back().await;
    }
    committed
}

/// A commit that has begun. Dropped, it goes on behind: half of it is worse than all or nothing.
struct Finishing {
    commit: Option<BoxFuture<'static, Result<()>>>,
    runtime: Arc<dyn Runtime>,
    /// Set while it is polled: what panicked then cannot go on.
    is_polled: bool,
}

impl Finishing {
    fn new(
        runtime: Arc<dyn Runtime>,
        commit: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Self {
        Self {
            commit: Some(Box::pin(commit)),
            runtime,
            is_polled: false,
        }
    }
}

impl Future for Finishing {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.is_polled = true;
        let Some(commit) = &mut self.commit else {
            return Poll::Ready(Ok(()));
        };
        let polled = commit.as_mut().poll(context);
        self.is_polled = false;
        if polled.is_ready() {
            self.commit = None;
        }
        polled
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        if let Some(commit) = self.commit.take().filter(|_| !self.is_polled) {
            let rest = async move { drop(commit.await) };
            self.runtime.spawn(Task::Chore(Box::pin(rest)));
        }
    }
}
