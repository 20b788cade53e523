//! All changes of a scope to a cache.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

use super::{Change, Forgotten};
use crate::entry::Slot;
use crate::flight::moment;
use crate::key::Key;
use crate::selector::Selector;

/// What stands for a key is in `changes`; what removals mean for keys that are not in it is in the rest.
#[derive(Debug, Default)]
pub(crate) struct State {
    changes: HashMap<Key, At<Change>, RandomState>,
    /// Prefixes, patterns and all.
    removals: Vec<Removal>,
    /// Tags, and the moment of the last invalidation that named them.
    tags: HashMap<Key, u64, RandomState>,
    /// The last of these moments.
    epoch: u64,
}

/// Something, and the [`moment`] since which it is kept.
#[derive(Debug)]
struct At<T> {
    what: T,
    since: u64,
}

impl<T> At<T> {
    fn now(what: T) -> Self {
        let since = moment();
        Self { what, since }
    }
}

/// A removal that is not of single keys.
#[derive(Debug)]
struct Removal {
    /// As the user said it, for the commit.
    said: Selector,
    /// Behind all middleware, as keys are kept.
    kept: Selector,
    /// The moment when it was said last.
    last: u64,
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
        let now = |(key, change)| (key, At::now(change));
        Self {
            changes: changes.into_iter().map(now).collect(),
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
        self.changes.get(key).map(|at| &at.what)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.changes.keys()
    }

    /// Whether a key was changed, or removed by a prefix, a pattern or with all, since a moment.
    pub(super) fn is_changed_since(&self, key: &Key, bare: &str, since: u64) -> bool {
        let changed = |at: &At<Change>| at.since > since;
        let removed = |removal: &Removal| removal.last > since && covers(&removal.kept, bare);
        self.changes.get(key).is_some_and(changed) || self.removals.iter().any(removed)
    }

    pub(super) fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    pub(super) fn put(&mut self, key: &Key, change: Change) -> Option<Change> {
        match self.changes.entry(key.clone()) {
            Entry::Occupied(mut found) => Some(found.insert(At::now(change)).what),
            Entry::Vacant(free) => {
                free.insert(At::now(change));
                None
            }
        }
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<Change> {
        self.changes.remove(key).map(|at| at.what)
    }

    /// What this scope says of a key, whatever lies beneath; `None` when that counts.
    pub(super) fn decided(&self, key: &Key, bare: &str) -> Option<Option<Slot>> {
        match self.at(key) {
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
        match self.at(key) {
            Some(Change::Amended(amendment)) => Some(amendment.of(standing)),
            _ => Some(standing),
        }
    }

    /// What is added to a key that is not there beneath.
    pub(super) fn added(&self, key: &Key) -> Option<&super::Amendment> {
        match self.at(key) {
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
        for (key, at) in &mut self.changes {
            if covered(key, &at.what) {
                let before = std::mem::replace(at, At::now(Change::Removed));
                dropped.push(before.what);
            }
        }
        let last = moment();
        if let Selector::Tags(tags) = selector {
            self.epoch = last;
            self.tags.extend(tags.iter().map(|tag| (tag.clone(), last)));
            return dropped;
        }
        let mut removals = self.removals.iter_mut();
        match removals.find(|removal| removal.said == *selector) {
            Some(removal) => removal.last = last,
            None => {
                let (said, kept) = (selector.clone(), kept.clone());
                self.removals.push(Removal { said, kept, last });
            }
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
        let changes = self.changes.into_iter().map(|(key, at)| (key, at.what));
        (selectors, changes.collect())
    }

    /// All that is removed.
    pub(super) fn into_forgotten(self) -> Vec<Forgotten> {
        let (selectors, changes) = self.into_parts();
        let mut forgotten: Vec<Forgotten> =
            selectors.into_iter().map(Forgotten::Selected).collect();
        let removed = changes.iter().filter(|(_, change)| change.removes());
        let keys: Vec<Key> = removed.map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            forgotten.push(Forgotten::Keys(keys));
        }
        forgotten
    }
}
