//! The tier itself: `quick_cache`, with entries that know their time.

use std::hash::Hash;

use foldhash::fast::RandomState;
use quick_cache::sync::Cache as Quick;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, Weighter};

use super::{Bound, Pushed};
use crate::entry::Slot;
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;

/// A sweep looks at one shard's entries one by one and a retain would hold the shard for all of them: small shards keep either short.
const ENTRIES_PER_SHARD: u64 = 8_192;

#[derive(Clone, Debug)]
struct HandBack;

impl Lifecycle<Key, Slot> for HandBack {
    type RequestState = Pushed;

    #[inline]
    fn on_evict(&self, state: &mut Pushed, key: Key, slot: Slot) {
        state.out.push((key, slot));
    }
}

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<Key, Slot> for Weigh {
    #[inline]
    fn weight(&self, _key: &Key, slot: &Slot) -> u64 {
        u64::from(slot.weight())
    }
}

#[derive(Debug)]
pub(crate) struct Memory {
    entries: Quick<Key, Slot, Weigh, RandomState, HandBack>,
    pub(crate) bound: Bound,
}

impl Memory {
    pub(crate) fn new(bound: Bound) -> Result<Self> {
        let (weight, estimate) = match bound {
            Bound::Entries(entries) => (entries, entries),
            Bound::Weight { total, entries } => (total, entries),
        };
        if weight == 0 {
            return Err(Error::new(
                ErrorKind::Config,
                "build",
                "a memory tier of size 0 holds nothing: give it at least 1, or switch the cache off",
            ));
        }
        let shards = shards(bound, weight, estimate);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(usize::try_from(estimate).unwrap_or(usize::MAX))
            // The share of a shard is rounded up; so that the sum is never more than was asked for, it must come out even.
            .weight_capacity(weight - weight % shards)
            .shards(usize::try_from(shards).unwrap_or(1))
            .build()
            .map_err(|e| Error::new(ErrorKind::Config, "build", e.to_string()))?;
        Ok(Self {
            entries: Quick::with_options(options, Weigh, RandomState::default(), HandBack),
            bound,
        })
    }

    #[inline]
    pub(crate) fn find<Q: Hash + Equivalent<Key> + ?Sized>(&self, key: &Q) -> Option<Slot> {
        self.entries.get(key)
    }

    /// Looks without being taken for a use of the entry.
    pub(crate) fn peek<Q: Hash + Equivalent<Key> + ?Sized>(&self, key: &Q) -> Option<Slot> {
        self.entries.peek(key)
    }

    pub(crate) fn insert(&self, key: Key, slot: Slot) -> Pushed {
        let mut pushed = Pushed::default();
        self.entries.insert_with_lifecycle(key, slot, &mut pushed);
        pushed
    }

    pub(crate) fn remove(&self, key: &Key) -> Option<(Key, Slot)> {
        self.entries.remove(key)
    }

    /// Removes the entry if it is still this write.
    pub(crate) fn remove_write<Q>(&self, key: &Q, slot: &Slot) -> Option<(Key, Slot)>
    where
        Q: Hash + Equivalent<Key> + ?Sized,
    {
        self.entries
            .remove_if(key, |found| found.is_same_write(slot))
    }

    /// All keys that match, each looked at under its own short lock.
    pub(crate) fn matching(&self, matches: impl Fn(&Key, &Slot) -> bool) -> Vec<Key> {
        self.entries
            .iter()
            .filter(|(key, slot)| matches(key, slot))
            .map(|(key, _)| key)
            .collect()
    }

    /// Takes everything out, one entry at a time.
    pub(crate) fn drain(&self) -> impl Iterator<Item = (Key, Slot)> + '_ {
        self.entries.drain()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Slot)> + Send + '_ {
        self.entries.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.entries.weight()
    }
}

/// By entries: enough shards to keep each small, at least enough for the cores. By weight: few, because the
/// budget is split evenly over the shards and an entry heavier than a shard's share is not let in.
///
/// A power of two with at least 32 entries a shard: any other number `quick_cache` makes one by itself.
fn shards(bound: Bound, weight: u64, estimate: u64) -> u64 {
    let cores = std::thread::available_parallelism().map_or(4, usize::from) as u64;
    let wanted = match bound {
        Bound::Entries(entries) => {
            let small = entries.div_ceil(ENTRIES_PER_SHARD);
            small.max(cores * 4).min(4_096)
        }
        Bound::Weight { .. } => cores,
    };
    let mut shards = wanted.next_power_of_two();
    while shards > 1 && (estimate.div_ceil(shards) < 32 || weight < shards) {
        shards /= 2;
    }
    shards
}
