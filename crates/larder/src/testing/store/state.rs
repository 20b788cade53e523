//! What a place holds, and whom it tells.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::runtime::Timestamp;
use crate::store::{Changed, Life, Sink};

/// All maps are ordered: a walk is the same in each run.
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) entries: BTreeMap<String, Stored>,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) tags: BTreeMap<String, Version>,
    pub(super) epoch: u64,
    pub(super) locks: BTreeMap<String, Held>,
    pub(super) windows: BTreeMap<String, Window>,
    pub(super) sinks: BTreeMap<u64, Arc<dyn Sink>>,
    pub(super) changes: Vec<Change>,
    numbers: u64,
}

pub(super) struct Stored {
    pub(super) bytes: Vec<u8>,
    pub(super) until: Timestamp,
}

pub(super) struct Lease {
    pub(super) token: u64,
    pub(super) until: Timestamp,
}

pub(super) struct Version {
    pub(super) number: u64,
    pub(super) until: Timestamp,
}

pub(super) struct Held {
    pub(super) owner: String,
    pub(super) until: Timestamp,
    pub(super) fence: u64,
}

pub(super) struct Window {
    pub(super) counted: VecDeque<Timestamp>,
    pub(super) until: Timestamp,
}

pub(super) enum Change {
    Key(String),
    Tag(String),
}

/// For how long the fencing number of a lock outlives it.
pub(super) const FENCES: std::time::Duration = std::time::Duration::from_secs(2 * 86_400);

impl State {
    pub(super) fn new(seed: u64) -> Self {
        let mut state = Self {
            now: Timestamp(0),
            entries: BTreeMap::new(),
            leases: BTreeMap::new(),
            tags: BTreeMap::new(),
            epoch: 0,
            locks: BTreeMap::new(),
            windows: BTreeMap::new(),
            sinks: BTreeMap::new(),
            changes: Vec::new(),
            numbers: seed,
        };
        state.epoch = state.number();
        state
    }

    /// A number that never came before and is not 0: a Weyl sequence meets each of its numbers once in 2^64 steps, and the mixing is one to one.
    pub(super) fn number(&mut self) -> u64 {
        loop {
            self.numbers = self.numbers.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let number = crate::runtime::mix(self.numbers);
            if number != 0 {
                return number;
            }
        }
    }

    pub(super) fn until(&self, life: Life) -> Timestamp {
        life.map_or(Timestamp::NEVER, |life| self.now.after(life))
    }

    /// What is left until an instant, as a life.
    pub(super) fn left(&self, until: Timestamp) -> Life {
        (until != Timestamp::NEVER).then(|| until.since(self.now))
    }

    /// Moves to the present: nothing that is past its life is there any more.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.now = now;
        self.entries.retain(|_, entry| entry.until > now);
        self.leases.retain(|_, lease| lease.until > now);
        self.tags.retain(|_, tag| tag.until > now);
        self.locks.retain(|_, lock| lock.until.after(FENCES) > now);
        self.windows.retain(|_, window| window.until > now);
    }

    /// Tells all connections but the one that made the changes.
    pub(super) fn tell(&mut self, by: u64) {
        for change in self.changes.drain(..) {
            let what = match &change {
                Change::Key(key) => Changed::Key(key),
                Change::Tag(tag) => Changed::Tag(tag),
            };
            let others = self.sinks.iter().filter(|(link, _)| **link != by);
            others.for_each(|(_, sink)| sink.changed(what));
        }
    }
}
