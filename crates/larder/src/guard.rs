//! Guards: what may refuse, delay or bound a call of the source.
//!
//! A guard stands before the body of a function: under [`cached`](crate::cached) only calls that miss meet it. Each is an attribute, and each is a value for direct use with
//! [`Cache::guard`](crate::Cache::guard):
//!
//! | attribute | value | refuses |
//! |---|---|---|
//! | [`locked`](crate::locked) | [`Locked`] | all but one at a time |
//! | [`rate_limit`](crate::rate_limit) | [`RateLimit`] | calls beyond so many in a time |
//! | [`bloom`](crate::bloom) | [`Bloom`] | calls for what is certainly not there |
//! | [`slow_call`](crate::slow_call) | [`SlowCall`] | calls while they have become slow |
//! | [`circuit_breaker`](crate::circuit_breaker) | [`CircuitBreaker`] | calls while too many fail |
//!
//! Guards of one function are asked from the top to the bottom, wherever `#[cached]` stands among them. What a guard counts, it counts by its key, in the store of the cache if it
//! has one, else in this process. Without a `key` all calls of the function count together.
//!
//! # Refusals
//! A guard answers with [`Refused`], as an error of the function's own type (`E: From<Refused>`). A refusal is a failure of the source: an entry that is kept for failures
//! (`fail_safe`, `soft`, `failover`) stands in for it. It is never kept as an error, and it does not throttle the entry that stood in.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::error::Error;
use crate::event::Event;
use crate::key::KeyBuf;
use crate::lock::Locks;
use crate::runtime::{BoxFuture, Runtime, Task, Timestamp};
use crate::scope::Scope;
use crate::store::Store;

mod bloom;
mod circuit_breaker;
mod here;
mod knobs;
mod locked;
pub(crate) mod mark;
mod outage;
mod rate_limit;
mod refused;
mod slow_call;
mod states;

pub use bloom::Bloom;
#[doc(hidden)]
pub use bloom::{
    AnswerByRefusal, AnswerWithoutRefusal, Answers, AnswersOf, BloomKnobs, SaysNo, SaysYes,
    answers_of_value, carries, says_no, says_yes,
};
pub(crate) use bloom::{Filter, Mode, Said, is_misuse};
pub(crate) use circuit_breaker::Circuit;
pub use circuit_breaker::{CircuitBreaker, CircuitBreakerKnobs, CircuitState};
pub(crate) use here::Here;
pub use locked::{Locked, LockedKnobs, fence};
pub use outage::Outage;
pub use rate_limit::{RateLimit, RateLimitKnobs};
pub use refused::{CarriesRefusal, Reason, Refused};
pub use slow_call::{SlowCall, SlowCallKnobs};
pub(crate) use states::{State, States};

pub use crate::store::Window;

/// What may refuse, delay or bound a call of the source.
///
/// # Contract
/// - `admit` decides about one call. It keeps what it counts by [`Asking::key`], never by anything else.
/// - What must happen when the call is over stands in the [`Pass`], and happens once, whether the call came back, was dropped or panicked.
/// - A guard that cannot ask its store does what its [`Outage`] says and tells it with [`Asking::failed`].
///
/// # Cancellation
/// A dropped `admit` leaves nothing behind but, at most, a call that was counted.
pub trait Guard: fmt::Debug + Send + Sync {
    /// What it is called in attributes, events and messages: `"rate_limit"`.
    fn name(&self) -> &'static str;

    /// Asks whether a call may go on.
    ///
    /// # Errors
    /// The refusal.
    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>>;
}

/// A call that asks to be let through, and what a guard has to decide with.
#[derive(Clone)]
pub struct Asking {
    ground: Arc<dyn Ground>,
    key: Arc<str>,
    guard: &'static str,
    /// The prefix of the cache, and the key as the caller gave it.
    called: Arc<str>,
    /// How long the prefix is.
    prefix: usize,
    body: Body,
}

/// What stands behind a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// It can be dropped where it waits.
    Async,
    /// It goes on to its own end.
    Sync,
}

impl Asking {
    /// Of a call that is counted under `key`, in which the guard's name is: guards of different kinds never meet.
    pub(crate) fn new(
        ground: Arc<dyn Ground>,
        guard: &'static str,
        key: &KeyBuf,
        (prefix, called): (&str, &str),
        body: Body,
    ) -> Self {
        Self {
            ground,
            key: key.as_str().into(),
            guard,
            called: format!("{prefix}{called}").into(),
            prefix: prefix.len(),
            body,
        }
    }

