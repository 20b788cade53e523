//! A load that its caller may leave before it ends: an async one is polled in the caller's place, a sync one runs on a thread beside it.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use parking_lot::Mutex;

use super::{Ticket, deadline, within};
use crate::cache::{Inner, Permit};
use crate::flight::{Flight, Waiting};
use crate::guard::mark;
use crate::runtime::{BoxFuture, Task};
use crate::scope;

/// How the source of a call runs apart from its caller.
pub(super) trait Apart<R> {
    /// Whether it can.
    const CAN: bool;

    /// Reloads behind a reader.
    fn reload(self, ticket: Ticket);

    /// Starts a load that the caller may leave.
    fn set_out(self, ticket: Ticket) -> Arc<Errand<R>>;
}

/// A source that borrows from its caller.
pub(super) struct Attached;

impl<R> Apart<R> for Attached {
    const CAN: bool = false;

    fn reload(self, ticket: Ticket) {
        // A reload that waits for the next reader.
        drop(ticket);
    }

    fn set_out(self, _: Ticket) -> Arc<Errand<R>> {
        unreachable!("a source that borrows was sent away")
    }
}

/// A source that owns what it needs: the closure starts it with the rights of a ticket.
pub(super) struct Owned<B>(pub(super) B);

impl<R: Send + 'static, B: FnOnce(Ticket)> Apart<R> for Owned<B> {
    const CAN: bool = true;

    fn reload(self, ticket: Ticket) {
        (self.0)(ticket);
    }

    fn set_out(self, ticket: Ticket) -> Arc<Errand<R>> {
        let errand = Arc::new(Errand(Mutex::new(State::default())));
        (self.0)(ticket.on_errand(Arc::clone(&errand) as _));
        errand
    }
}

/// What the two sides of such a load know of each other.
pub(super) struct Errand<R>(Mutex<State<R>>);

/// What came, and whether a guard refused: the mark of that stays on the thread where it came.
struct Answer<R> {
    came: thread::Result<R>,
    refused: bool,
}

struct State<R> {
    task: Option<BoxFuture<'static, ()>>,
    /// A sync load that has not begun.
    job: Option<Box<dyn FnOnce() -> R + Send>>,
    /// Whether the thread that should run it is not to come.
    is_lost: bool,
    answer: Option<Answer<R>>,
    waker: Option<Waker>,
    /// The place among the loads behind, once the caller has left.
    place: Option<Permit>,
}

impl<R> Default for State<R> {
    fn default() -> Self {
        Self {
            task: None,
            job: None,
            is_lost: false,
            answer: None,
            waker: None,
            place: None,
        }
    }
}

impl<R: Send + 'static> Errand<R> {
    /// The errand that a ticket is for, if it is one of this type.
    pub(super) fn of(errand: Arc<dyn Any + Send + Sync>) -> Option<Arc<Self>> {
        errand.downcast().ok()
    }

    /// Takes an async load on; the caller polls it.
    pub(super) fn take_on(self: Arc<Self>, load: impl Future<Output = R> + Send + 'static) {
        let told = Arc::clone(&self);
        let task = Box::pin(async move { told.end(Ok(load.await)) });
        self.0.lock().task = Some(task);
    }

    /// Takes a sync load on; gives what the thread has to run.
    pub(super) fn take_on_blocking(
        self: Arc<Self>,
        load: impl FnOnce() -> R + Send + 'static,
    ) -> Box<dyn FnOnce() + Send> {
        self.0.lock().job = Some(Box::new(load));
        let messenger = Messenger(self);
        Box::new(move || messenger.run())
    }
}

impl<R> Errand<R> {
    fn end(&self, came: thread::Result<R>) {
        let refused = mark::take();
        let mut state = self.0.lock();
        let (place, waker) = (state.place.take(), state.waker.take());
        if place.is_none() {
            state.answer = Some(Answer { came, refused });
            drop(state);
            waker.into_iter().for_each(Waker::wake);
            return;
        }
        drop(state);
        match came {
            Ok(answer) => drop(answer),
            // Nobody is there to hear of it but the thread itself.
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Runs the load on its thread, or tells that no thread will.
struct Messenger<R>(Arc<Errand<R>>);

impl<R> Messenger<R> {
    fn run(self) {
        let job = self.0.0.lock().job.take();
        if let Some(job) = job {
            self.0.end(catch_unwind(AssertUnwindSafe(job)));
        }
    }
}

impl<R> Drop for Messenger<R> {
    fn drop(&mut self) {
        let mut state = self.0.0.lock();
        state.is_lost = state.job.is_some();
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The caller's side: waits for the load, or leaves it.
///
/// # Cancellation
/// Dropping it drops an async load. A sync one cannot be dropped and ends by itself.
pub(super) struct Trip<R> {
    errand: Arc<Errand<R>>,
    /// An async load that is on its way.
    task: Option<BoxFuture<'static, ()>>,
    _waiting: Option<Waiting>,
}

impl<R> Trip<R> {
    /// Sets out with the rights of a ticket.
    pub(super) fn begin(apart: impl Apart<R>, ticket: Ticket, flight: &Flight) -> Self {
        // The loads of this thread wait for one that may run on another. Noted before that begins: a flight that waits for nobody closes no circle.
        let waiting = Waiting::note(flight).ok().flatten();
        let errand = apart.set_out(ticket);
        // Out of the errand, which the task itself holds: dropped here, both are gone.
        let task = errand.0.lock().task.take();
        Self {
            errand,
            task,
            _waiting: waiting,
        }
    }

    /// Whether nobody can leave it without a place among the loads behind: a thread goes on whatever its caller does.
    pub(super) fn needs_place(&self) -> bool {
        self.task.is_none()
    }

    /// Goes on behind for at most `limit`; without a place an async load is dropped.
    pub(super) fn leave(mut self, inner: &Arc<Inner>, place: Option<Permit>, limit: u64) {
        let Some(task) = self.task.take() else {
            self.errand.0.lock().place = place;
            return;
        };
        let Some(place) = place else { return };
        let until = deadline(inner, limit);
        let limited = Arc::clone(inner);
        // What it has begun in the scope of its caller it ends there: other values in keys half way would make it another load.
        let task = scope::Along::new().wrap(task);
        inner.runtime.spawn(Task::Load(Box::pin(async move {
            within(&limited, until, task).await;
            drop(place);
        })));
    }
}

impl<R> Future for Trip<R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        if let Some(task) = &mut self.task
            && task.as_mut().poll(context).is_pending()
        {
            return Poll::Pending;
        }
        let waker = context.waker().clone();
        let mut state = self.errand.0.lock();
        if let Some(answer) = state.answer.take() {
            drop(state);
            if answer.refused {
                mark::set(mark::Mark::Refused);
            }
            return Poll::Ready(answer.came.unwrap_or_else(|panic| resume_unwind(panic)));
        }
        // No thread could be had: it is run on this one.
        if state.is_lost
            && let Some(job) = state.job.take()
        {
            drop(state);
            return Poll::Ready(job());
        }
        let before = state.waker.replace(waker);
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<R> fmt::Debug for Errand<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errand").finish_non_exhaustive()
    }
}
