//! One schedule's world: the cache, a source of truth that changes, and a log against which every answer is held.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Event};

use crate::log::{Log, What};
use crate::plan::Plan;

/// What a source gives: when it was read, and all that decides how long it may be served.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) key: usize,
    /// The tick at which the source of truth was read.
    pub(crate) read: u64,
    /// The virtual time at which the source returned it.
    pub(crate) returned: u64,
    pub(crate) keep: u64,
    pub(crate) serve: u64,
    pub(crate) tags: Vec<String>,
    /// The ticks at which its load took its lease and at which it ended.
    pub(crate) begun: u64,
    pub(crate) done: u64,
}

larder::local!(Value);

/// How a source fails.
#[derive(Clone, Debug)]
pub(crate) struct Boom {
    /// All that was to be loaded.
    pub(crate) keys: Vec<usize>,
    pub(crate) read: u64,
    pub(crate) tags: Vec<String>,
}

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the source of {:?} failed", self.keys)
    }
}

impl Error for Boom {}

/// A call that took too long: an error of no load.
impl From<larder::Refused> for Boom {
    fn from(_: larder::Refused) -> Self {
        Self {
            keys: Vec::new(),
            read: 0,
            tags: Vec::new(),
        }
    }
}

/// What a panic of a source carries: whose call it was.
#[derive(Debug)]
pub(crate) struct Blast {
    pub(crate) call: u64,
}

/// All of one schedule.
pub(crate) struct Scene {
    pub(crate) simulation: Simulation,
    pub(crate) cache: Cache,
    pub(crate) plans: Vec<Plan>,
    log: Arc<Mutex<Log>>,
    observed: bool,
}

pub(crate) const NAMES: [&str; 4] = ["a:0", "a:1", "b:0", "b:1"];

pub(crate) fn name(key: usize) -> &'static str {
    NAMES[key]
}

pub(crate) fn key(name: &str) -> usize {
    let found = NAMES.iter().position(|n| *n == name);
    found.expect("one of the names")
}

impl Scene {
    pub(crate) fn new(simulation: &Simulation) -> Arc<Self> {
        let chance = Chance(simulation);
        let simulation = match chance.below(3) {
            0 => simulation.clone().with_lag(Duration::from_millis(2)),
            _ => simulation.clone(),
        };
        let observed = chance.one_in(2);
        let keys = 1 + chance.below(4);
        let tagged = chance.one_in(2);
        let plans = (0..keys)
            .map(|_| Plan::new(&chance, observed, tagged))
            .collect();
        let log = Arc::new(Mutex::new(Log::default()));
        let mut builder = simulation.cache_builder().size(1_000);
        if chance.one_in(4) {
            builder = builder.background_loads(1);
        }
        if observed {
            let log = Arc::clone(&log);
            builder = builder.observer(move |event: &Event<'_>| observe(&log, event));
        }
        if std::env::var_os("LARDER_SEED").is_some() {
            log.lock().unwrap().trace = Some(Vec::new());
        }
        Arc::new(Self {
            cache: builder.build().expect("a builder with nothing wrong"),
            simulation,
            plans,
            log,
            observed,
        })
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no panic while the log is held")
    }

    pub(crate) fn chance(&self) -> Chance<'_> {
        Chance(&self.simulation)
    }

    /// Another key that the source of `keys` asks for. Only an observer sees that a circle was cut by a load beside the flight.
    pub(crate) fn other_than(&self, keys: &[usize]) -> Option<usize> {
        let other = self.chance().below(self.plans.len());
        let in_order = keys.iter().all(|key| other > *key);
        (self.observed || in_order).then_some(other)
    }

    pub(crate) fn now(&self) -> u64 {
        self.cache.clock().now().as_nanos()
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        let now = self.now() / 1_000;
        let mut log = self.log();
        let (tick, call) = (log.tick, log.polled.call);
        if let Some(trace) = &mut log.trace {
            trace.push(format!("{now:>8} us {tick:>5} call {call:>3}: {}", what()));
        }
    }
}

fn observe(log: &Mutex<Log>, event: &Event<'_>) {
    let mut log = log.lock().expect("no panic while the log is held");
    let tick = log.tick;
    let polled = log.polled;
    match event {
        Event::Stored { key: name } => log.stored.push((key(name), tick)),
        Event::TimedOut { key: name, .. } => log.excuse(key(name)),
        Event::WaitedTooLong { key: name } | Event::Recursion { key: name } => {
            log.excuse(key(name));
            if polled.batch {
                // A batch that waits no longer takes the flight over.
                log.displaced.push((tick, What::Key(key(name))));
                log.tick += 1;
            } else {
                log.alone.push((key(name), tick));
                if matches!(event, Event::Recursion { .. }) {
                    log.recursed.push((key(name), tick));
                }
            }
        }
        _ => {}
    }
    if let Some(trace) = &mut log.trace {
        trace.push(format!(
            "           us {tick:>5} call {:>3}: {event}",
            polled.call
        ));
    }
}

/// The seed's chance.
#[derive(Clone, Copy)]
pub(crate) struct Chance<'a>(&'a Simulation);

impl Chance<'_> {
    pub(crate) fn below(&self, n: usize) -> usize {
        (self.0.random() >> 16) as usize % n
    }

    pub(crate) fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn of<T: Copy>(&self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    pub(crate) fn millis(&self, among: &[u64]) -> Duration {
        Duration::from_millis(self.of(among))
    }
}
