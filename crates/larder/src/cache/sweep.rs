//! Removing what nobody asks for any more.
//!
//! A reader drops an expired entry when it meets it. The sweeper finds the rest: it sleeps until the earliest deadline it knows
//! of, walks the entries one short lock at a time, and rests in between. With nothing to expire there is no sweeper at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use super::Inner;
use crate::event::Event;
use crate::key::Key;
use crate::runtime::{Task, Timestamp};
use crate::stats::Counter;

/// Entries looked at between two looks at the clock.
const STEP: usize = 64;
/// How long one slice may take: after it, whoever shares the thread gets a turn.
const SLICE: Duration = Duration::from_micros(500);
/// Sweeps rest at least this long, so that staggered deadlines are met together.
const REST: Duration = Duration::from_secs(1);
/// And this many times as long as the sweep took: at most a hundredth of one core.
const REST_FACTOR: u32 = 100;

/// When the next sweep is due.
#[derive(Debug)]
pub(crate) struct Sweeper {
    /// `u64::MAX`: no sweep is planned.
    planned: AtomicU64,
    /// The end of the rest after the last sweep.
    rest_until: AtomicU64,
}

impl Default for Sweeper {
    fn default() -> Self {
        Self {
            planned: AtomicU64::new(u64::MAX),
            rest_until: AtomicU64::new(0),
        }
    }
}

impl Sweeper {
    /// An entry was written that is gone at `deadline`.
    #[inline]
    pub(crate) fn note(&self, inner: &Arc<Inner>, deadline: Timestamp) {
        if deadline < Timestamp(self.planned.load(Ordering::Relaxed)) {
            self.plan(inner, deadline);
        }
    }

    #[cold]
    fn plan(&self, inner: &Arc<Inner>, deadline: Timestamp) {
        // A little later than the deadline, so that its neighbours go in the same sweep.
        let rested = Timestamp(self.rest_until.load(Ordering::Acquire));
        let due = deadline.after(REST).max(rested);
        if self.planned.fetch_min(due.0, Ordering::AcqRel) <= due.0 {
            return;
        }
        let inner = Arc::downgrade(inner);
        start(inner, due);
    }
}

fn start(weak: Weak<Inner>, due: Timestamp) {
    let Some(inner) = weak.upgrade() else {
        return;
    };
    let wait = due.since(inner.clock.now());
    let sleep = inner.runtime.sleep(wait);
    let runtime = Arc::clone(&inner.runtime);
    drop(inner);
    runtime.spawn(Task::Chore(Box::pin(async move {
        sleep.await;
        if let Some(inner) = weak.upgrade()
            // An earlier sweep was planned since, and has taken this one's place.
            && inner.sweeper.planned.load(Ordering::Acquire) == due.0
        {
            // Before the sweep: what is written meanwhile, and may be missed by it, plans the next one.
            inner.sweeper.planned.store(u64::MAX, Ordering::Release);
            let next = sweep(&inner).await;
            if let Some(next) = next {
                inner.sweeper.plan(&inner, next);
            }
        }
    })));
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
    std::future::poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
