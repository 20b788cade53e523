//! Who is there, who can go on, who sleeps, and what chance says.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::task::Waker;

use crate::runtime::{BoxFuture, Timestamp};

pub(super) struct State {
    pub(super) random: u64,
    /// How much time a poll takes at most.
    pub(super) lag: u64,
    pub(super) tasks: Vec<Option<Task>>,
    /// Whoever was woken, each once.
    pub(super) ready: Vec<usize>,
    /// By instant, then by order of arrival.
    pub(super) sleepers: BTreeMap<(u64, u64), Waker>,
    pub(super) arrivals: u64,
    /// Tasks that have to end before the simulation has: all but chores.
    pub(super) unfinished: usize,
    pub(super) panicked_behind: usize,
}

pub(super) struct Task {
    /// `None` while it is being polled, and for a future that its `block_on` polls itself.
    pub(super) future: Option<BoxFuture<'static, ()>>,
    pub(super) waker: Waker,
    pub(super) is_ready: bool,
    pub(super) is_cancelled: bool,
    pub(super) kind: Kind,
    pub(super) origin: Option<&'static Location<'static>>,
}

/// Whose task it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The test's: its panic is the test's.
    Own,
    /// A background load: its panic ends it and nothing else, as in other runtimes.
    Load,
    /// Housekeeping, which need not end.
    Chore,
    /// A future on the stack of a `block_on`.
    Blocking,
}

impl Kind {
    pub(super) fn must_end(self) -> bool {
        matches!(self, Self::Own | Self::Load)
    }
}

pub(super) enum Picked {
    Task(usize, BoxFuture<'static, ()>, Waker, Kind),
    Mine,
    None,
}

/// What is left of a task, to be dropped outside the lock.
pub(super) struct Ended(
    pub(super) Option<Task>,
    pub(super) Option<BoxFuture<'static, ()>>,
    pub(super) Option<Box<dyn Any + Send>>,
);

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: seed,
            lag: 0,
            tasks: Vec::new(),
            ready: Vec::new(),
            sleepers: BTreeMap::new(),
            arrivals: 0,
            unfinished: 0,
            panicked_behind: 0,
        }
    }

    /// SplitMix64. Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
    pub(super) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn pick(&mut self, mine: Option<usize>) -> Picked {
        if self.ready.is_empty() {
            return Picked::None;
        }
        let at = match self.ready.len() {
            1 => 0,
            many => (self.random() % many as u64) as usize,
        };
        let number = self.ready.swap_remove(at);
        let task = self.tasks[number].as_mut();
        let task = task.expect("only living tasks are ready");
        task.is_ready = false;
        if mine == Some(number) {
            return Picked::Mine;
        }
        let future = task.future.take();
        let future = future.expect("a simulation is not run inside one of its own tasks");
        Picked::Task(number, future, task.waker.clone(), task.kind)
    }

    pub(super) fn put_back(&mut self, number: usize, future: BoxFuture<'static, ()>) -> Ended {
        let task = self.tasks[number].as_mut();
        let task = task.expect("a task ends only when it is not being polled");
        if task.is_cancelled {
            return Ended(self.end(number), Some(future), None);
        }
        task.future = Some(future);
        Ended(None, None, None)
    }

    pub(super) fn end(&mut self, number: usize) -> Option<Task> {
        let task = self.tasks[number].take();
        if let Some(task) = &task {
            self.unfinished -= usize::from(task.kind.must_end());
            if task.is_ready {
                self.ready.retain(|ready| *ready != number);
            }
        }
        task
    }

    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Waker> {
        let mut due = Vec::new();
        while let Some(entry) = self.sleepers.first_entry() {
            if entry.key().0 > now.0 {
                break;
            }
            due.push(entry.remove());
        }
        due
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("unfinished", &self.unfinished)
            .field("ready", &self.ready.len())
            .field("sleepers", &self.sleepers.len())
            .finish_non_exhaustive()
    }
}
