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
    /// It was told that the lock is not held any more.
    is_told: bool,
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
            state: Mutex::default(),
        });
        let own = Arc::clone(&keeper);
        let chore = async move {
            // Over is over: whose pass it was gives the lock back.
            let _ = own.keep(taken.until).await;
        };
        let runtime = asking.ground().runtime();
        runtime.spawn(Task::Chore(Box::pin(chore)));
        keeper
    }

    /// What lets the body run.
    pub(super) fn pass(keeper: Arc<Self>) -> Pass {
        let timed_out = keeper.asking.refuse(Reason::TimedOut);
        let (stop, until) = (Arc::clone(&keeper), keeper.deadline);
        let scope = crate::scope::scope().fenced(keeper.fence);
        let asking = keeper.asking.clone();
        let pass = Pass::told(&asking, move |_| {
            keeper.over();
            match keeper.holder.release_here() {
                Some(released) => {
                    keeper.given_back(released);
                    None
                }
                None => Some(Box::pin(async move { keeper.release().await })),
            }
        });
        let stopped = poll_fn(move |context| stop.poll_stop(context.waker()));
        pass.inside(scope)
            .until(until, timed_out)
            .unless(Box::pin(stopped))
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
        loop {
            let left = self.deadline.since(self.asking.now());
            let pausing = self.asking.sleep(pause.min(left));
            self.unless_over(pausing).await?;
            if self.asking.now() >= self.deadline {
                return self.past_deadline(until).await;
            }
            // A process that was stopped for longer than the lock's time has to ask what became of it.
            let limit = match until.since(self.asking.now()) {
                Duration::ZERO => third,
                left => third.min(left),
            };
            let limit = self.asking.ground().runtime().sleep(limit);
            let renewed = crate::store::wait::within(limit, self.holder.renew());
            let renewed = self.unless_over(renewed).await?;
            let error = match renewed {
                Some(Ok(Some(end))) => {
                    (until, pause) = (end, third);
                    continue;
                }
                Some(Ok(None)) => {
                    self.lost();
                    return Ok(());
                }
                Some(Err(error)) => error,
                None => Error::new(ErrorKind::Timeout, "renew", "no answer from the store"),
            };
            let left = until.since(self.asking.now());
            if left.is_zero() {
                self.unheard(&error);
                return Ok(());
            }
            pause = (third / 4).max(SOONEST).min(left);
        }
    }

    /// An async body is dropped by its own pass; only one that blocks is still there a while later.
    async fn past_deadline(&self, until: Timestamp) -> Result<(), Over> {
        if self.asking.body() == Body::Async {
            let left = until.since(self.asking.now());
            self.unless_over(self.asking.sleep(left)).await?;
        }
        if self.tells_first() {
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
        if self.tells_first() {
            let (key, fence) = (self.asking.key(), self.fence);
            let ground = self.asking.ground();
            ground.tell(&Event::LockLost { key, fence });
        }
        self.stop(self.asking.refuse(Reason::Lost));
    }

    /// The store could not be asked until the time of the lock was over.
    fn unheard(&self, error: &Error) {
        self.tells_first();
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

    fn tells_first(&self) -> bool {
        !std::mem::replace(&mut self.state.lock().is_told, true)
    }

    async fn release(&self) {
        match self.holder.release().await {
            Ok(released) => self.given_back(released),
            Err(error) => {
                // The call has come back; the lock ends by itself.
                let _ = self.asking.failed(&error, Outage::Open);
            }
        }
    }

    /// What was not there to be given back was lost before the body came to its end.
    fn given_back(&self, released: bool) {
        if !released && self.tells_first() {
            let (key, fence) = (self.asking.key(), self.fence);
            let ground = self.asking.ground();
            ground.tell(&Event::LockLost { key, fence });
        }
    }
}
