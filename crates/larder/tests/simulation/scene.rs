//! One schedule's world: the cache, a source of truth that changes, and a log against which every answer is held.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use larder::testing::Simulation;
use larder::{Cache, Event};

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

/// What a panic of a source carries: whose call it was.
#[derive(Debug)]
pub(crate) struct Blast {
    pub(crate) call: u64,
}

/// What an invalidation means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Key(usize),
    Group(usize),
    Tag(String),
    All,
}

/// An acknowledged invalidation, or a write that is final for its key.
#[derive(Clone, Debug)]
struct Forgotten {
    what: What,
    from: u64,
    acknowledged: u64,
}

/// A load that runs as the flight of its key.
#[derive(Clone, Debug)]
struct Running {
    id: u64,
    key: usize,
    /// The tick at which the flight was joined.
    joined: u64,
}

/// How errors of a call look like: those of other calls are of no use to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Errors {
    Own,
    Larder,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    keys: Vec<usize>,
    errors: Errors,
    /// A load of the other kind failed meanwhile: this call then asks the source without a flight.
    alone: bool,
}

/// Which call is being polled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Polled {
    pub(crate) call: u64,
    pub(crate) batch: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    tick: u64,
    forgotten: Vec<Forgotten>,
    /// Who asks after these ticks does not join the flight that was there.
    displaced: Vec<(u64, What)>,
    running: Vec<Running>,
    waiting: Vec<Waiting>,
    touched: Vec<(usize, u64, u64)>,
    /// When a load came to nothing, or somebody could not wait for one.
    excused: Vec<(usize, u64)>,
    /// The newest load that was seen in the cache.
    newest: [u64; NAMES.len()],
    pub(crate) polled: Polled,
    stored: Vec<(usize, u64)>,
    alone: Vec<(usize, u64)>,
    recursed: Vec<(usize, u64)>,
    pub(crate) lookups: u64,
    pub(crate) loads: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Option<Vec<String>>,
}

/// All of one schedule.
pub(crate) struct Scene {
    pub(crate) simulation: Simulation,
    pub(crate) cache: Cache,
    pub(crate) plans: Vec<Plan>,
    log: Arc<Mutex<Log>>,
    observed: bool,
}

const NAMES: [&str; 4] = ["a:0", "a:1", "b:0", "b:1"];

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

impl Log {
    pub(crate) fn tick(&mut self) -> u64 {
        self.tick += 1;
        self.tick
    }

