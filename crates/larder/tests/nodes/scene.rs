//! One schedule's world: nodes on a store, a source of truth that changes, and a log against which every answer is held.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use larder::testing::{Faults, MemoryStore, Simulation};
use larder::{Cache, Event};
use serde::{Deserialize, Serialize};

use crate::limited::{Compares, Limited};
use crate::log::Log;
use crate::plan::Plan;

/// How a value came about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum How {
    Load,
    Set,
    Put,
}

/// What a source gives: when it was read, and all that decides how long it may be served.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Value {
    pub(crate) key: usize,
    /// The tick at which the source of truth was read.
    pub(crate) read: u64,
    /// The tick at which its call began, and at which its source ended.
    pub(crate) begun: u64,
    pub(crate) done: u64,
    /// The virtual time at which the source returned it.
    pub(crate) returned: u64,
    pub(crate) keep: u64,
    pub(crate) tags: Vec<String>,
    pub(crate) how: How,
}

/// How a source fails.
#[derive(Clone, Debug)]
pub(crate) struct Boom;

impl fmt::Display for Boom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the source failed")
    }
}

impl Error for Boom {}

/// What a panic of a source carries.
#[derive(Debug)]
pub(crate) struct Blast;

/// One process, from its start to its end.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// No two processes have the same, though one takes the place of another.
    pub(crate) number: usize,
    pub(crate) cache: Cache,
    pub(crate) link: MemoryStore,
    /// For how long its memory may keep what the store holds, in nanoseconds.
    pub(crate) bound: u64,
}

/// All of one schedule.
pub(crate) struct Scene {
    pub(crate) simulation: Simulation,
    pub(crate) store: MemoryStore,
    nodes: Mutex<Vec<Node>>,
    numbers: AtomicUsize,
    pub(crate) plans: Vec<Plan>,
    /// Whether anything but delays may go wrong.
    pub(crate) stormy: bool,
    /// Whether sources fail.
    pub(crate) failing: bool,
    pub(crate) doubled: bool,
    compares: Compares,
    pub(crate) crashed: AtomicBool,
    delay: Duration,
    pub(crate) log: Arc<Mutex<Log>>,
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
        let stormy = chance.one_in(2);
        let keys = 1 + chance.below(4);
        let tagged = chance.one_in(2);
        let plan = |_| Plan::new(&chance, false, tagged);
        let scene = Self {
            store: MemoryStore::new(simulation.runtime()),
            simulation: simulation.clone(),
            nodes: Mutex::default(),
            numbers: AtomicUsize::new(0),
            plans: (0..keys).map(plan).collect(),
            stormy,
            failing: chance.one_in(3),
            doubled: stormy && chance.one_in(3),
            compares: chance.of(&[Compares::Store, Compares::Engine]),
            crashed: AtomicBool::new(false),
            delay: Duration::from_millis([0, 4, 30][chance.below(3)]),
            log: Arc::default(),
        };
        if std::env::var_os("LARDER_SEED").is_some() {
            scene.log().trace = Some(Vec::new());
        }
        for _ in 0..2 + chance.below(3) {
            let node = scene.start();
            scene.nodes().push(node);
        }
        Arc::new(scene)
    }

    /// A new process.
    fn start(&self) -> Node {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let link = self.store.connect();
        link.suffer(self.faults());
        let store = Arc::new(Limited::new(link.clone(), &self.simulation, self.compares));
        let bound = match self.chance().below(2) {
            0 => None,
            _ => Some(self.chance().millis(&[10, 40])),
        };
        let mut builder = self.simulation.cache_builder().store(store);
        if let Some(bound) = bound {
            builder = builder.memory_ttl(bound);
        }
        if self.log().trace.is_some() {
            let log = Arc::clone(&self.log);
            builder = builder.observer(move |event: &Event<'_>| {
                let mut log = log.lock().expect("no panic while the log is held");
                let tick = log.tick;
                let trace = log.trace.as_mut();
                trace
                    .expect("there is one")
                    .push(format!("           us {tick:>5} node {number}: {event}"));
            });
        }
        Node {
            number,
            cache: builder.build().expect("a builder with nothing wrong"),
            link,
            bound: bound.map_or(0, crate::plan::nanos),
        }
    }

    /// What links suffer at the worst.
    pub(crate) fn faults(&self) -> Faults {
        let chance = self.chance();
        let faults = Faults::none().delay(self.delay);
        if !self.stormy {
            return faults;
        }
        let share = || [0.0, 0.02, 0.1][chance.below(3)];
        let doubled = if self.doubled { share() } else { 0.0 };
        faults
            .errors(share())
            .lost_requests(share())
            .lost_answers(share())
            .late(share(), Duration::from_millis(60))
            .doubled(doubled)
    }

    /// The place of a process that is no more goes to a new one.
    pub(crate) fn start_again(&self, place: usize) {
        let node = self.start();
        let before = std::mem::replace(&mut self.nodes()[place], node);
        before.link.cut();
    }

    pub(crate) fn node(&self, place: usize) -> Node {
        self.nodes()[place].clone()
    }

    pub(crate) fn places(&self) -> usize {
        self.nodes().len()
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Node>> {
        self.nodes.lock().expect("no panic while it is held")
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("no panic while the log is held")
    }

    pub(crate) fn chance(&self) -> Chance<'_> {
        Chance(&self.simulation)
    }

    pub(crate) fn now(&self) -> u64 {
        larder::runtime::Runtime::clock(&self.simulation)
            .now()
            .as_nanos()
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        let now = self.now() / 1_000;
        let mut log = self.log();
        let tick = log.tick;
        if let Some(trace) = &mut log.trace {
            trace.push(format!("{now:>8} us {tick:>5} {}", what()));
        }
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
