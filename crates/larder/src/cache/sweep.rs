//! Removing what nobody asks for any more.
//!
//! A reader drops an expired entry when it meets it. The sweeper finds the rest: it sleeps until the earliest deadline it knows
//! of, walks the entries one short lock at a time, and rests in between. With nothing to expire there is no sweeper at all.

use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::Inner;
use crate::event::Event;
use crate::key::Key;
use crate::runtime::{BoxFuture, Task, Timestamp};
use crate::stats::Counter;

/// Entries looked at between two looks at the clock.
const STEP: usize = 64;
/// How long one slice may take: after it, whoever shares the thread gets a turn.
const SLICE: Duration = Duration::from_micros(500);
/// Sweeps rest at least this long, so that staggered deadlines are met together.
const REST: Duration = Duration::from_secs(1);
/// And this many times as long as the sweep took: at most a hundredth of one core.
const REST_FACTOR: u32 = 100;

/// When the next sweep is due, and the one chore that waits for it.
#[derive(Debug)]
pub(crate) struct Sweeper {
    alarm: Arc<Alarm>,
    /// The end of the rest after the last sweep.
    rest_until: AtomicU64,
}

/// What the chore and those who plan share.
#[derive(Debug)]
struct Alarm {
    /// `u64::MAX`: no sweep is planned.
    planned: AtomicU64,
    chore: Mutex<Chore>,
}

#[derive(Debug, Default)]
struct Chore {
    is_running: bool,
    /// Wakes it when an earlier sweep was planned, or when the cache is gone.
    waker: Option<Waker>,
}

impl Default for Sweeper {
    fn default() -> Self {
        Self {
            alarm: Arc::new(Alarm {
                planned: AtomicU64::new(u64::MAX),
                chore: Mutex::default(),
            }),
            rest_until: AtomicU64::new(0),
        }
    }
}

impl Sweeper {
    /// An entry was written that is gone at `deadline`.
    #[inline]
    pub(crate) fn note(&self, inner: &Arc<Inner>, deadline: Timestamp) {
        if deadline < Timestamp(self.alarm.planned.load(Ordering::Relaxed)) {
            self.plan(inner, deadline);
        }
    }

    #[cold]
    fn plan(&self, inner: &Arc<Inner>, deadline: Timestamp) {
        // A little later than the deadline, so that its neighbours go in the same sweep.
        let rested = Timestamp(self.rest_until.load(Ordering::Acquire));
        let due = deadline.after(REST).max(rested);
        if self.alarm.planned.fetch_min(due.0, Ordering::AcqRel) <= due.0 {
            return;
        }
        let mut chore = self.alarm.chore.lock();
        if chore.is_running {
            drop(chore);
            self.alarm.wake();
            return;
        }
        chore.is_running = true;
        drop(chore);
        let running = Running {
            alarm: Arc::clone(&self.alarm),
            armed: None,
            ended: false,
        };
        let chore = running.run(Arc::downgrade(inner));
        inner.runtime.spawn(Task::Chore(Box::pin(chore)));
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // The chore has nothing to wait for any more, and its timer can go.
        self.alarm.wake();
    }
}

impl Alarm {
    fn wake(&self) {
        let waker = self.chore.lock().waker.take();
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The chore of a cache; there is at most one.
struct Running {
    alarm: Arc<Alarm>,
    armed: Option<(Timestamp, BoxFuture<'static, ()>)>,
    ended: bool,
}

impl Running {
    async fn run(mut self, weak: Weak<Inner>) {
        while poll_fn(|context| self.poll_due(&weak, context)).await {
            let Some(inner) = weak.upgrade() else {
                return;
            };
            // Before the sweep: what is written meanwhile, and may be missed by it, plans the next one.
            self.alarm.planned.store(u64::MAX, Ordering::Release);
            self.armed = None;
            if let Some(next) = sweep(&inner).await {
                inner.sweeper.plan(&inner, next);
            }
        }
    }

    /// True when a sweep is due, false when there is nothing to wait for.
    fn poll_due(&mut self, weak: &Weak<Inner>, context: &mut Context<'_>) -> Poll<bool> {
        let Some(inner) = weak.upgrade() else {
            return Poll::Ready(false);
        };
        let waker = context.waker().clone();
        let mut chore = self.alarm.chore.lock();
        let due = Timestamp(self.alarm.planned.load(Ordering::Acquire));
        if due == Timestamp(u64::MAX) {
            // Under the lock: whoever plans next sees that nobody waits.
            chore.is_running = false;
            self.ended = true;
            return Poll::Ready(false);
        }
        let before = chore.waker.replace(waker);
        drop(chore);
        drop(before);
        if self.armed.as_ref().is_none_or(|(at, _)| *at != due) {
            let wait = due.since(inner.clock.now());
            self.armed = Some((due, inner.runtime.sleep(wait)));
        }
        match &mut self.armed {
            Some((_, sleep)) => sleep.as_mut().poll(context).map(|()| true),
            None => Poll::Ready(false),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            // Dropped by its runtime: the next deadline starts another.
            self.alarm.chore.lock().is_running = false;
            self.alarm.planned.store(u64::MAX, Ordering::Release);
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// Removes all that is gone; answers the earliest deadline of what stays.
async fn sweep(inner: &Arc<Inner>) -> Option<Timestamp> {
    let began = inner.clock.now();
    let mut worked = Duration::ZERO;
    let mut earliest = Timestamp::NEVER;
    let mut entries = inner.memory.iter();
    loop {
        let slice = inner.clock.now();
        let mut done = false;
        while !done && inner.clock.now().since(slice) < SLICE {
            done = step(inner, &mut entries, &mut earliest);
        }
        worked += inner.clock.now().since(slice);
        if done {
            break;
        }
        give_way().await;
    }
    let rested = began.after(REST.max(worked * REST_FACTOR));
    inner.sweeper.rest_until.store(rested.0, Ordering::Release);
    (earliest != Timestamp::NEVER).then_some(earliest)
}

/// A few entries; true after the last one.
fn step(
    inner: &Arc<Inner>,
    entries: &mut impl Iterator<Item = (Key, crate::entry::Slot)>,
    earliest: &mut Timestamp,
) -> bool {
    let now = inner.clock.now();
    for _ in 0..STEP {
        let Some((key, slot)) = entries.next() else {
            return true;
        };
        let keep_until = slot.keep_until();
        if keep_until > now {
            *earliest = (*earliest).min(keep_until);
        } else if let Some(removed) = inner.memory.remove_write(&key, &slot) {
            inner.stats.add(Counter::Expired, 1);
            inner.tell(|| Event::Expired { key: key.as_str() });
            drop(removed);
        }
    }
    false
}

/// Lets other work on this thread go first.
async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
