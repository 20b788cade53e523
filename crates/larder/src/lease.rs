//! The right to fill a key, and who is filling it.
//!
//! One record per key *that is being filled*, none for the rest: the table is as small as the work in progress. An
//! invalidation moves the record's generation, so that every fill that was leased before it loses, and takes the flight out, so that who
//! asks after it does not join a load that began before it.
//!
//! Every write of an entry happens under its record's lock. That makes checking the lease and storing the value one step.
//! No user code runs under the lock: what a write pushed out is handed back and dropped by the caller.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::flight::Flight;
use crate::key::Key;
use crate::shim::{Mutex, MutexGuard};
use crate::store::{Life, Token};

const SHARDS: usize = 64;

type Shard = HashMap<Key, Record, RandomState>;

#[derive(Debug)]
struct Record {
    generation: u64,
    /// How many leases were given out, and the latest of them that was filled under.
    leased: u64,
    filled: u64,
    /// How many times the entry in memory was filled or dropped in the course of a load.
    fills: u64,
    /// Leases on this record; the last one to go takes it out.
    holders: u32,
    /// Writes from outside that are on their way to a store.
    writers: u32,
    /// How many of them have begun.
    written: u64,
    flight: Option<Arc<Flight>>,
}

#[derive(Debug)]
pub(crate) struct Leases {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

/// The right to fill one key, taken before the computation starts.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) key: Key,
    generation: u64,
    order: u64,
    /// The record's fills before.
    fills: u64,
    /// The tag epoch before the computation.
    pub(crate) as_of: u64,
    leases: Arc<Leases>,
}

/// The right to fill a store, and what stood there when it was given.
#[derive(Clone, Debug)]
pub(crate) struct StoreLease {
    pub(crate) token: Token,
    /// The versions of the tags that were known then.
    pub(crate) versions: Vec<(Key, u64)>,
    pub(crate) epoch: u64,
    /// For how long these live at least.
    pub(crate) life: Life,
}

/// A write from outside that is on its way to a store.
///
/// Who writes a key while another does cannot know whose value the store keeps.
#[derive(Debug)]
pub(crate) struct Writing {
    lease: Lease,
    /// Which write of the key this is.
    turn: u64,
    /// Whether another was on its way when it began.
    met: bool,
}

/// A key's record, locked. All writes of the key's entry go through one.
pub(crate) struct Locked<'a> {
    shard: MutexGuard<'a, Shard>,
}

/// The records of several keys, locked together: who writes one of these keys does so before or after.
pub(crate) struct LockedTogether<'a> {
    leases: &'a Leases,
    /// By shard, ascending.
    shards: Vec<(usize, MutexGuard<'a, Shard>)>,
}

/// What a call for a key should do.
pub(crate) enum Joined {
    /// Load it.
    Lead(Lease, Arc<Flight>),
    /// Wait for the one who loads it.
    Follow(Arc<Flight>),
}

