//! What is kept outside the process: how it is read, leased and filled.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::Inner;
use crate::codec::{Codec, Decoded, Stamps, Wire};
use crate::entry::{Restored, Slot, Terms, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::key::Key;
pub(crate) use crate::lease::StoreLease;
use crate::policy::{Deadlines, FOREVER, Policy, Span, Verdict};
use crate::runtime::Timestamp;
use crate::stats::Counter;
use crate::store::{Ask, Condition, Fill, Found, Head, Life, Read, Store, Tag, TagVersions, Write};

mod filling;
mod looking;

/// For how long a load may take at least before its right to fill a store is lost.
const LEASE: Duration = Duration::from_secs(60);

/// For how long versions of tags are made to live when only the value will say for how long the entry does.
const UNKNOWN: Duration = Duration::from_secs(86_400);

/// How many entries of a store, of those that memory does not hold, are remembered to be throttled or used.
const NOTES: usize = 10_000;

/// The store of a cache, and how memory stands before it.
pub(crate) struct Outside {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) codec: Codec,
    /// For how long memory may keep what the store holds; `None`: not at all.
    memory: Option<u64>,
    /// Whether the store tells of changes, or does not do so at all.
    pub(super) is_heard: AtomicBool,
    /// What this process knows of entries that only the store holds.
    notes: Mutex<HashMap<Key, Slot, RandomState>>,
}

/// What a look into the store gave.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// An entry that is alive, be it only for a failing source.
    pub(crate) slot: Option<Slot>,
    /// Whether it has no times of its own: a counter, or plain text of another program. It is never kept in memory.
    pub(crate) is_bare: bool,
    pub(crate) lease: Option<StoreLease>,
    /// Why there is neither.
    pub(crate) error: Option<Error>,
}

/// What became of a fill of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Stored,
    /// The lease was lost, or a tag was forgotten.
    Superseded,
    /// The store failed, or there is none for this value.
    Not,
}

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looking<'a> {
    pub(crate) key: &'a Key,
    /// Tags that the entry is likely to have.
    pub(crate) tags: &'a [Key],
    pub(crate) wire: &'a Wire,
    pub(crate) policy: &'a Policy,
    pub(crate) ask: Ask,
    /// The tag epoch of this process before the read.
    pub(crate) as_of: u64,
}

impl Looking<'_> {
    /// The question for the store.
    fn question<'q>(&'q self, tags: &'q [&'q str], now: u64) -> Read<'q> {
        Read {
            key: self.key.as_str(),
            ask: self.ask,
            tags,
            lease: self.lease(),
            life: self.life(),
            now,
        }
    }

    /// For how long a load may take before its right to fill is lost: as long as its policy allows it to take.
    fn lease(&self) -> Duration {
        let policy = self.policy;
        // A caller may wait first, and leave the load to go on behind for as long again.
        let waits = [policy.hard_timeout, policy.timeout];
        let waits = waits
            .into_iter()
            .find(|waits| *waits != FOREVER)
            .unwrap_or(0);
        Duration::from_nanos(policy.load_limit.saturating_add(waits)).clamp(LEASE, UNKNOWN)
    }

    /// For how long the entry may live.
    fn life(&self) -> Life {
        match self.policy.ttl {
            Some(_) => self.policy.longest_life(),
            None => Some(UNKNOWN),
        }
    }
}

impl Outside {
    pub(crate) fn new(store: Arc<dyn Store>, codec: Codec, memory: Option<u64>) -> Self {
        let tells = store.invalidations().is_some();
        Self {
            store,
            codec,
            // Copies that are kept true need no other end.
            memory: memory.or(tells.then_some(u64::MAX)),
            is_heard: AtomicBool::new(!tells),
            notes: Mutex::default(),
        }
    }

    /// Whether memory stands in front of the store.
    pub(crate) fn keeps_copies(&self) -> bool {
        self.memory.is_some()
    }

    /// For how long memory may keep a copy.
    fn copies(&self) -> Option<u64> {
        self.memory
            .filter(|_| self.is_heard.load(Ordering::Acquire))
    }

    /// Remembers what happened to an entry of the store, for the next time that it is read.
    pub(crate) fn note(&self, key: &Key, slot: &Slot) {
        if !slot.is_noted() {
            return;
        }
        let mut notes = self.notes.lock();
        let full = notes.len() >= NOTES;
        // Whatever goes costs a load more or a hit more than asked, never a wrong value.
        let gone = if full {
            notes.keys().next().cloned()
        } else {
            None
        };
        let before = gone.and_then(|key| notes.remove(&key));
        let replaced = notes.insert(key.clone(), slot.clone());
        drop(notes);
        drop((before, replaced));
    }

    /// Forgets what was noted of a key: it is written anew.
    pub(crate) fn anew(&self, key: &Key) {
        let noted = self.notes.lock().remove(key);
        drop(noted);
    }

    fn recall(&self, key: &Key, slot: &mut Slot) {
        let mut notes = self.notes.lock();
        let forgotten = match notes.get(key) {
            Some(noted) if !slot.continue_as(noted) => notes.remove(key),
            _ => None,
        };
        drop(notes);
        drop(forgotten);
    }
}

impl Inner {
    /// The store that values of this kind go to.
    pub(crate) fn outside_for(&self, wire: &Wire) -> Option<&Outside> {
        self.outside.as_ref().filter(|_| !wire.is_local())
    }

    /// A tag as the store knows it.
    fn store_tag(&self, tag: &Key) -> String {
        format!("{}{tag}", self.prefix)
    }

    pub(crate) fn store_tags<'k>(&self, tags: impl IntoIterator<Item = &'k Key>) -> Vec<String> {
        tags.into_iter().map(|tag| self.store_tag(tag)).collect()
    }

    /// Counts and tells what a store could not do.
    pub(crate) fn store_failed(&self, outside: &Outside, key: &str, error: &Error) {
        self.stats.add(Counter::StoreFailures, 1);
        let store = outside.store.name();
        self.tell(|| Event::StoreFailed { key, store, error });
    }
}

/// One entry on its way to the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outbound<'a> {
    pub(crate) key: &'a Key,
    pub(crate) slot: &'a Slot,
    pub(crate) wire: &'a Wire,
    pub(crate) versions: &'a [(Key, u64)],
    pub(crate) condition: Condition,
}

/// Whether the store gave no answer at all.
fn is_out_of_reach(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside")
            .field("store", &self.store)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}
