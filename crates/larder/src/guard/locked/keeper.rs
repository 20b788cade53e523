//! Keeps a lock while a body runs under it: renews it, and says when it is lost.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::guard::{Asking, Body, Outage, Pass, Reason, Refused};
use crate::lock::{Holder, Taken};
use crate::runtime::{Task, Timestamp};
use crate::scope::Fence;
use crate::store::wait::within;

const NO_ANSWER: &str = "no answer from the store";

/// Renewals that fail are not tried again sooner.
const SOONEST: Duration = Duration::from_millis(5);

/// A lock with a body under it. The body's pass has one end of it, a chore of the runtime the other.
pub(super) struct Keeper {
    asking: Asking,
    holder: Holder,
    fence: u64,
    deadline: Timestamp,
    outage: Outage,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The body has come to its end.
    is_over: bool,
    /// The lock is not held any more, or is on its way back.
    is_gone: bool,
    /// Until when it is held if it is not renewed.
    until: Option<Timestamp>,
    /// Why the body has to stop.
    stop: Option<Refused>,
    chore: Option<Waker>,
    body: Option<Waker>,
}

/// The body came to its end meanwhile.
struct Over;

impl Keeper {
    /// Keeps the lock from now on.
    pub(super) fn new(
        asking: &Asking,
        holder: Holder,
        taken: Taken,
        deadline: Timestamp,
        outage: Outage,
    ) -> Arc<Self> {
        let keeper = Arc::new(Self {
            asking: asking.clone(),
            holder,
            fence: taken.fence,
            deadline,
            outage,
            state: Mutex::new(State {
                until: Some(taken.until),
                ..State::default()
            }),
        });
        let own = Arc::clone(&keeper);
        let chore = async move {
            // Over is over: whose pass it was gives the lock back.
            let _ = own.keep(own.safe(taken.until)).await;
        };
        let runtime = asking.ground().runtime();
        runtime.spawn(Task::Chore(Box::pin(chore)));
        keeper
    }

    /// What lets the body run.
    pub(super) fn pass(keeper: Arc<Self>) -> Pass {
        let timed_out = keeper.asking.refuse(Reason::TimedOut);
        let (stop, until) = (Arc::clone(&keeper), keeper.deadline);
        let scope = crate::scope::scope().fenced(Fence::Of(keeper.fence));
        let asking = keeper.asking.clone();
        let pass = Pass::told(&asking, move |_| {
            keeper.over();
            let was_there = keeper.goes();
            match keeper.holder.release_here() {
                Some(released) => {
                    // What is not there to be given back was lost while the body ran.
                    if was_there && !released {
                        keeper.tell_lost();
                    }
                    None
                }
                None if was_there => Some(Box::pin(async move { keeper.release().await })),
                // The call does not wait for a store that may be down to hear what it knows.
                None => {
                    keeper.holder.let_go();
                    None
                }
            }
        });
        let stopped = poll_fn(move |context| stop.poll_stop(context.waker()));
        pass.inside(scope)
            .until(until, timed_out)
            .unless(Box::pin(stopped))
    }

    /// A little before the lock's end: a body that has to stop is gone when another may begin, though their clocks do not run alike.
    fn safe(&self, until: Timestamp) -> Timestamp {
        let margin = crate::runtime::nanos(self.holder.ttl() / 10);
        Timestamp(until.0.saturating_sub(margin))
    }

    fn poll_stop(&self, waker: &Waker) -> Poll<Refused> {
        let mut state = self.state.lock();
        if let Some(refused) = state.stop.take() {
            return Poll::Ready(refused);
        }
        let before = state.body.replace(waker.clone());
        drop(state);
        drop(before);
        Poll::Pending
    }

    fn over(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        let chore = state.chore.take();
        drop(state);
        if let Some(chore) = chore {
            chore.wake();
        }
    }