impl Leases {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
        })
    }

    pub(crate) fn lock(&self, key: &Key) -> Locked<'_> {
        Locked {
            shard: self.shards[self.shard_of(key)].lock(),
        }
    }

    fn shard_of(&self, key: &Key) -> usize {
        self.hasher.hash_one(key) as usize % SHARDS
    }

    /// Locks the records of all these keys. In one order for everybody, and nobody locks a second one while holding another.
    pub(crate) fn lock_together<'k>(
        &self,
        keys: impl Iterator<Item = &'k Key>,
    ) -> LockedTogether<'_> {
        let mut places: Vec<usize> = keys.map(|key| self.shard_of(key)).collect();
        places.sort_unstable();
        places.dedup();
        let lock = |place: usize| (place, self.shards[place].lock());
        LockedTogether {
            leases: self,
            shards: places.into_iter().map(lock).collect(),
        }
    }

    /// A lease without a flight: for writes that follow a computation which others do not wait for.
    pub(crate) fn take(self: &Arc<Self>, key: &Key, as_of: u64) -> Lease {
        let mut locked = self.lock(key);
        self.lease(&mut locked, key, as_of)
    }

    fn lease(self: &Arc<Self>, locked: &mut Locked<'_>, key: &Key, as_of: u64) -> Lease {
        let record = locked.record(key);
        record.holders += 1;
        record.leased += 1;
        Lease {
            key: key.clone(),
            generation: record.generation,
            order: record.leased,
            fills: record.fills,
            as_of,
            leases: Arc::clone(self),
        }
    }

    /// Joins the flight for `key`, or starts one.
    ///
    /// `may_join` decides over a flight in progress; one that it refuses goes on for those who wait already.
    pub(crate) fn join(
        self: &Arc<Self>,
        key: &Key,
        as_of: u64,
        may_join: impl FnOnce(&Flight) -> bool,
    ) -> Joined {
        self.join_with(key, as_of, may_join, Flight::new)
    }

    /// [`join`](Self::join), with how a flight is started.
    pub(crate) fn join_with(
        self: &Arc<Self>,
        key: &Key,
        as_of: u64,
        may_join: impl FnOnce(&Flight) -> bool,
        start: impl FnOnce(u64) -> Arc<Flight>,
    ) -> Joined {
        let mut locked = self.lock(key);
        let flight = locked.shard.get(key).and_then(|r| r.flight.as_ref());
        if !cfg!(larder_broken_flight)
            && let Some(flight) = flight
            && may_join(flight)
        {
            return Joined::Follow(Arc::clone(flight));
        }
        let lease = self.lease(&mut locked, key, as_of);
        let flight = start(as_of);
        locked.record(key).flight = Some(Arc::clone(&flight));
        Joined::Lead(lease, flight)
    }

    /// A lease with a flight that nobody joins, beside the key's own if there is one.
    pub(crate) fn lead_alone(self: &Arc<Self>, key: &Key, as_of: u64) -> Joined {
        Joined::Lead(self.take(key, as_of), Flight::new(as_of))
    }

    /// Starts a flight unless one is in progress.
    pub(crate) fn lead_if_idle(
        self: &Arc<Self>,
        key: &Key,
        as_of: u64,
    ) -> Option<(Lease, Arc<Flight>)> {
        let mut locked = self.lock(key);
        if locked.shard.get(key).is_some_and(|r| r.flight.is_some()) {
            return None;
        }
        let lease = self.lease(&mut locked, key, as_of);
        let flight = Flight::new(as_of);
        locked.record(key).flight = Some(Arc::clone(&flight));
        Some((lease, flight))
    }

    /// Begins a write: every fill in progress loses. `None` when `after`, the lease of a computation that the write follows, was lost.
    pub(crate) fn begin_write(
        self: &Arc<Self>,
        key: &Key,
        as_of: u64,
        after: Option<&Lease>,
    ) -> Option<Writing> {
        let mut locked = self.lock(key);
        if after.is_some_and(|lease| !locked.holds(lease)) {
            return None;
        }
        locked.revoke(key);
        let lease = self.lease(&mut locked, key, as_of);
        let record = locked.record(key);
        record.written += 1;
        let (turn, met) = (record.written, record.writers > 0);
        record.writers += 1;
        Some(Writing { lease, turn, met })
    }

    /// Takes a flight out, if it is still the key's flight. Who waits is told by the flight itself.
    pub(crate) fn land(&self, key: &Key, flight: &Arc<Flight>) {
        let mut locked = self.lock(key);
        if let Some(record) = locked.shard.get_mut(key)
            && record
                .flight
                .as_ref()
                .is_some_and(|f| Arc::ptr_eq(f, flight))
        {
            record.flight = None;
        }
    }

    /// Revokes the leases of all keys that match.
    ///
    /// Call it before removing the matching entries: a fill is then either refused, or stored early enough to be found.
    pub(crate) fn revoke(&self, matches: impl Fn(&Key) -> bool) {
        for shard in &self.shards {
            for (key, record) in &mut *shard.lock() {
                if matches(key) {
                    record.revoke();
                }
            }
        }
    }

    pub(crate) fn is_loading(&self, key: &Key) -> bool {
        let locked = self.lock(key);
        locked.shard.get(key).is_some_and(|r| r.flight.is_some())
    }

    /// How many keys are being filled.
    pub(crate) fn records(&self) -> usize {
        self.shards.iter().map(|s| s.lock().len()).sum()
    }
}

