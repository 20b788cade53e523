//! What a scope kept to itself, applied to memory and the store.
//!
//! First what is removed by prefix, pattern and tags, then keys, then what is written, then what was loaded, under its leases. Memory takes part in each
//! step as in a single write or removal, so that it never holds what is older than the store's answer.

use std::sync::Arc;
use std::time::Duration;

use super::{OnItsWay, Outbound, Outside, Through};
use crate::cache::{Inner, Reached, When};
use crate::codec::Wire;
use crate::entry::Slot;
use crate::error::Result;
use crate::event::Event;
use crate::key::Key;
use crate::overlay::{Added, Amendment, Change, Kept, Rights, State, Touched};
use crate::selector::Selector;
use crate::store::{Condition, Removal};
use crate::switch::Operations;

/// The changes, by what is done with them.
#[derive(Default)]
struct Sorted {
    selectors: Vec<Selector>,
    removed: Vec<Key>,
    written: Vec<(Key, Kept)>,
    amended: Vec<(Key, Amendment)>,
    put: Vec<(Key, Kept, Rights)>,
    loaded: Vec<(Key, Kept, Rights)>,
}

/// One change of a key of memory.
enum Here {
    Write(Slot),
    Amend(Amendment),
    Remove,
}

impl Inner {
    /// Applies what was changed in a scope. What overlaps it at single keys comes before or after.
    ///
    /// # Errors
    /// What the store says. Then the keys that were written or removed are forgotten, as far as the store can be reached: nothing older than the
    /// commit is left.
    pub(crate) async fn commit(self: &Arc<Self>, state: State) -> Result<()> {
        let sorted = self.sort(state);
        let Some(outside) = &self.outside else {
            return self.commit_here(sorted);
        };
        let committed = self.commit_through(outside, &sorted).await;
        if let Err(error) = &committed {
            self.store_failed(outside, "", error);
            self.abandon(outside, &sorted).await;
            return committed;
        }
        self.keep_computed(outside, sorted).await;
        Ok(())
    }

    fn sort(&self, state: State) -> Sorted {
        let (selectors, changes) = state.into_parts();
        let mut sorted = Sorted::default();
        if !self.is_off(Operations::REMOVE) {
            sorted.selectors = selectors;
        }
        let writes = !self.is_off(Operations::WRITE);
        let now = self.clock.now();
        for (key, change) in changes {
            match change {
                // What was there before must not come back because the time of what replaced it is over.
                Change::Written(kept) | Change::Put(kept, _) if kept.slot.keep_until() <= now => {
                    sorted.removed.push(key);
                }
                Change::Counted(slot, _) if slot.keep_until() <= now => sorted.removed.push(key),
                Change::Removed | Change::Loaded(_, None, _) => sorted.removed.push(key),
                _ if !writes => {}
                Change::Written(kept) => sorted.written.push((key, kept)),
                Change::Put(kept, rights) => sorted.put.push((key, kept, rights)),
                Change::Loaded(kept, Some(rights), _) => {
                    sorted.loaded.push((key, kept, rights));
                }
                Change::Counted(slot, amendment) => {
                    match self.outside {
                        None => {
                            let wire = Wire::local::<i64>();
                            sorted.written.push((key, Kept { slot, wire }));
                        }
                        // A number of the store begins when there is none.
                        Some(_) => {
                            sorted.removed.push(key.clone());
                            sorted.amended.push((key, amendment));
                        }
                    }
                }
                Change::Amended(amendment) => sorted.amended.push((key, amendment)),
            }
        }
        if self.is_off(Operations::REMOVE) {
            sorted.removed.clear();
        }
        let epoch = self.tags.epoch();
        for (_, kept) in &sorted.written {
            kept.slot.stands_as_of(epoch);
        }
        sorted
    }

