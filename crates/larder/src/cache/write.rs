//! Every write and removal of an entry. Nothing else touches the memory tier's content.

use std::any::Any;
use std::sync::Arc;

use super::Inner;
use crate::entry::{Kind, Slot, Terms, Value};
use crate::error::Result;
use crate::event::Event;
use crate::key::{Key, KeyBuf};
use crate::lease::{Lease, Locked};
use crate::memory::{Bound, Pushed};
use crate::middleware::{Action, Doing, Intended, Outcome};
use crate::policy::Verdict;
use crate::selector::Selector;
use crate::stats::Counter;
use crate::switch::Operations;

/// When a write happens at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum When {
    #[default]
    Always,
    /// Only if the key is not there.
    Absent,
    /// Only if the key is there.
    Present,
}

impl When {
    pub(crate) fn allows(self, found: Option<&Slot>) -> bool {
        match self {
            Self::Always => true,
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
        }
    }
}

/// What became of a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Stored,
    /// The lease was lost.
    Superseded,
    /// What is there was left there.
    LeftOut,
}

impl From<Filled> for Outcome {
    fn from(filled: Filled) -> Self {
        Self::of(filled == Filled::Stored)
    }
}

impl Inner {
    /// A slot for a value, weighed and stamped.
    pub(crate) fn slot(
        &self,
        key: &Key,
        value: (Kind, Value),
        size: usize,
        mut terms: Terms,
    ) -> Slot {
        terms.weight = self.weigh(key, &value.1, size, &terms);
        Slot::new(value, terms, self.clock.now(), self.runtime.random())
    }

    pub(super) fn weigh(&self, key: &Key, value: &Value, size: usize, terms: &Terms) -> u32 {
        if !matches!(self.memory.bound, Bound::Weight { .. }) {
            return 0;
        }
        self.weight_of(key, value, size, terms.policy.weight)
    }

    /// What an entry weighs whose policy says `said`.
    fn weight_of(&self, key: &Key, value: &Value, size: usize, said: u32) -> u32 {
        if said > 0 {
            return said;
        }
        let by_type = match value {
            Value::Shared(any) => {
                let any: &dyn Any = &**any;
                let weigher = self.weighers.0.get(&any.type_id());
                weigher.and_then(|weigh| weigh(any))
            }
            Value::Scalar(_) => None,
        };
        let own = size_of::<Slot>() + size_of::<Key>() + key.as_str().len() + size;
        by_type
            .unwrap_or_else(|| u32::try_from(own).unwrap_or(u32::MAX))
            .max(1)
    }