    pub(crate) fn fail(&mut self, what: String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("VIOLATION {what}"));
        }
        self.violations.push(what);
    }

    /// An invalidation that began at `from` is acknowledged now.
    pub(crate) fn forget(&mut self, what: What, from: u64) {
        let acknowledged = self.tick();
        self.displace(what.clone());
        for (key, newest) in self.newest.iter_mut().enumerate() {
            // What is written from outside has no place among the loads.
            if matches!(what, What::Key(k) if k == key) {
                *newest = 0;
            }
        }
        self.forgotten.push(Forgotten {
            what,
            from,
            acknowledged,
        });
    }

    pub(crate) fn displace(&mut self, what: What) {
        let tick = self.tick();
        self.displaced.push((tick, what));
        self.tick();
    }

    pub(crate) fn touch(&mut self, key: usize, until: u64) {
        let at = self.tick();
        self.touched.push((key, at, until));
    }

    pub(crate) fn excuse(&mut self, key: usize) {
        let tick = self.tick;
        self.excused.push((key, tick));
    }

    /// Whether this load runs past the cache: it is a part of a load of the same key.
    pub(crate) fn is_past(&self, key: usize, joined: Option<u64>) -> bool {
        let told = self.recursed.last();
        joined.is_some_and(|joined| told == Some(&(key, joined - 1)))
    }

    /// This value is in the cache now.
    pub(crate) fn seen(&mut self, value: &Value) {
        let newest = self.newest[value.key];
        if value.begun < newest {
            self.fail(format!(
                "what was loaded of {} since {newest} gave way to a load since {}",
                name(value.key),
                value.begun
            ));
        }
        self.newest[value.key] = value.begun;
    }

    /// Whether this key was stored, and nothing has happened since.
    pub(crate) fn has_just_stored(&self, key: usize) -> bool {
        self.stored.last() == Some(&(key, self.tick))
    }

    pub(crate) fn begins(&mut self, keys: &[usize], errors: Errors) -> u64 {
        let id = self.tick();
        self.waiting.push(Waiting {
            id,
            keys: keys.to_vec(),
            errors,
            alone: false,
        });
        id
    }

    pub(crate) fn ends(&mut self, id: u64) {
        self.waiting.retain(|waiting| waiting.id != id);
    }

    pub(crate) fn failed(&mut self, key: usize, errors: Errors) {
        for waiting in &mut self.waiting {
            waiting.alone |= waiting.errors != errors && waiting.keys.contains(&key);
        }
    }

    /// A load begins; `joined` is when its call joined the flight. `None` when it runs without a flight, as it may.
    pub(crate) fn load_begins(
        &mut self,
        key: usize,
        call: u64,
        joined: Option<u64>,
        tags: &[String],
    ) -> Option<u64> {
        let id = self.tick();
        let joined = joined?;
        // Told in the very step that led here.
        let alone = self.alone.last() == Some(&(key, joined - 1))
            || self.waiting.iter().any(|w| w.id == call && w.alone);
        if alone {
            return None;
        }
        let other = self.running.iter().find(|other| {
            let (first, last) = (joined.min(other.joined), joined.max(other.joined));
            other.key == key && !self.was_displaced(key, tags, first, last)
        });
        if let Some(other) = other.cloned() {
            self.fail(format!(
                "two loads of {} at once: {id} joined at {joined}, {} joined at {}",
                name(key),
                other.id,
                other.joined
            ));
        }
        self.running.push(Running { id, key, joined });
        Some(id)
    }

    pub(crate) fn load_ends(&mut self, id: u64) {
        self.running.retain(|running| running.id != id);
    }

    fn was_displaced(&self, key: usize, tags: &[String], first: u64, last: u64) -> bool {
        let between = |tick: u64| first < tick && tick < last;
        let mut displaced = self.displaced.iter();
        displaced.any(|(tick, what)| between(*tick) && what.covers(key, tags))
    }

    /// A call that began at tick `begin` and time `asked` was given this value.
    pub(crate) fn given(&mut self, value: &Value, begin: u64, asked: u64) {
        self.stale(value.key, value.read, &value.tags, begin);
        if value.done > begin {
            return;
        }
        let mut touched = self.touched.iter();
        let touched = touched.rfind(|(key, at, _)| *key == value.key && *at > value.done);
        let kept = touched.map_or(value.returned.saturating_add(value.keep), |(.., until)| {
            *until
        });
        let served = touched.map_or(value.returned.saturating_add(value.serve), |(.., until)| {
            *until
        });
        if self.waiting.iter().any(|w| w.id == begin && w.alone) {
            self.excuse(value.key);
        }
        let mut excused = self.excused.iter();
        let excused = excused.any(|(key, tick)| *key == value.key && *tick >= value.done);
        let until = if excused { kept } else { served };
        if asked >= until {
            self.fail(format!(
                "call from {begin} at {asked} was given a value of {} that was served until {until}",
                name(value.key)
            ));
        }
    }

    /// The same for an error. A load of several keys fails for all of them, and this call joined it for one of `asked`.
    pub(crate) fn refused(&mut self, boom: &Boom, begin: u64, asked: &[usize]) {
        let shared: Vec<usize> = boom
            .keys
            .iter()
            .copied()
            .filter(|key| asked.contains(key))
            .collect();
        let is_stale = |key: &usize| {
            self.forgotten_since(*key, boom.read, &boom.tags, begin)
                .is_some()
        };
        if shared.iter().all(is_stale)
            && let Some(key) = shared.first()
        {
            self.stale(*key, boom.read, &boom.tags, begin);
        }
    }

    fn forgotten_since(
        &self,
        key: usize,
        read: u64,
        tags: &[String],
        begin: u64,
    ) -> Option<&Forgotten> {
        self.forgotten.iter().find(|forgotten| {
            forgotten.acknowledged <= begin
                && read < forgotten.from
                && forgotten.what.covers(key, tags)
        })
    }

    fn stale(&mut self, key: usize, read: u64, tags: &[String], begin: u64) {
        let stale = self.forgotten_since(key, read, tags, begin);
        if let Some(forgotten) = stale.cloned() {
            self.fail(format!(
                "call from {begin} was given what was read of {} at {read}, before {forgotten:?}",
                name(key)
            ));
        }
    }

    /// What must hold when all has come to rest.
    pub(crate) fn at_rest(&mut self) {
        if !self.running.is_empty() || !self.waiting.is_empty() {
            self.fail(format!(
                "still under way: {:?} {:?}",
                self.running, self.waiting
            ));
        }
    }
}

impl What {
    fn covers(&self, key: usize, tags: &[String]) -> bool {
        match self {
            Self::Key(k) => *k == key,
            Self::Group(group) => key / 2 == *group,
            Self::Tag(tag) => tags.contains(tag),
            Self::All => true,
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
