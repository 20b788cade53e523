//! What runs on an interval for a cache: who may write a key, how it goes, and how it is stopped.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use crate::key::Key;
use crate::runtime::Timestamp;

/// All schedules of a cache.
#[derive(Debug, Default)]
pub(crate) struct Schedules(Mutex<Vec<Arc<Schedule>>>);

/// One schedule, as those see it who start, stop and ask it.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// The key that it alone writes in this process; `None` for one that only reads.
    pub(crate) writes: Option<Key>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_stopping: bool,
    has_ended: bool,
    phase: Phase,
    run: Run,
    runs: u64,
    failures: u64,
    last_run: Option<Timestamp>,
    next_run: Timestamp,
    /// Wakes the one that keeps the schedule.
    keeper: Option<Waker>,
    /// Wake those who wait for the end of a run, or of all.
    waiting: Vec<Waker>,
}

/// The run that was begun last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    None,
    UnderWay,
    Over(Ended),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    Failed,
    /// It panicked, took too long or was dropped.
    Lost,
    /// It was dropped before it began.
    Unbegun,
}

/// What a schedule does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// It waits for its next run.
    Waiting,
    /// A run is in progress.
    Running,
    /// Another process writes; this one takes over when that one ends.
    Standby,
    /// It was stopped.
    Stopped,
}

/// How a schedule goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What it does now.
    pub phase: Phase,
    /// Runs of this process that ended well.
    pub runs: u64,
    /// Runs that failed since the last one that ended well.
    pub failures_in_a_row: u64,
    /// Time since a run ended, well or not; `None` before the first.
    pub last_run: Option<Duration>,
    /// Time until the next run; `None` when none is scheduled.
    pub next_run: Option<Duration>,
}

/// What a keeper was woken by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Due,
    Stopped,
}

impl Schedules {
    /// Adds one; false when another writes its key.
    pub(crate) fn add(&self, schedule: &Arc<Schedule>) -> bool {
        let mut all = self.0.lock();
        let is_taken = schedule.writes.is_some()
            && all
                .iter()
                .any(|other| other.writes == schedule.writes && !other.is_stopping());
        if !is_taken {
            all.push(Arc::clone(schedule));
        }
        !is_taken
    }

    pub(crate) fn remove(&self, schedule: &Arc<Schedule>) {
        let mut all = self.0.lock();
        let at = all.iter().position(|other| Arc::ptr_eq(other, schedule));
        let removed = at.map(|at| all.swap_remove(at));
        drop(all);
        drop(removed);
    }

    /// The one that writes a key.
    pub(crate) fn writer(&self, key: &Key) -> Option<Arc<Schedule>> {
        let all = self.0.lock();
        let mut writers = all.iter().filter(|s| s.writes.as_ref() == Some(key));
        writers.find(|s| !s.is_stopping()).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Schedule>> {
        self.0.lock().clone()
    }
}

impl Drop for Schedules {
    fn drop(&mut self) {
        // Their keepers wait for nothing any more, and their timers can go.
        self.all().iter().for_each(|schedule| schedule.stop());
    }
}

impl Schedule {
    pub(crate) fn new(writes: Option<Key>) -> Arc<Self> {
        Arc::new(Self {
            writes,
            state: Mutex::new(State {
                is_stopping: false,
                has_ended: false,
                phase: Phase::Waiting,
                run: Run::None,
                runs: 0,
                failures: 0,
                last_run: None,
                next_run: Timestamp::NEVER,
                keeper: None,
                waiting: Vec::new(),
            }),
        })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.state.lock().is_stopping
    }

    /// No run begins from now on; one in progress goes on to its end.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        let keeper = state.keeper.take();
        drop(state);
        keeper.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn plan(&self, phase: Phase, next_run: Timestamp) {
        let mut state = self.state.lock();
        (state.phase, state.next_run) = (phase, next_run);
    }

    /// A run begins; false when it may not, because the schedule was stopped.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.state.lock();
        if !state.is_stopping {
            (state.phase, state.run) = (Phase::Running, Run::UnderWay);
        }
        !state.is_stopping
    }

    /// A run has ended; what it was is kept until the keeper takes it.
    pub(crate) fn run_ended(&self, ended: Ended) {
        let mut state = self.state.lock();
        state.run = Run::Over(ended);
        let keeper = state.keeper.take();
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        keeper.into_iter().chain(waiting).for_each(Waker::wake);
    }

    /// Counts a run; how many have failed in a row.
    pub(crate) fn count(&self, ended: Ended, now: Timestamp) -> u64 {
        let mut state = self.state.lock();
        state.last_run = Some(now);
        match ended {
            Ended::Well => (state.runs, state.failures) = (state.runs + 1, 0),
            _ => state.failures += 1,
        }
        state.failures
    }

    /// The schedule is over: nothing of it runs any more.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        state.has_ended = true;
        (state.phase, state.next_run) = (Phase::Stopped, Timestamp::NEVER);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn status(&self, now: Timestamp) -> Status {
        let state = self.state.lock();
        let is_planned = state.next_run != Timestamp::NEVER;
        Status {
            phase: state.phase,
            runs: state.runs,
            failures_in_a_row: state.failures,
            last_run: state.last_run.map(|last| now.since(last)),
            next_run: is_planned.then(|| state.next_run.since(now)),
        }
    }

    /// Resolves with what `look` finds in the state, or when `sleep` ends.
    async fn wait<T>(
        &self,
        look: impl Fn(&State) -> Option<T>,
        mut sleep: Option<impl Future<Output = ()> + Unpin>,
    ) -> Option<T> {
        std::future::poll_fn(|context: &mut Context<'_>| {
            let waker = context.waker().clone();
            let mut state = self.state.lock();
            if let Some(found) = look(&state) {
                drop(state);
                return Poll::Ready(Some(found));
            }
            // Wakers are foreign code, their drop too: never under the lock.
            let before = state.keeper.replace(waker);
            drop(state);
            drop(before);
            match &mut sleep {
                Some(sleep) => std::pin::Pin::new(sleep).poll(context).map(|()| None),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The keeper waits until it is due or stopped.
    pub(crate) async fn due(&self, sleep: Option<impl Future<Output = ()> + Unpin>) -> Woken {
        let stopped = |state: &State| state.is_stopping.then_some(Woken::Stopped);
        self.wait(stopped, sleep).await.unwrap_or(Woken::Due)
    }

    /// The keeper waits for the end of a run, at most until `sleep` ends.
    pub(crate) async fn over(
        &self,
        sleep: Option<impl Future<Output = ()> + Unpin>,
    ) -> Option<Ended> {
        let over = |state: &State| match state.run {
            Run::Over(ended) => Some(ended),
            Run::None => Some(Ended::Lost),
            Run::UnderWay => None,
        };
        self.wait(over, sleep).await
    }

    /// Resolves when nothing of it runs any more, nor ever will.
    pub(crate) async fn ended(&self) {
        self.until(|state| state.has_ended).await;
    }

    /// Resolves when no run is in progress.
    pub(crate) async fn idle(&self) {
        self.until(|state| state.has_ended || state.run != Run::UnderWay)
            .await;
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        std::future::poll_fn(|context: &mut Context<'_>| {
            let waker = context.waker().clone();
            let mut state = self.state.lock();
            if is_so(&state) {
                drop(state);
                return Poll::Ready(());
            }
            let is_noted = state.waiting.iter().any(|w| w.will_wake(&waker));
            if !is_noted {
                state.waiting.push(waker);
            }
            Poll::Pending
        })
        .await;
    }
}
