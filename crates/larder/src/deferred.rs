//! Invalidations that wait for the commit of a database.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::cache::Cache;
use crate::error::Result;
use crate::overlay::{Forgotten, Layer, Pending};
use crate::runtime::{BoxFuture, Task, block_on};
use crate::scope::{Scoped, scope};

/// Collects invalidations, of all caches, and applies them when it is told that the database has committed.
///
/// What is invalidated within [`wrap`](Self::wrap) or [`run`](Self::run) (by `#[invalidates]`, handles, `delete` and its siblings, tags) stays as it is for everybody outside. Inside
/// it is gone: reads miss, and what a source gives there is returned and not stored, because it may come from what is not committed.
///
/// Writes (`set`, `#[cache_put]`) are not collected: they are seen at once. Keep them in a [`transaction`](crate::transaction).
///
/// What runs on inside after the commit, or after the drop, invalidates at once, as outside.
///
/// # Dropped
/// Without [`commit`](Self::commit) or [`discard`](Self::discard) the drop applies what was collected, the part that needs a store behind. An early return with `?` from the commit of the database does not
/// say whether that took place, and an invalidation too many costs a load, one too few a wrong value.
///
/// ```
/// # struct Database;
/// # impl Database { async fn commit(self) -> Result<(), larder::Error> { Ok(()) } }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let cache = larder::Cache::builder().build()?;
/// cache.set("user:7", "Ada").ttl("1h").await?;
///
/// # let database = Database;
/// let pending = larder::deferred();
/// pending
///     .wrap(async {
///         // .. change the row ..
///         cache.delete("user:7").await?;
///         assert_eq!(cache.get::<String>("user:7").await?, None);
///         Ok::<_, larder::Error>(())
///     })
///     .await?;
/// assert!(cache.exists("user:7").await?); // the others see what is committed
/// database.commit().await?;
/// pending.commit().await?;
/// assert!(!cache.exists("user:7").await?);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[must_use = "nothing is collected before something runs in it"]
pub struct Deferred {
    pending: Arc<Pending>,
}

/// Begins to collect invalidations for the commit of a database.
pub fn deferred() -> Deferred {
    Deferred {
        pending: Arc::default(),
    }
}

impl Deferred {
    /// Wraps a future so that what is invalidated in it is collected. May be used several times before the commit.
    pub fn wrap<F: Future>(&self, future: F) -> Scoped<F> {
        scope().under(self.layer()).wrap(future)
    }

    /// Runs a closure so that what is invalidated in it is collected.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        scope().under(self.layer()).run(f)
    }

    /// How many keys, prefixes, patterns and tags were collected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether nothing was collected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies all that was collected: the database has committed. Awaited, or driven with [`wait`](CommitDeferred::wait).
    ///
    /// # Errors
    /// The first of what stores say. The others are applied all the same, memory has forgotten all of it, and what did not reach a store is remembered for it.
    ///
    /// # Cancellation
    /// What is left when the future is dropped is applied behind.
    pub fn commit(self) -> CommitDeferred {
        CommitDeferred(self.take())
    }

    /// Forgets what was collected: the database has rolled back, and that is certain.
    pub fn discard(self) {
        drop(self.pending.take());
    }

    fn layer(&self) -> Layer {
        Layer::Deferred(Arc::clone(&self.pending))
    }

    fn take(&self) -> Due {
        Due(self.pending.take().into())
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred")
            .field("invalidations", &self.len())
            .finish()
    }
}

/// Invalidations that are due, before they are awaited.
#[must_use = "what is due is applied when this is awaited, driven with `wait`, or dropped"]
pub struct CommitDeferred(Due);

impl CommitDeferred {
    /// Applies them on this thread.
    ///
    /// # Errors
    /// See [`Deferred::commit`].
    pub fn wait(self) -> Result<()> {
        block_on(self.run())
    }

    async fn run(mut self) -> Result<()> {
        self.0.apply().await
    }
}

impl IntoFuture for CommitDeferred {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for CommitDeferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitDeferred")
            .field("invalidations", &self.0.0.len())
            .finish()
    }
}

/// What is left to be applied. Dropped, it is applied behind.
struct Due(VecDeque<(Cache, Forgotten)>);

async fn forget(cache: &Cache, forgotten: &Forgotten) -> Result<()> {
    let inner = &cache.inner;
    let removed = match forgotten {
        Forgotten::Keys(keys) => inner.forget_full(keys.clone()).await,
        Forgotten::Selected(selector) => inner.forget(selector).await,
    };
    removed.map(drop)
}

impl Due {
    async fn apply(&mut self) -> Result<()> {
        let mut applied = Ok(());
        while let Some((cache, forgotten)) = self.0.front() {
            let forgotten = forget(cache, forgotten).await;
            self.0.pop_front();
            applied = applied.and(forgotten);
        }
        applied
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.0);
        // What lies over a cache here may have ended before the store has answered.
        left.retain(|(cache, forgotten)| !cache.inner.forget_inside_at_once(forgotten));
        let Some((cache, _)) = left.front() else {
            return;
        };
        let runtime = Arc::clone(&cache.inner.runtime);
        let alone = |(cache, forgotten): (Cache, Forgotten)| -> BoxFuture<'static, ()> {
            // What a store says is told by an event.
            Box::pin(async move { drop(forget(&cache, &forgotten).await) })
        };
        let mut left: Vec<_> = left.into_iter().map(alone).collect();
        let rest = poll_fn(move |context| {
            left.retain_mut(|one| one.as_mut().poll(context).is_pending());
            match left.is_empty() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        });
        let mut rest: BoxFuture<'static, ()> = Box::pin(rest);
        // Memory forgets all of it at once; only what waits for a store goes behind.
        let mut context = Context::from_waker(Waker::noop());
        if pin!(&mut rest).poll(&mut context).is_pending() {
            runtime.spawn(Task::Chore(rest));
        }
    }
}
