//! All changes of a scope to a cache.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

use super::Change;
use crate::entry::Slot;
use crate::key::Key;
use crate::selector::Selector;

/// What stands for a key is in `changes`; what removals mean for keys that are not in it is in the rest.
#[derive(Debug, Default)]
pub(crate) struct State {
    changes: HashMap<Key, Change, RandomState>,
    /// Prefixes, patterns and all.
    removals: Vec<Removal>,
    /// Tags, and which invalidation by tags was the last that named them.
    tags: HashMap<Key, u64, RandomState>,
    epoch: u64,
}

/// A removal that is not of single keys.
#[derive(Debug)]
struct Removal {
    /// As the user said it, for the commit.
    said: Selector,
    /// Behind all middleware, as keys are kept.
    kept: Selector,
}

/// Whether a selector, behind all middleware, means a key by its text.
pub(crate) fn covers(selector: &Selector, bare: &str) -> bool {
    match selector {
        Selector::Prefix(prefix) => bare.starts_with(prefix.as_str()),
        Selector::Pattern(pattern) => larder_syntax::glob::matches(pattern, bare),
        Selector::All => true,
        Selector::Keys(keys) => keys.iter().any(|key| key.as_str() == bare),
        Selector::Tags(_) => false,
    }
}

impl State {
    /// Changes of keys alone.
    pub(super) fn of(changes: Vec<(Key, Change)>) -> Self {
        Self {
            changes: changes.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.changes.len() + self.removals.len() + self.tags.len()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn at(&self, key: &Key) -> Option<&Change> {
        self.changes.get(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (&Key, &Change)> {
        self.changes.iter()
    }

    pub(super) fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    pub(super) fn put(&mut self, key: &Key, change: Change) -> Option<Change> {
        match self.changes.entry(key.clone()) {
            Entry::Occupied(mut found) => Some(found.insert(change)),
            Entry::Vacant(free) => {
                free.insert(change);
                None
            }
        }
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<Change> {
        self.changes.remove(key)
    }

    /// What this scope says of a key, whatever lies beneath; `None` when that counts.
    pub(super) fn decided(&self, key: &Key, bare: &str) -> Option<Option<Slot>> {
        match self.changes.get(key) {
            Some(change) => change.decided().map(|slot| slot.cloned()),
            None => self
                .removals
                .iter()
                .any(|removal| covers(&removal.kept, bare))
                .then_some(None),
        }
    }

    /// What those inside see of what lies beneath.
    pub(super) fn over(&self, key: &Key, beneath: Option<Slot>) -> Option<Slot> {
        let standing = beneath.filter(|slot| !self.covers_tags(slot.tags()))?;
        match self.changes.get(key) {
            Some(Change::Amended(amendment)) => Some(amendment.of(standing)),
            _ => Some(standing),
        }
    }

    /// What is added to a key that is not there beneath.
    pub(super) fn added(&self, key: &Key) -> Option<&super::Amendment> {
        match self.changes.get(key) {
            Some(Change::Amended(amendment)) if amendment.add.is_some() => Some(amendment),
            _ => None,
        }
    }

    /// Whether an entry under these tags was removed by one of them.
    pub(super) fn covers_tags(&self, tags: &[Key]) -> bool {
        !self.tags.is_empty() && tags.iter().any(|tag| self.tags.contains_key(tag))
    }

    pub(super) fn tags_stand_since(&self, tags: &[Key], epoch: u64) -> bool {
        let stands = |tag| self.tags.get(tag).is_none_or(|at| *at <= epoch);
        tags.iter().all(stands)
    }

    /// Notes an invalidation that is not by keys, as the user said it and as keys are kept; what it replaces.
    pub(super) fn forget(
        &mut self,
        (selector, kept): (&Selector, &Selector),
        matches: impl Fn(&Key) -> bool,
    ) -> Vec<Change> {
        let by_tag =
            |change: &Change, tags: &[Key]| change.tags().iter().any(|tag| tags.contains(tag));
        let covered = |key: &Key, change: &Change| match selector {
            Selector::Tags(tags) => by_tag(change, tags),
            _ => matches(key),
        };
        let mut dropped = Vec::new();
        for (key, change) in &mut self.changes {
            if covered(key, change) {
                dropped.push(std::mem::replace(change, Change::Removed));
            }
        }
        match selector {
            Selector::Tags(tags) => {
                self.epoch += 1;
                let epoch = self.epoch;
                self.tags
                    .extend(tags.iter().map(|tag| (tag.clone(), epoch)));
            }
            said if self.removals.iter().all(|removal| removal.said != *said) => {
                let (said, kept) = (said.clone(), kept.clone());
                self.removals.push(Removal { said, kept });
            }
            _ => {}
        }
        dropped
    }

    /// The changes of keys, and the invalidations that come before them.
    pub(crate) fn into_parts(self) -> (Vec<Selector>, Vec<(Key, Change)>) {
        let mut selectors: Vec<Selector> = self.removals.into_iter().map(|r| r.said).collect();
        if selectors.contains(&Selector::All) {
            selectors = vec![Selector::All];
        }
        if !self.tags.is_empty() {
            selectors.push(Selector::Tags(self.tags.into_keys().collect()));
        }
        (selectors, self.changes.into_iter().collect())
    }

    /// All that is removed, by keys without the prefix of the cache.
    pub(super) fn into_selectors(self, bare: impl Fn(&Key) -> Key) -> Vec<Selector> {
        let (mut selectors, changes) = self.into_parts();
        let removed = changes.iter().filter(|(_, change)| change.removes());
        let keys: Vec<Key> = removed.map(|(key, _)| bare(key)).collect();
        if !keys.is_empty() {
            selectors.push(Selector::Keys(keys));
        }
        selectors
    }
}