    /// Asks the middleware whether a value of this size is written; `None` when it is left out.
    pub(crate) fn begin_set(
        &self,
        key: &Key,
        path: &'static str,
        (value, size): (&Value, usize),
        said: u32,
    ) -> Option<Doing<'_>> {
        self.begin(|| {
            let weight = self.weight_of(key, value, size, said);
            let intended = Intended::key(Action::Set, self.bare(key.as_str()));
            intended.by(path).weighing(weight)
        })
    }

    /// Whether an entry is still kept, be it only for a failing source.
    pub(crate) fn is_alive(&self, slot: &Slot) -> bool {
        slot.verdict(self.clock.now()) != Verdict::Gone && self.tags.stand(slot)
    }

    /// Whether an entry is there for direct operations: one past its `stale_until` is kept only for a failing source, and an error only for the
    /// function that gave it.
    pub(crate) fn is_served(&self, slot: &Slot) -> bool {
        let verdict = slot.verdict(self.clock.now());
        let served = matches!(verdict, Verdict::Fresh | Verdict::Refresh);
        served && !slot.is_failure() && self.tags.stand(slot)
    }

    /// [`remove`](Self::remove) by rendered key, told as an invalidation.
    pub(crate) fn remove_key(&self, key: &KeyBuf) -> bool {
        if self.is_off(Operations::REMOVE) {
            return false;
        }
        let key = key.to_key();
        let removed = self.remove(&key);
        if self.is_told() {
            let selector = &Selector::Keys(vec![Key::from(&*self.original(key.as_str()))]);
            self.tell(|| Event::Invalidated { selector });
        }
        removed
    }

    /// Fills under a lease, or not: when the lease was lost, or by `when`.
    pub(crate) fn fill(self: &Arc<Self>, lease: &Lease, when: When, slot: Slot) -> Filled {
        let mut locked = self.leases.lock(&lease.key);
        let tags_stand =
            cfg!(larder_broken_lease) || self.tags.stand_since(slot.tags(), lease.as_of);
        if !locked.may_fill(lease) || !tags_stand {
            drop(locked);
            self.superseded(&lease.key);
            return Filled::Superseded;
        }
        // Held until the lock is gone, as in `write`.
        let stored = (when != When::Always)
            .then(|| self.memory.peek(&lease.key))
            .flatten();
        let found = stored.as_ref().filter(|slot| self.is_alive(slot));
        if !when.allows(found) {
            drop(locked);
            return Filled::LeftOut;
        }
        locked.filled(lease);
        self.insert(locked, &lease.key, slot);
        Filled::Stored
    }

    /// Keeps a copy of what a store holds, unless it may have changed there since the lease was taken; whether it was kept.
    pub(crate) fn fill_copy(self: &Arc<Self>, lease: &Lease, copy: Slot) -> bool {
        let locked = self.leases.lock(&lease.key);
        let may_copy = locked.may_copy(lease);
        self.fill_locked(locked, may_copy, lease, copy)
    }

    /// Keeps what was loaded and did not reach the store, in the order of the loads; whether it was kept.
    pub(crate) fn fill_without_store(self: &Arc<Self>, lease: &Lease, copy: Slot) -> bool {
        let locked = self.leases.lock(&lease.key);
        let may_fill = locked.may_fill(lease);
        self.fill_locked(locked, may_fill, lease, copy)
    }

    fn fill_locked(
        self: &Arc<Self>,
        mut locked: Locked<'_>,
        may_fill: bool,
        lease: &Lease,
        copy: Slot,
    ) -> bool {
        let stands = may_fill && self.tags.stand_since(copy.tags(), lease.as_of);
        if stands {
            locked.filled(lease);
            self.insert(locked, &lease.key, copy);
        } else {
            // First the lock, then what the copy holds.
            drop(locked);
        }
        stands
    }

    /// Keeps a copy that stands in for a load that is still under way, or has failed: in nobody's place, and in the way of no fill.
    pub(crate) fn fill_stand_in(self: &Arc<Self>, lease: &Lease, copy: Slot) {
        let locked = self.leases.lock(&lease.key);
        // Held until the lock is gone, as in `write`.
        let stored = self.memory.peek(&lease.key);
        let found = stored.as_ref().filter(|slot| self.is_alive(slot));
        let stands = locked.may_copy(lease) && self.tags.stand_since(copy.tags(), lease.as_of);
        if stands && found.is_none() {
            self.insert(locked, &lease.key, copy);
        } else {
            drop(locked);
        }
    }

    /// Removes what memory holds beside an entry that only the store keeps: a kept error, or a copy of what the store held before.
    pub(crate) fn gives_way(&self, lease: &Lease) {
        let mut locked = self.leases.lock(&lease.key);
        locked.dropped(lease);
        let removed = self.memory.remove(&lease.key);
        drop(locked);
        drop(removed);
    }

    /// Drops what memory holds of a key, and nothing else.
    pub(super) fn drop_copy(&self, key: &Key) {
        let locked = self.leases.lock(key);
        let removed = self.memory.remove(key);
        drop(locked);
        drop(removed);
    }

    /// Stores what a computation put there. Whoever put or loaded meanwhile loses; if this one lost, nobody knows the truth and the entry goes.
    pub(crate) fn fill_put(self: &Arc<Self>, lease: &Lease, slot: Slot) -> Filled {
        let mut locked = self.leases.lock(&lease.key);
        let stands = locked.holds(lease) && self.tags.stand_since(slot.tags(), lease.as_of);
        locked.revoke(&lease.key);
        if stands {
            self.insert(locked, &lease.key, slot);
            return Filled::Stored;
        }
        let removed = self.memory.remove(&lease.key);
        drop(locked);
        drop(removed);
        self.superseded(&lease.key);
        Filled::Superseded
    }

    pub(crate) fn superseded(&self, key: &Key) {
        self.stats.add(Counter::Superseded, 1);
        self.tell(|| Event::Superseded { key: key.as_str() });
    }

    /// A write from outside: true and final, so every fill in progress for the key loses.
    pub(crate) fn write(
        self: &Arc<Self>,
        key: &Key,
        when: When,
        make: impl FnOnce(Option<&Slot>) -> Option<Slot>,
    ) -> bool {
        if self.is_off(Operations::WRITE) {
            return false;
        }
        let mut locked = self.leases.lock(key);
        // Held until the lock is gone: the sweeper may take the entry meanwhile, and this be the last to drop the value.
        let stored = self.memory.peek(key);
        let found = stored.as_ref().filter(|slot| self.is_served(slot));
        let slot = if when.allows(found) {
            make(found)
        } else {
            None
        };
        let Some(slot) = slot else {
            drop(locked);
            return false;
        };
        locked.revoke(key);
        self.insert(locked, key, slot);
        true
    }

    /// Writes an entry that is there with another life. No truth from outside: loads in progress go on, for what they bring is newer.
    pub(crate) fn touch(self: &Arc<Self>, key: &Key, make: impl FnOnce(&Slot) -> Slot) -> bool {
        if self.is_off(Operations::WRITE) {
            return false;
        }
        let locked = self.leases.lock(key);
        let stored = self.memory.peek(key);
        let Some(found) = stored.as_ref().filter(|slot| self.is_served(slot)) else {
            drop(locked);
            return false;
        };
        self.insert(locked, key, make(found));
        true
    }

    /// Writes and removes several keys so that no other write of any of them comes in between. `make` gives the new entry from the one that is there, or
    /// `None` to remove it; it runs under the lock.
    ///
    /// # Errors
    /// The first that `make` says; then nothing is written or removed.
    pub(super) fn write_together<T>(
        self: &Arc<Self>,
        changes: &[(Key, T)],
        make: impl Fn(&Key, &T, Option<&Slot>) -> Result<Option<Slot>>,
    ) -> Result<()> {
        let mut locked = self
            .leases
            .lock_together(changes.iter().map(|(key, _)| key));
        let mut all = Vec::with_capacity(changes.len());
        for (key, change) in changes {
            // Kept until the locks are gone, as all that is pushed out.
            let stored = self.memory.peek(key);
            let found = stored.as_ref().filter(|slot| self.is_served(slot));
            let made = make(key, change, found);
            all.push((key, stored, made));
        }
        if let Some(at) = all.iter().position(|(.., made)| made.is_err()) {
            drop(locked);
            return all.swap_remove(at).2.map(drop);
        }
        let mut out = Vec::with_capacity(changes.len());
        for (key, stored, made) in all {
            locked.revoke(key);
            let (written, pushed) = match made.ok().flatten() {
                Some(slot) => (
                    Some((slot.keep_until(), self.noted(&slot))),
                    self.memory.insert(key.clone(), slot),
                ),
                None => {
                    let out = Vec::from_iter(self.memory.remove(key));
                    (None, Pushed { out })
                }
            };
            let was_alive = stored.as_ref().is_some_and(|slot| self.is_alive(slot));
            out.push((key, stored, was_alive, written, pushed));
        }
        drop(locked);
        for (key, stored, was_alive, written, pushed) in out {
            match written {
                Some((keep_until, noted)) => {
                    self.sweeper.note(self, keep_until);
                    self.stats.add(Counter::Stored, 1);
                    self.tell(|| Event::Stored { key: key.as_str() });
                    self.written("memory", key, noted);
                    self.pushed_out(key, pushed);
                }
                None => {
                    self.stats.add(Counter::Invalidated, u64::from(was_alive));
                    drop(pushed);
                }
            }
            drop(stored);
        }
        Ok(())
    }

    /// Inserts under the key's lock, and lets go of it before anything of the user's is dropped or told.
    pub(super) fn insert(self: &Arc<Self>, locked: Locked<'_>, key: &Key, slot: Slot) {
        let keep_until = slot.keep_until();
        let noted = self.noted(&slot);
        let pushed = self.memory.insert(key.clone(), slot);
        drop(locked);
        self.sweeper.note(self, keep_until);
        self.stats.add(Counter::Stored, 1);
        self.tell(|| Event::Stored { key: key.as_str() });
        self.written("memory", key, noted);
        self.pushed_out(key, pushed);
    }

    fn pushed_out(&self, inserted: &Key, pushed: Pushed) {
        let heavy = matches!(self.memory.bound, Bound::Weight { .. });
        for (key, slot) in pushed.out {
            // Under the same key it is what was there before, unless the new one was too heavy to be let in.
            let replaced = key == *inserted && !(heavy && self.memory.peek(&key).is_none());
            if !replaced {
                self.stats.add(Counter::Evicted, 1);
                self.tell(|| Event::Evicted { key: key.as_str() });
            }
            drop(slot);
        }
    }

    /// Drops an entry whose time is over, if it is still the one that was read.
    pub(crate) fn drop_expired(&self, key: &KeyBuf, slot: &Slot) {
        if let Some(removed) = self.memory.remove_write(key, slot) {
            self.stats.add(Counter::Expired, 1);
            self.tell(|| Event::Expired { key: key.as_str() });
            drop(removed);
        }
    }

    /// Removes one entry and makes every fill in progress for it lose; whether it was alive.
    pub(crate) fn remove(&self, key: &Key) -> bool {
        if self.is_off(Operations::REMOVE) {
            return false;
        }
        let mut locked = self.leases.lock(key);
        locked.revoke(key);
        let removed = self.memory.remove(key);
        drop(locked);
        let alive = removed
            .as_ref()
            .is_some_and(|(_, slot)| self.is_alive(slot));
        self.stats.add(Counter::Invalidated, u64::from(alive));
        alive
    }

    /// Removes what a selector means; how many entries that were alive.
    pub(crate) fn remove_selected(&self, selector: &Selector) -> usize {
        if self.is_off(Operations::REMOVE) {
            return 0;
        }
        let removed = self.remove_now(selector);
        self.tell(|| Event::Invalidated { selector });
        removed
    }

    /// Removes from memory what a selector means, whatever is switched off, and tells nobody.
    pub(crate) fn remove_now(&self, selector: &Selector) -> usize {
        match selector {
            Selector::Keys(keys) => {
                let full = keys.iter().map(|key| self.key(key.as_str()).to_key());
                full.filter(|key| self.remove(key)).count()
            }
            Selector::Tags(tags) => {
                self.tags.forget(tags.iter().cloned());
                0
            }
            Selector::Prefix(prefix) => {
                let full = self.kept_prefix(prefix);
                self.remove_matching(|key| key.as_str().starts_with(&full))
            }
            Selector::Pattern(pattern) => {
                let pattern = self.middleware.pattern(pattern);
                self.remove_matching(|key| {
                    key.as_str().starts_with(&*self.prefix)
                        && larder_syntax::glob::matches(&pattern, self.bare(key.as_str()))
                })
            }
            Selector::All => self.remove_all(),
        }
    }

    /// First the leases, then the entries: a fill is either refused or early enough to be found.
    fn remove_matching(&self, matches: impl Fn(&Key) -> bool) -> usize {
        self.leases.revoke(&matches);
        let keys = self.memory.matching(|key, _| matches(key));
        let removed = keys.iter().filter(|key| self.remove(key)).count();
        // As in `remove_all`: an entry that was found may have been evicted before it was removed.
        self.leases.revoke(&matches);
        removed
    }

    /// Removes everything, whatever is switched off; how many entries were alive.
    pub(crate) fn remove_all(&self) -> usize {
        let revoke = || self.leases.revoke(|_| true);
        revoke();
        let drained = self.memory.drain();
        let alive = drained.filter(|(_, slot)| self.is_alive(slot)).count();
        // Whoever took a lease meanwhile may have found an entry that is gone now, and must not give it on.
        revoke();
        self.stats.add(Counter::Invalidated, alive as u64);
        alive
    }
}