    /// What the call is counted under: the cache's prefix, the guard's name and the key of the attribute. Middleware of the cache may name it otherwise.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ground.runtime().clock().now()
    }

    /// Resolves after this time.
    pub async fn sleep(&self, duration: Duration) {
        self.ground.runtime().sleep(duration).await;
    }

    /// A refusal by this guard of this call.
    #[must_use]
    pub fn refuse(&self, reason: Reason) -> Refused {
        Refused::new(self.guard, &self.key, reason)
    }

    /// Tells that the guard could not decide, and what it did instead: the refusal of a closed one.
    ///
    /// # Errors
    /// With [`Outage::Closed`].
    pub fn failed(&self, error: &Error, outage: Outage) -> Result<(), Refused> {
        let (key, guard) = (&*self.key, self.guard);
        self.ground.tell(&Event::GuardFailed {
            key,
            guard,
            error,
            outage,
        });
        match outage {
            Outage::Open => Ok(()),
            Outage::Closed => Err(self.refuse(Reason::Unavailable).because(error.clone())),
        }
    }

    /// The key as the caller gave it.
    pub(crate) fn bare(&self) -> &str {
        &self.called[self.prefix..]
    }

    /// What the names of all that the guard keeps begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.called[..self.prefix]
    }

    pub(crate) fn ground(&self) -> &Arc<dyn Ground> {
        &self.ground
    }

    pub(crate) fn body(&self) -> Body {
        self.body
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("guard", &self.guard)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What guards stand on: a cache, as far as they need one.
pub(crate) trait Ground: Send + Sync {
    fn runtime(&self) -> &Arc<dyn Runtime>;
    /// The store of the cache.
    fn store(&self) -> Option<&Arc<dyn Store>>;
    /// What stands in for a store within this process.
    fn here(&self) -> &Here;
    /// The locks of this process, for a cache without a store.
    fn locks(&self) -> &Locks;
    /// What guards of this process remember.
    fn states(&self) -> &States;
    fn tell(&self, event: &Event<'_>);
}

/// How a call that was let through ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It came back, and not with an error that counts.
    Succeeded {
        /// How long it took.
        took: Duration,
    },
    /// It came back with an error that counts, or it panicked.
    Failed {
        /// How long it took.
        took: Duration,
    },
    /// It was dropped before it came back.
    Dropped,
}

type End = Box<dyn FnOnce(Outcome) -> Option<BoxFuture<'static, ()>> + Send>;

/// The right to call the source once.
#[derive(Default)]
#[must_use = "a call that is let through and not made is told as dropped"]
pub struct Pass {
    end: Option<End>,
    scope: Option<Scope>,
    until: Option<(Timestamp, Refused)>,
    unless: Option<BoxFuture<'static, Refused>>,
    /// Where what is left to do goes if the pass is dropped.
    runtime: Option<Arc<dyn Runtime>>,
    /// The body is being polled: if the pass is dropped now, the body has panicked.
    is_polled: bool,
}

impl Pass {
    /// A call about whose end nobody needs to hear.
    pub fn free() -> Self {
        Self::default()
    }

    /// A call whose end is told. What `end` gives is awaited before the call returns; of a call that was dropped it is done behind.
    pub fn told(
        asking: &Asking,
        end: impl FnOnce(Outcome) -> Option<BoxFuture<'static, ()>> + Send + 'static,
    ) -> Self {
        let mut pass = Self::free();
        pass.end = Some(Box::new(end));
        pass.runtime = Some(Arc::clone(asking.ground.runtime()));
        pass
    }

    /// A call whose body is in a scope.
    pub fn inside(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// A call that is dropped at an instant, and then refused so. A sync body cannot be dropped: it goes on to its own end.
    pub fn until(mut self, until: Timestamp, refused: Refused) -> Self {
        self.until = Some((until, refused));
        self
    }

    /// A call that is dropped when this resolves, and then refused so. A sync body cannot be dropped: it goes on to its own end.
    pub fn unless(mut self, stop: BoxFuture<'static, Refused>) -> Self {
        self.unless = Some(stop);
        self
    }

    pub(crate) fn take_scope(&mut self) -> Option<Scope> {
        self.scope.take()
    }

    pub(crate) fn take_until(&mut self) -> Option<(Timestamp, Refused)> {
        self.until.take()
    }

    pub(crate) fn take_unless(&mut self) -> Option<BoxFuture<'static, Refused>> {
        self.unless.take()
    }

    /// Polls the body.
    pub(crate) fn watch<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.is_polled = true;
        let polled = poll();
        self.is_polled = false;
        polled
    }

    /// Tells how the call ended.
    pub(crate) async fn end(mut self, outcome: Outcome) {
        if let Some(chore) = self.end.take().and_then(|end| end(outcome)) {
            let runtime = self.runtime.take();
            Ending::new(chore, runtime).await;
        }
    }
}

/// What is done before a call returns. If nobody waits for it any more, the rest of it is done behind.
struct Ending {
    chore: Option<BoxFuture<'static, ()>>,
    runtime: Option<Arc<dyn Runtime>>,
}

impl Ending {
    fn new(chore: BoxFuture<'static, ()>, runtime: Option<Arc<dyn Runtime>>) -> Self {
        Self {
            chore: Some(chore),
            runtime,
        }
    }
}

impl Future for Ending {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Out of its place while it is polled: one that panics is not polled again.
        let Some(mut chore) = self.chore.take() else {
            return Poll::Ready(());
        };
        let polled = chore.as_mut().poll(context);
        if polled.is_pending() {
            self.chore = Some(chore);
        }
        polled
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if let (Some(chore), Some(runtime)) = (self.chore.take(), &self.runtime) {
            runtime.spawn(Task::Chore(chore));
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(end) = self.end.take() else { return };
        // Of a panic nobody knows how long it took to come to it; what counts is that it came.
        // The thread may be panicking for another reason.
        let outcome = if self.is_polled {
            Outcome::Failed {
                took: Duration::ZERO,
            }
        } else {
            Outcome::Dropped
        };
        if let (Some(chore), Some(runtime)) = (end(outcome), &self.runtime) {
            runtime.spawn(Task::Chore(chore));
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("is_told", &self.end.is_some())
            .finish_non_exhaustive()
    }
}