    /// A future's output, unless the body comes to its end before.
    async fn unless_over<T>(&self, future: impl Future<Output = T>) -> Result<T, Over> {
        let mut future = pin!(future);
        poll_fn(|context| {
            let mut state = self.state.lock();
            if state.is_over {
                return Poll::Ready(Err(Over));
            }
            let before = state.chore.replace(context.waker().clone());
            drop(state);
            drop(before);
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }

    async fn keep(&self, mut until: Timestamp) -> Result<(), Over> {
        let third = self.holder.ttl() / 3;
        let mut pause = third;
        let mut failed = None;
        loop {
            let left = self.deadline.since(self.asking.now());
            let pausing = self.asking.sleep(pause.min(left));
            self.unless_over(pausing).await?;
            if self.asking.now() >= self.deadline {
                return self.past_deadline(until).await;
            }
            let limit = match (until.since(self.asking.now()), &failed) {
                (Duration::ZERO, Some(error)) => {
                    self.unheard(error);
                    return Ok(());
                }
                // A process that was stopped for longer than the lock's time asks what became of it.
                (Duration::ZERO, None) => third,
                (left, _) => third.min(left),
            };
            let limit = self.asking.ground().runtime().sleep(limit);
            let renewed = within(limit, self.holder.renew());
            let late = || Error::new(ErrorKind::Timeout, "renew", NO_ANSWER);
            let renewed = self.unless_over(renewed).await?;
            match renewed.unwrap_or_else(|| Err(late())) {
                Ok(Some(end)) => {
                    self.state.lock().until = Some(end);
                    (until, pause, failed) = (self.safe(end), third, None);
                }
                Ok(None) => {
                    self.lost();
                    return Ok(());
                }
                Err(error) => {
                    failed = Some(error);
                    let left = until.since(self.asking.now());
                    pause = (third / 4).max(SOONEST).min(left);
                }
            }
        }
    }

    /// An async body is dropped by its own pass; only one that blocks is still there a while later.
    async fn past_deadline(&self, until: Timestamp) -> Result<(), Over> {
        if self.asking.body() == Body::Async {
            let left = until.since(self.asking.now());
            self.unless_over(self.asking.sleep(left)).await?;
        }
        if self.goes() {
            let (key, fence) = (self.asking.key(), self.fence);
            let ground = self.asking.ground();
            ground.tell(&Event::LockOverrun { key, fence });
        }
        // Whatever comes of it, the lock's own end is near.
        drop(self.unless_over(self.holder.release()).await?);
        Ok(())
    }

    /// Another may hold it.
    fn lost(&self) {
        if self.goes() {
            self.tell_lost();
        }
        self.stop(self.asking.refuse(Reason::Lost));
    }

    /// The store could not be asked until the time of the lock was over.
    fn unheard(&self, error: &Error) {
        self.goes();
        if let Err(refused) = self.asking.failed(error, self.outage) {
            self.stop(refused);
        }
    }

    fn stop(&self, refused: Refused) {
        let mut state = self.state.lock();
        state.stop = Some(refused);
        let body = state.body.take();
        drop(state);
        if let Some(body) = body {
            body.wake();
        }
    }

    /// Whether the lock was there until now: then whoever asks says what became of it.
    fn goes(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().is_gone, true)
    }

    /// Waits for no longer than the lock would take to end by itself.
    async fn release(&self) {
        let until = self.state.lock().until;
        let left = until.map_or(Duration::ZERO, |until| until.since(self.asking.now()));
        let limit = self.asking.ground().runtime().sleep(left);
        let late = || Error::new(ErrorKind::Timeout, "unlock", NO_ANSWER);
        let released = within(limit, self.holder.release()).await;
        match released.unwrap_or_else(|| Err(late())) {
            Ok(true) => {}
            Ok(false) => self.tell_lost(),
            Err(error) => {
                // The call has come back, and the lock ends by itself.
                let _ = self.asking.failed(&error, Outage::Open);
            }
        }
    }

    fn tell_lost(&self) {
        let (key, fence) = (self.asking.key(), self.fence);
        let ground = self.asking.ground();
        ground.tell(&Event::LockLost { key, fence });
    }
}