impl Locked<'_> {
    fn record(&mut self, key: &Key) -> &mut Record {
        self.shard.entry(key.clone()).or_insert(Record {
            generation: 0,
            leased: 0,
            filled: 0,
            fills: 0,
            holders: 0,
            writers: 0,
            written: 0,
            flight: None,
        })
    }

    /// Revokes the key's leases and takes its flight out.
    pub(crate) fn revoke(&mut self, key: &Key) {
        if let Some(record) = self.shard.get_mut(key) {
            record.revoke();
        }
    }

    /// Whether the lease still stands, as far as its key goes.
    pub(crate) fn holds(&self, lease: &Lease) -> bool {
        cfg!(larder_broken_lease)
            || self
                .shard
                .get(&lease.key)
                .is_some_and(|record| record.generation == lease.generation)
    }

    /// Whether an entry may be filled under the lease: it stands, and nobody filled who took theirs later. What is stored never goes back
    /// to an older load.
    pub(crate) fn may_fill(&self, lease: &Lease) -> bool {
        let newest = self.shard.get(&lease.key).map(|record| record.filled);
        let is_newest = newest.is_none_or(|filled| filled < lease.order);
        self.holds(lease) && (cfg!(larder_broken_lease) || is_newest)
    }

    /// Whether a copy of what a store held at some time under the lease may be kept: the lease stands, and nobody filled since it was taken. What the
    /// store was asked for says nothing of which of two copies is the newer one.
    pub(crate) fn may_copy(&self, lease: &Lease) -> bool {
        let fills = self.shard.get(&lease.key).map(|record| record.fills);
        let is_unfilled = fills.is_none_or(|fills| fills == lease.fills);
        self.holds(lease) && (cfg!(larder_broken_lease) || is_unfilled)
    }

    /// Ends a write: every fill that began meanwhile loses. Whether it was the only one while it lasted.
    pub(crate) fn end_write(&mut self, writing: &Writing) -> bool {
        let key = &writing.lease.key;
        self.revoke(key);
        let alone = |record: &Record| record.written == writing.turn && !writing.met;
        self.shard.get(key).is_some_and(alone)
    }

    /// Notes that an entry is filled under the lease.
    pub(crate) fn filled(&mut self, lease: &Lease) {
        if let Some(record) = self.shard.get_mut(&lease.key) {
            record.filled = record.filled.max(lease.order);
            record.fills += 1;
        }
    }

    /// Notes that the entry is dropped: copies that are on their way are not kept.
    pub(crate) fn dropped(&mut self, lease: &Lease) {
        if let Some(record) = self.shard.get_mut(&lease.key) {
            record.fills += 1;
        }
    }
}

impl LockedTogether<'_> {
    /// Revokes the leases of one of the keys and takes its flight out.
    pub(crate) fn revoke(&mut self, key: &Key) {
        let place = self.leases.shard_of(key);
        if let Ok(at) = self
            .shards
            .binary_search_by_key(&place, |(place, _)| *place)
            && let Some(record) = self.shards[at].1.get_mut(key)
        {
            record.revoke();
        }
    }
}

impl Record {
    fn revoke(&mut self) {
        self.generation += 1;
        self.flight = None;
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut locked = self.lease.leases.lock(&self.lease.key);
        if let Some(record) = locked.shard.get_mut(&self.lease.key) {
            record.writers -= 1;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut locked = self.leases.lock(&self.key);
        if let Some(record) = locked.shard.get_mut(&self.key) {
            record.holders -= 1;
            if record.holders == 0 {
                let record = locked.shard.remove(&self.key);
                drop(locked);
                drop(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_lives_as_long_as_its_leases() {
        let leases = Leases::new();
        let key = Key::from("k");
        let a = leases.take(&key, 0);
        let b = leases.take(&key, 0);
        assert_eq!(leases.records(), 1);
        leases.lock(&key).revoke(&key);
        let c = leases.take(&key, 0);
        assert!(!leases.lock(&key).holds(&a) && !leases.lock(&key).holds(&b));
        assert!(leases.lock(&key).holds(&c));
        drop((a, b, c));
        assert_eq!(leases.records(), 0);
    }

    #[test]
    fn after_an_invalidation_nobody_joins_the_older_flight() {
        let leases = Leases::new();
        let key = Key::from("k");
        let Joined::Lead(_lease, first) = leases.join(&key, 0, |_| true) else {
            panic!("the first one leads");
        };
        assert!(
            matches!(leases.join(&key, 0, |_| true), Joined::Follow(f) if Arc::ptr_eq(&f, &first))
        );
        leases.revoke(|k| k.as_str().starts_with('k'));
        assert!(matches!(leases.join(&key, 0, |_| true), Joined::Lead(..)));
    }
}