    /// All of it in memory: for a cache without a store.
    ///
    /// # Errors
    /// When a number cannot be added to any more. Then nothing is written, and what would have been is forgotten, as where a store fails.
    fn commit_here(self: &Arc<Self>, sorted: Sorted) -> Result<()> {
        for selector in &sorted.selectors {
            self.remove_selected(selector);
        }
        // Of tags that the scope has forgotten before it wrote under them.
        let epoch = self.tags.epoch();
        sorted
            .written
            .iter()
            .for_each(|(_, kept)| kept.slot.stands_as_of(epoch));
        let removed = sorted.removed.iter().map(|key| (key.clone(), Here::Remove));
        let written = sorted.written.into_iter();
        let written = written.map(|(key, kept)| (key, Here::Write(kept.slot)));
        let (added, touched): (Vec<_>, Vec<_>) = sorted
            .amended
            .into_iter()
            .partition(|(_, amendment)| amendment.add.is_some());
        let added = added.into_iter();
        let added = added.map(|(key, amendment)| (key, Here::Amend(amendment)));
        let changes: Vec<(Key, Here)> = removed.chain(written).chain(added).collect();
        if let Err(error) = self.change_together(&changes) {
            let put = sorted.put.iter().map(|(key, ..)| key);
            let changed = changes.iter();
            let changed = changed.filter(|(_, here)| !matches!(here, Here::Amend(_)));
            let keys = changed.map(|(key, _)| key).chain(put);
            self.forget_together(keys)?;
            return Err(error);
        }
        for (key, amendment) in touched {
            self.touch(&key, |found| amendment.of(found.clone()));
        }
        self.tell_removed(&sorted.removed);
        for (_, kept, rights) in sorted.put {
            self.fill_put(&rights.lease, kept.slot);
        }
        for (_, kept, rights) in sorted.loaded {
            self.fill(&rights.lease, When::Always, kept.slot);
        }
        Ok(())
    }

