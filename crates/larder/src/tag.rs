//! Clock-free tag versions: forgetting a tag costs the same whatever it covers.
//!
//! One counter, the *epoch*, moves with each invalidation by tag. A forgotten tag remembers the epoch at
//! which it was forgotten; an entry remembers up to which epoch its tags are known to stand (first: the epoch when its lease was taken, before
//! the value was computed). The entry is alive while none of its tags was forgotten later than that. While the
//! epoch stands where the entry last saw it, one comparison says so.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::entry::{Extra, Slot};
use crate::key::Key;
use crate::shim::RwLock;
use crate::shim::atomic::{AtomicU64, Ordering};

/// How many forgotten tags are remembered one by one. Past that the older half is forgotten together: entries that
/// were last checked before it count as forgotten too, which costs loads, never truth.
const REMEMBERED: usize = 65_536;

#[derive(Debug, Default)]
pub(crate) struct Tags {
    epoch: AtomicU64,
    forgotten: RwLock<Forgotten>,
}

#[derive(Debug, Default)]
struct Forgotten {
    at: HashMap<Key, u64, RandomState>,
    /// Entries whose tags were last checked before this epoch are not known to stand any more.
    floor: u64,
}

impl Tags {
    /// The epoch to remember before a value is computed.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Forgets every entry under these tags, also those whose value is being computed now.
    pub(crate) fn forget(&self, tags: impl IntoIterator<Item = Key>) {
        let mut forgotten = self.forgotten.write();
        let epoch = self.epoch.load(Ordering::Relaxed) + 1;
        for tag in tags {
            forgotten.at.insert(tag, epoch);
        }
        if forgotten.at.len() > REMEMBERED {
            forgotten.merge_older_half();
        }
        // After the record: whoever sees the new epoch finds the reason for it.
        self.epoch.store(epoch, Ordering::Release);
    }

    /// Whether none of the slot's tags was forgotten since its value was asked for.
    #[inline]
    pub(crate) fn stand(&self, slot: &Slot) -> bool {
        match slot.extra() {
            Some(extra) if !extra.tags.is_empty() => self.stand_for(extra),
            _ => true,
        }
    }

    #[inline]
    fn stand_for(&self, extra: &Extra) -> bool {
        let as_of = extra.as_of.load(Ordering::Acquire);
        as_of == self.epoch() || self.stand_anew(extra, as_of)
    }

    #[cold]
    fn stand_anew(&self, extra: &Extra, as_of: u64) -> bool {
        let forgotten = self.forgotten.read();
        let alive = forgotten.none_since(&extra.tags, as_of);
        if alive {
            // Under the lock no tag is being forgotten, so the epoch is what was just checked.
            extra
                .as_of
                .fetch_max(self.epoch.load(Ordering::Acquire), Ordering::AcqRel);
        }
        alive
    }

    /// Whether none of `tags` was forgotten after epoch `as_of`.
    pub(crate) fn stand_since(&self, tags: &[Key], as_of: u64) -> bool {
        tags.is_empty() || as_of >= self.epoch() || self.forgotten.read().none_since(tags, as_of)
    }

    /// Whether none of `tags` can have been forgotten after epoch `as_of` and up to epoch `seen`.
    ///
    /// Who joined a load at `seen` may be given what the load read, unless a tag was forgotten before it joined. Only the last time that a tag
    /// was forgotten is remembered, so that a later one counts too: it may hide an earlier one.
    pub(crate) fn stand_between(&self, tags: &[Key], as_of: u64, seen: u64) -> bool {
        as_of >= seen || self.stand_since(tags, as_of)
    }

    /// Which of `tags` were forgotten after `as_of`.
    pub(crate) fn fallen<'a>(&self, tags: &'a [Key], as_of: u64) -> Vec<&'a Key> {
        let forgotten = self.forgotten.read();
        tags.iter()
            .filter(|tag| !forgotten.none_since(std::slice::from_ref(*tag), as_of))
            .collect()
    }
}

impl Forgotten {
    fn none_since(&self, tags: &[Key], as_of: u64) -> bool {
        let stands = |tag| self.at.get(tag).is_none_or(|epoch| *epoch <= as_of);
        as_of >= self.floor && tags.iter().all(stands)
    }

    fn merge_older_half(&mut self) {
        let mut epochs: Vec<u64> = self.at.values().copied().collect();
        let middle = epochs.len() / 2;
        let (_, &mut floor, _) = epochs.select_nth_unstable(middle);
        self.floor = floor;
        self.at.retain(|_, epoch| *epoch > floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_was_never_forgotten_stands() {
        let tags = Tags::default();
        let as_of = tags.epoch();
        tags.forget([Key::from("other")]);
        assert!(tags.stand_since(&[Key::from("mine")], as_of));
    }

    #[test]
    fn a_tag_forgotten_before_the_lease_stands_and_one_after_it_falls() {
        let tags = Tags::default();
        let mine = [Key::from("mine")];
        tags.forget(mine.clone());
        let as_of = tags.epoch();
        assert!(tags.stand_since(&mine, as_of));
        tags.forget(mine.clone());
        assert!(!tags.stand_since(&mine, as_of));
        assert!(
            tags.stand_between(&mine, as_of, as_of),
            "forgotten after it was seen"
        );
    }

    #[test]
    fn a_tag_forgotten_before_and_after_it_was_seen_falls() {
        let tags = Tags::default();
        let mine = [Key::from("mine")];
        let as_of = tags.epoch();
        tags.forget(mine.clone());
        let seen = tags.epoch();
        assert!(!tags.stand_between(&mine, as_of, seen));
        tags.forget(mine.clone());
        assert!(!tags.stand_between(&mine, as_of, seen));
    }

    #[test]
    fn more_forgotten_tags_than_are_remembered_fail_safe() {
        let tags = Tags::default();
        let mine = [Key::from("mine")];
        let as_of = tags.epoch();
        tags.forget(mine.clone());
        for n in 0..REMEMBERED * 2 {
            tags.forget([Key::from(format!("tag:{n}"))]);
        }
        assert!(tags.forgotten.read().at.len() <= REMEMBERED);
        assert!(
            !tags.stand_since(&mine, as_of),
            "what was forgotten stays forgotten"
        );
        let now = tags.epoch();
        assert!(tags.stand_since(&mine, now), "a new load is not held down");
    }
}
