//! What happened in a schedule, in the order in which it happened.

use crate::scene::{NAMES, Value, name};

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
pub(crate) struct Forgotten {
    pub(crate) what: What,
    pub(crate) from: u64,
    pub(crate) acknowledged: u64,
}

/// A load that runs as the flight of its key.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) id: u64,
    pub(crate) key: usize,
    /// The tick at which the flight was joined.
    pub(crate) joined: u64,
}

/// How errors of a call look like: those of other calls are of no use to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Errors {
    Own,
    Larder,
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) id: u64,
    pub(crate) keys: Vec<usize>,
    pub(crate) errors: Errors,
    /// A load of the other kind failed meanwhile: this call then asks the source without a flight.
    pub(crate) alone: bool,
}

/// Which call is being polled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Polled {
    pub(crate) call: u64,
    pub(crate) batch: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) tick: u64,
    pub(crate) forgotten: Vec<Forgotten>,
    /// Who asks after these ticks does not join the flight that was there.
    pub(crate) displaced: Vec<(u64, What)>,
    pub(crate) running: Vec<Running>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) touched: Vec<(usize, u64, u64)>,
    /// When a load came to nothing, or somebody could not wait for one.
    pub(crate) excused: Vec<(usize, u64)>,
    /// The newest load that was seen in the cache.
    pub(crate) newest: [u64; NAMES.len()],
    pub(crate) polled: Polled,
    pub(crate) stored: Vec<(usize, u64)>,
    pub(crate) alone: Vec<(usize, u64)>,
    pub(crate) recursed: Vec<(usize, u64)>,
    pub(crate) lookups: u64,
    pub(crate) loads: u64,
    pub(crate) violations: Vec<String>,
    pub(crate) trace: Option<Vec<String>>,
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
}

impl What {
    pub(crate) fn covers(&self, key: usize, tags: &[String]) -> bool {
        match self {
            Self::Key(k) => *k == key,
            Self::Group(group) => key / 2 == *group,
            Self::Tag(tag) => tags.contains(tag),
            Self::All => true,
        }
    }
}