    fn forget_together<'a>(self: &Arc<Self>, keys: impl Iterator<Item = &'a Key>) -> Result<()> {
        let removals: Vec<(Key, Here)> = keys.map(|key| (key.clone(), Here::Remove)).collect();
        self.change_together(&removals)
    }

    /// Changes all of the keys, or none.
    ///
    /// # Errors
    /// When a number cannot be added to.
    fn change_together(self: &Arc<Self>, changes: &[(Key, Here)]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        self.write_together(changes, |key, here, found| match here {
            Here::Write(slot) => Ok(Some(slot.clone())),
            Here::Remove => Ok(None),
            Here::Amend(amendment) => {
                let zero = || amendment.zero(self.tags.epoch(), self.runtime.random());
                let amended = amendment.applied(key, found, zero)?;
                // A number that began inside may have outlived its time before the commit.
                Ok(amended.filter(|slot| slot.keep_until() > now))
            }
        })
    }

    fn tell_removed(&self, removed: &[Key]) {
        if removed.is_empty() || !self.is_told() {
            return;
        }
        let bare = |key: &Key| Key::from(&*self.original(key.as_str()));
        let selector = &Selector::Keys(removed.iter().map(bare).collect());
        self.tell(|| Event::Invalidated { selector });
    }

    async fn commit_through(self: &Arc<Self>, outside: &Outside, sorted: &Sorted) -> Result<()> {
        for selector in &sorted.selectors {
            self.remove_selected(selector);
            let removed = self.remove_outside(outside, selector).await;
            // As in `forget`: a reader may have brought something back meanwhile.
            self.remove_now(selector);
            removed?;
        }
        if !sorted.removed.is_empty() {
            self.remove_keys_through(outside, &sorted.removed).await?;
        }
        self.write_all_through(outside, &sorted.written).await?;
        for (key, amendment) in &sorted.amended {
            self.amend_through(outside, key, amendment).await?;
        }
        Ok(())
    }

    async fn remove_keys_through(self: &Arc<Self>, outside: &Outside, keys: &[Key]) -> Result<()> {
        self.forget_together(keys.iter())?;
        let texts: Vec<&str> = keys.iter().map(Key::as_str).collect();
        let removed = outside.store.remove(&Removal::Keys(&texts)).await;
        self.forget_together(keys.iter())?;
        self.tell_removed(keys);
        removed.map(drop)
    }

    /// Writes what leaves the process in one round trip, and what stays here beside it.
    async fn write_all_through(
        self: &Arc<Self>,
        outside: &Outside,
        written: &[(Key, Kept)],
    ) -> Result<()> {
        let (local, leaving): (Vec<_>, Vec<_>) =
            written.iter().partition(|(_, kept)| kept.wire.is_local());
        let epoch = self.tags.epoch();
        let local = local.into_iter().map(|(key, kept)| {
            kept.slot.stands_as_of(epoch);
            (key.clone(), Here::Write(kept.slot.clone()))
        });
        let local: Vec<(Key, Here)> = local.collect();
        self.change_together(&local)?;
        if leaving.is_empty() {
            return Ok(());
        }
        let asked = self.clock.now();
        let mut tags: Vec<Key> = leaving
            .iter()
            .flat_map(|(_, kept)| kept.slot.tags())
            .cloned()
            .collect();
        tags.sort_unstable();
        tags.dedup();
        let endless = leaving.iter().any(|(_, kept)| kept.slot.is_endless());
        let longest = leaving
            .iter()
            .map(|(_, kept)| kept.slot.keep_until().since(asked))
            .max();
        let life = longest.filter(|_| !endless);
        let versions = self.versions_now(outside, &tags, life).await?;
        let of_slot = |slot: &Slot| -> Vec<(Key, u64)> {
            let named = versions.iter().filter(|(tag, _)| slot.tags().contains(tag));
            named.cloned().collect()
        };
        let versions: Vec<Vec<(Key, u64)>> = leaving
            .iter()
            .map(|(_, kept)| of_slot(&kept.slot))
            .collect();
        // As in `sort`: time has passed since, and what was there before must not come back.
        let now = self.clock.now();
        let (leaving, over): (Vec<_>, Vec<_>) = leaving
            .into_iter()
            .zip(versions)
            .partition(|((_, kept), _)| outside.end_of(&kept.slot) > now);
        let (leaving, versions): (Vec<_>, Vec<_>) = leaving.into_iter().unzip();
        let epoch = self.tags.epoch();
        let on_their_way: Vec<OnItsWay<'_>> = leaving
            .iter()
            .filter_map(|(key, _)| {
                let writing = self.leases.begin_write(key, epoch, None)?;
                Some(OnItsWay::new(self, key, writing))
            })
            .collect();
        let writes: Vec<Outbound<'_>> = leaving
            .iter()
            .zip(&versions)
            .map(|((key, kept), versions)| Outbound {
                key,
                slot: &kept.slot,
                wire: &kept.wire,
                versions,
                condition: Condition::Always,
            })
            .collect();
        if !writes.is_empty() {
            self.write_outside(outside, &writes).await?;
        }
        for (on_its_way, (key, kept)) in on_their_way.into_iter().zip(&leaving) {
            outside.anew(key);
            kept.slot.stands_as_of(epoch);
            let copy = self.promoted(outside, &kept.slot, asked);
            if copy.is_none() {
                self.stored_outside(outside, key, &kept.slot);
            }
            on_its_way.end(copy);
        }
        let over: Vec<Key> = over.into_iter().map(|((key, _), _)| key.clone()).collect();
        if over.is_empty() || self.is_off(Operations::REMOVE) {
            return Ok(());
        }
        self.remove_keys_through(outside, &over).await
    }

    async fn amend_through(
        self: &Arc<Self>,
        outside: &Outside,
        key: &Key,
        amendment: &Amendment,
    ) -> Result<()> {
        if let Some(Added { by, policy, at }) = amendment.add {
            let Some(counters) = outside.store.counters() else {
                let why = "it cannot count";
                return Err(crate::Error::unsupported(
                    "increment",
                    outside.store.name(),
                    why,
                ));
            };
            let gone = self.clock.now().since(at);
            // One that has outlived its time is added to all the same if it is there, and if not is there no longer than it must.
            let left = |life: Duration| life.saturating_sub(gone).max(Duration::from_millis(1));
            let life = policy.longest_life().map(left);
            // A number that has gone since it was seen would begin anew, and nothing says for how long. As in memory, it does not.
            let text = key.as_str();
            let is_there = policy.ttl.is_some()
                || outside
                    .store
                    .remaining(&[text])
                    .await?
                    .iter()
                    .any(Option::is_some);
            if is_there {
                let added = counters.add(text, by, life).await;
                self.remove(key);
                added?;
            }
        }
        if let Some(touched) = amendment.touched {
            self.touch_through(outside, key, touched).await?;
        }
        Ok(())
    }

    async fn touch_through(
        self: &Arc<Self>,
        outside: &Outside,
        key: &Key,
        touched: Touched,
    ) -> Result<()> {
        let left = touched.end().since(self.clock.now());
        let ttl = match touched.ttl {
            u64::MAX => u64::MAX,
            _ => crate::runtime::nanos(left),
        };
        if ttl == 0 {
            return self.remove_through(key).await.map(drop);
        }
        let here = || self.touch(key, |found| found.with_ttl(touched.ttl, touched.at));
        // As `touch` outside of any scope: a copy of what the store has lost must not live longer for it.
        if !self.touch_outside(outside, key, ttl).await? && !outside.keeps_copies() {
            here();
        }
        Ok(())
    }

    /// The commit went wrong half way: nobody knows what the store has, so nothing of it is to be read.
    async fn abandon(self: &Arc<Self>, outside: &Outside, sorted: &Sorted) {
        for selector in &sorted.selectors {
            self.remove_now(selector);
        }
        let written = sorted.written.iter().map(|(key, _)| key);
        let put = sorted.put.iter().map(|(key, ..)| key);
        let keys: Vec<Key> = sorted
            .removed
            .iter()
            .chain(written)
            .chain(put)
            .cloned()
            .collect();
        if keys.is_empty() {
            return;
        }
        if let Err(error) = self.remove_keys_through(outside, &keys).await {
            self.store_failed(outside, keys[0].as_str(), &error);
        }
    }

    /// Keeps what was computed inside, as far as nobody has changed it since.
    async fn keep_computed(self: &Arc<Self>, outside: &Outside, sorted: Sorted) {
        for (key, kept, rights) in sorted.put {
            let Kept { slot, wire } = kept;
            if self.outside_for(&wire).is_none() {
                self.fill_put(&rights.lease, slot);
                continue;
            }
            let through = Through {
                outside,
                wire: &wire,
                key: &key,
                when: When::Always,
                asked: self.clock.now(),
            };
            let rights = (&rights.lease, rights.store.as_ref());
            self.put_through(through, slot, rights).await;
        }
        let asked = self.clock.now();
        let (local, leaving): (Vec<_>, Vec<_>) = sorted
            .loaded
            .into_iter()
            .partition(|(_, kept, _)| kept.wire.is_local());
        for (_, kept, rights) in local {
            self.fill(&rights.lease, When::Always, kept.slot);
        }
        // Without a lease of the store nobody could tell that it changed meanwhile.
        let leaving: Vec<(Key, Kept, Rights)> = leaving
            .into_iter()
            .filter(|(_, _, rights)| rights.store.is_some())
            .collect();
        let fills: Vec<_> = leaving
            .iter()
            .filter_map(|(key, kept, rights)| {
                Some((key, &kept.slot, &kept.wire, rights.store.as_ref()?))
            })
            .collect();
        if fills.is_empty() {
            return;
        }
        let reached = self.fill_outside_many(outside, &fills).await;
        for ((key, kept, rights), reached) in leaving.iter().zip(reached) {
            match reached {
                Reached::Stored => {
                    outside.anew(key);
                    let copy = self.promoted(outside, &kept.slot, asked);
                    if !copy.is_some_and(|copy| self.fill_copy(&rights.lease, copy)) {
                        self.gives_way(&rights.lease);
                        self.stored_outside(outside, key, &kept.slot);
                    }
                }
                Reached::Superseded => self.superseded(key),
                Reached::Not => {}
            }
        }
    }
}
