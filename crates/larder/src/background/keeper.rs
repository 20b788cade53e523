//! What keeps a schedule: one chore that waits, starts runs and hears how they end.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::beat::Beat;
use super::tenure::{Standing, Tenure};
use crate::cache::{Cache, Ended, Inner, Phase, Schedule, Woken};
use crate::event::Event;
use crate::runtime::{Home, Runtime, Task, Timestamp};

/// One that stands by does not ask again sooner, whatever a store says of the time that is left.
const SOONEST: Duration = Duration::from_millis(50);

/// Starts a run, which tells [`Told`] how it goes; `false` when it cannot start now.
pub(super) type Start = Box<dyn Fn(&Cache, &Arc<Schedule>) -> bool + Send + Sync>;

pub(super) struct Keeper {
    pub(super) schedule: Arc<Schedule>,
    pub(super) cache: Weak<Inner>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) home: Home,
    pub(super) beat: Beat,
    pub(super) tenure: Option<Tenure>,
    /// For how long a run may keep others from running: a sync one cannot be left in the middle.
    pub(super) limit: Duration,
    pub(super) start: Start,
}

/// What came of a turn.
enum Turn {
    /// The next is due then.
    Next(Timestamp),
    Stop,
}

impl Keeper {
    /// Begins to keep it.
    pub(super) fn spawn(self) {
        let runtime = Arc::clone(&self.runtime);
        let keeping = Keeping(self);
        runtime.spawn(Task::Chore(Box::pin(keeping.run())));
    }

    fn now(&self) -> Timestamp {
        self.runtime.clock().now()
    }

    /// An interval after `began`, and not before now.
    fn after(&self, began: Timestamp) -> Timestamp {
        match self.beat.interval(self.runtime.random()) {
            Some(interval) => began.after(interval).max(self.now()),
            None => Timestamp::NEVER,
        }
    }

    async fn keep(&mut self) {
        let mut due = match self.beat.runs_now {
            true => self.now(),
            false => self.after(self.now()),
        };
        self.schedule.plan(Phase::Waiting, due);
        loop {
            let sleep =
                (due != Timestamp::NEVER).then(|| self.runtime.sleep(due.since(self.now())));
            if self.schedule.due(sleep).await == Woken::Stopped {
                return;
            }
            match self.turn().await {
                Turn::Next(next) => due = next,
                Turn::Stop => return,
            }
        }
    }

    async fn turn(&mut self) -> Turn {
        let Some(inner) = self.cache.upgrade() else {
            return Turn::Stop;
        };
        let standing = match &mut self.tenure {
            Some(tenure) => tenure.hold(&inner).await,
            None => Standing::Mine,
        };
        // The store may have taken its time to answer.
        if self.schedule.is_stopping() {
            return Turn::Stop;
        }
        if let Standing::Others(left) = standing {
            // Half an interval, so that what the other one wrote last is still there when this one takes over.
            let half = self.beat.longest().unwrap_or(left) / 2;
            let next = self.now().after(left.min(half).max(SOONEST));
            self.schedule.plan(Phase::Standby, next);
            return Turn::Next(next);
        }
        let began = self.now();
        let cache = Cache::of(inner);
        let started = self.home.within(|| (self.start)(&cache, &self.schedule));
        // While a run goes on it alone keeps the cache.
        drop(cache);
        if !started {
            // Too many loads run, or somebody loads the key: soon again.
            let soon = self.beat.interval(u64::MAX).unwrap_or_default() / 10;
            let next = match self.beat.longest() {
                Some(_) => began.after(soon.max(Duration::from_millis(1))),
                None => Timestamp::NEVER,
            };
            self.schedule.plan(Phase::Waiting, next);
            return Turn::Next(next);
        }
        let (ended, is_late) = self.watch(began).await;
        self.settle(ended, is_late, began)
    }

    /// Waits for the end of a run, holding the tenure meanwhile; how it ended, and whether its time was over before.
    async fn watch(&mut self, began: Timestamp) -> (Ended, bool) {
        let until = began.after(self.limit);
        let mut is_late = false;
        loop {
            let left = until.since(self.now());
            let pause = match (&self.tenure, is_late) {
                (Some(tenure), false) => Some(tenure.renewal().min(left)),
                (None, false) => Some(left),
                // Its tenure ends, so that another process can take over.
                (_, true) => None,
            };
            let sleep = pause.map(|pause| self.runtime.sleep(pause));
            if let Some(ended) = self.schedule.over(sleep).await {
                return (ended, is_late);
            }
            let Some(inner) = self.cache.upgrade() else {
                is_late = true;
                continue;
            };
            if self.now() >= until {
                is_late = true;
                self.failed(&inner, Ended::Lost);
            } else if let Some(tenure) = &mut self.tenure {
                tenure.hold(&inner).await;
            }
        }
    }

    fn failed(&self, inner: &Inner, ended: Ended) {
        let in_a_row = self.schedule.count(ended, self.now());
        if let Some(key) = &self.schedule.writes {
            let key = key.as_str();
            inner.tell(|| Event::RunFailed { key, in_a_row });
        }
    }

    fn settle(&self, ended: Ended, is_late: bool, began: Timestamp) -> Turn {
        let Some(inner) = self.cache.upgrade() else {
            return Turn::Stop;
        };
        match ended {
            Ended::Well => drop(self.schedule.count(ended, self.now())),
            // That it took too long was told when it did.
            _ if is_late => {}
            _ => self.failed(&inner, ended),
        }
        // The runtime that it was started in has ended, and takes no more tasks.
        if ended == Ended::Unbegun && self.home.may_end() {
            return Turn::Stop;
        }
        let next = self.after(began);
        self.schedule.plan(Phase::Waiting, next);
        Turn::Next(next)
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper")
            .field("schedule", &self.schedule)
            .finish_non_exhaustive()
    }
}

/// A keeper at work; however that ends, the key is free for another.
struct Keeping(Keeper);

impl Keeping {
    async fn run(mut self) {
        self.0.keep().await;
        if let (Some(tenure), Some(inner)) = (&self.0.tenure, self.0.cache.upgrade()) {
            tenure.give_back(&inner).await;
        }
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        let schedule = &self.0.schedule;
        if let Some(inner) = self.0.cache.upgrade() {
            inner.schedules.remove(schedule);
        }
        schedule.end();
    }
}

/// A run that has been started, and will be told of however it ends.
#[derive(Debug)]
pub struct Told {
    schedule: Arc<Schedule>,
    ended: Ended,
}

impl Told {
    /// `None` when the schedule was stopped: no run begins any more.
    pub(super) fn new(schedule: &Arc<Schedule>) -> Option<Self> {
        schedule.begin().then(|| Self {
            schedule: Arc::clone(schedule),
            ended: Ended::Unbegun,
        })
    }

    /// It has begun: from now on an end of which nothing was said is a loss.
    pub fn begun(&mut self) {
        self.ended = Ended::Lost;
    }

    pub(super) fn is(&mut self, ended: Ended) {
        self.ended = ended;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.schedule.run_ended(self.ended);
    }
}
