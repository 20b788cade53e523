//! What a place holds, and whom it tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::runtime::Timestamp;
use crate::store::tally::Tally;
use crate::store::{Changed, Life, Sink};

/// All maps are ordered: a walk is the same in each run.
pub(super) struct State {
    /// The present on the place's own clock.
    pub(super) now: Timestamp,
    pub(super) time: Time,
    pub(super) entries: BTreeMap<String, Stored>,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) tags: BTreeMap<String, Version>,
    pub(super) epoch: u64,
    pub(super) locks: BTreeMap<String, Held>,
    pub(super) rows: BTreeMap<String, Row>,
    pub(super) windows: BTreeMap<String, Tally>,
    pub(super) sinks: BTreeMap<u64, Arc<dyn Sink>>,
    /// Connections that hear nothing at present.
    pub(super) deaf: BTreeSet<u64>,
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

/// Bits by position.
pub(super) struct Row {
    pub(super) set: BTreeSet<u32>,
    pub(super) until: Timestamp,
}

pub(super) enum Change {
    Key(String),
    Tag(String),
}

/// For how long the fencing number of a lock outlives it.
pub(super) const FENCES: std::time::Duration = std::time::Duration::from_secs(2 * 86_400);

impl State {
    pub(super) fn new(seed: u64, now: Timestamp) -> Self {
        let mut state = Self {
            now,
            time: Time::new(now),
            entries: BTreeMap::new(),
            leases: BTreeMap::new(),
            tags: BTreeMap::new(),
            epoch: 0,
            locks: BTreeMap::new(),
            windows: BTreeMap::new(),
            rows: BTreeMap::new(),
            sinks: BTreeMap::new(),
            deaf: BTreeSet::new(),
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
        let now = self.time.at(now);
        self.now = now;
        self.entries.retain(|_, entry| entry.until > now);
        self.leases.retain(|_, lease| lease.until > now);
        self.tags.retain(|_, tag| tag.until > now);
        self.locks.retain(|_, lock| lock.until.after(FENCES) > now);
        self.rows.retain(|_, row| row.until > now);
        self.windows
            .retain(|_, tally| tally.ends() > now.as_nanos());
    }

    /// Tells all connections but the one that made the changes.
    pub(super) fn tell(&mut self, by: u64) {
        for change in self.changes.drain(..) {
            let what = match &change {
                Change::Key(key) => Changed::Key(key),
                Change::Tag(tag) => Changed::Tag(tag),
            };
            let hears = |link: &u64| *link != by && !self.deaf.contains(link);
            let others = self.sinks.iter().filter(|(link, _)| hears(link));
            others.for_each(|(_, sink)| sink.changed(what));
        }
    }

    pub(super) fn hears_again(&mut self, link: u64) {
        if self.deaf.remove(&link)
            && let Some(sink) = self.sinks.get(&link)
        {
            sink.changed(Changed::All);
        }
    }

    pub(super) fn crash(&mut self) {
        self.entries.clear();
        self.leases.clear();
        self.tags.clear();
        self.locks.clear();
        self.windows.clear();
        self.rows.clear();
        self.changes.clear();
        self.epoch = self.number();
        let hears = |link: &u64| !self.deaf.contains(link);
        let sinks = self.sinks.iter().filter(|(link, _)| hears(link));
        sinks.for_each(|(_, sink)| sink.changed(Changed::All));
    }
}

/// A clock that may run fast or slow.
pub(super) struct Time {
    since: Timestamp,
    here: Timestamp,
    percent: u32,
}

impl Time {
    fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            here: now,
            percent: 100,
        }
    }

    fn at(&self, now: Timestamp) -> Timestamp {
        let passed = now.since(self.since).as_nanos();
        let here = passed * u128::from(self.percent) / 100;
        self.here.after(std::time::Duration::from_nanos(
            u64::try_from(here).unwrap_or(u64::MAX),
        ))
    }

    pub(super) fn runs_at(&mut self, percent: u32, now: Timestamp) {
        *self = Self {
            since: now,
            here: self.at(now),
            percent,
        };
    }
}
