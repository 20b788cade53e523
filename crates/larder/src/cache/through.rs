//! Writes and removals that reach memory and the store.
//!
//! What memory holds must never be older than what the store acknowledged. So memory is emptied before the store is told and once more after: in between a reader may
//! have brought the old value back.

use std::sync::Arc;

use super::outside::{Outbound, Outside, Reached, StoreLease};
use super::{Filled, Inner, When};
use crate::codec::Wire;
use crate::entry::Slot;
use crate::error::Result;
use crate::event::Event;
use crate::key::{Key, KeyBuf};
use crate::lease::{Lease, Writing};
use crate::middleware::{Action, Intended, Outcome};
use crate::runtime::Timestamp;
use crate::selector::Selector;
use crate::stats::Counter;
use crate::store::{Condition, Removal};
use crate::switch::Operations;

mod commit;

/// Where a write goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Through<'a> {
    pub(crate) outside: &'a Outside,
    pub(crate) wire: &'a Wire,
    pub(crate) key: &'a Key,
    pub(crate) when: When,
    /// Before anything was asked that it rests on.
    pub(crate) asked: Timestamp,
}

/// A write on its way. Given up half way, it leaves nothing in memory: nobody knows what the store has.
struct OnItsWay<'a> {
    inner: &'a Arc<Inner>,
    key: &'a Key,
    writing: Writing,
    ended: bool,
}

impl<'a> OnItsWay<'a> {
    fn new(inner: &'a Arc<Inner>, key: &'a Key, writing: Writing) -> Self {
        Self {
            inner,
            key,
            writing,
            ended: false,
        }
    }

    /// Ends with what memory is to hold; with nothing when another write overlapped.
    fn end(mut self, copy: Option<Slot>) {
        self.ended = true;
        let mut locked = self.inner.leases.lock(self.key);
        let alone = locked.end_write(&self.writing);
        match copy.filter(|_| alone) {
            Some(copy) => self.inner.insert(locked, self.key, copy),
            None => {
                let removed = self.inner.memory.remove(self.key);
                drop(locked);
                drop(removed);
            }
        }
    }

    /// Ends without a change.
    fn end_unchanged(mut self) {
        self.ended = true;
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let mut locked = self.inner.leases.lock(self.key);
            locked.end_write(&self.writing);
            let removed = self.inner.memory.remove(self.key);
            drop(locked);
            drop(removed);
        }
    }
}

impl When {
    fn condition(self) -> Condition {
        match self {
            Self::Always => Condition::Always,
            Self::Absent => Condition::Absent,
            Self::Present => Condition::Present,
        }
    }
}

impl Inner {
    /// Writes what was computed, unless another write or removal came meanwhile, here or in another process: then nobody knows the truth and the entry goes.
    pub(crate) async fn put_through(
        self: &Arc<Self>,
        through: Through<'_>,
        slot: Slot,
        rights: (&Lease, Option<&StoreLease>),
    ) -> Filled {
        let key = through.key;
        let put = self.put_under(through, slot, rights).await;
        if put != Some(true) {
            drop(self.remove_through(key).await);
        }
        match put {
            Some(true) => Filled::Stored,
            Some(false) => {
                self.superseded(key);
                Filled::Superseded
            }
            None => Filled::LeftOut,
        }
    }

    /// Whether it was put; `None` when the store failed, which is told.
    async fn put_under(
        self: &Arc<Self>,
        through: Through<'_>,
        slot: Slot,
        (lease, store): (&Lease, Option<&StoreLease>),
    ) -> Option<bool> {
        let Through {
            outside, wire, key, ..
        } = through;
        let store = store?;
        if !self.tags.stand_since(slot.tags(), lease.as_of) {
            return Some(false);
        }
        let epoch = self.tags.epoch();
        let Some(writing) = self.leases.begin_write(key, epoch, Some(lease)) else {
            return Some(false);
        };
        let on_its_way = OnItsWay::new(self, key, writing);
        // Under the lease, so that what another process has invalidated meanwhile is not written.
        match self.fill_outside(outside, key, wire, &slot, store).await {
            Reached::Stored => {}
            Reached::Superseded => return Some(false),
            Reached::Not => return None,
        }
        // Then as a write, which ends the leases of loads that began before the put; not if it was removed in between.
        let through = Through {
            when: When::Present,
            ..through
        };
        let versions = match self.versions_of(outside, &slot, store).await {
            Ok(Some(versions)) => versions,
            Ok(None) => return Some(false),
            Err(error) => {
                self.store_failed(outside, key.as_str(), &error);
                return None;
            }
        };
        match self.send(through, slot, &versions, on_its_way).await {
            Ok(written) => Some(written),
            Err(error) => {
                self.store_failed(outside, key.as_str(), &error);
                None
            }
        }
    }

    /// Writes a value from outside: true and final.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn write_through(
        self: &Arc<Self>,
        through: Through<'_>,
        slot: Slot,
    ) -> Result<bool> {
        if self.is_off(Operations::WRITE) {
            return Ok(false);
        }
        let life = (!slot.is_endless()).then(|| slot.keep_until().since(self.clock.now()));
        let versions = self
            .versions_now(through.outside, slot.tags(), life)
            .await?;
        let writing = self
            .leases
            .begin_write(through.key, self.tags.epoch(), None);
        match writing {
            Some(writing) => {
                let on_its_way = OnItsWay::new(self, through.key, writing);
                self.send(through, slot, &versions, on_its_way).await
            }
            None => Ok(false),
        }
    }

    /// Writes several values from outside in one round trip; how many were written.
    ///
    /// # Errors
    /// What the store says; then nobody knows which were written.
    pub(crate) async fn write_many_through(
        self: &Arc<Self>,
        outside: &Outside,
        wire: &Wire,
        slots: Vec<(Key, Slot)>,
    ) -> Result<usize> {
        if self.is_off(Operations::WRITE) || slots.is_empty() {
            return Ok(0);
        }
        let tags = slots.first().map_or(&[][..], |(_, slot)| slot.tags());
        let endless = slots.iter().any(|(_, slot)| slot.is_endless());
        let now = self.clock.now();
        let longest = slots
            .iter()
            .map(|(_, slot)| slot.keep_until().since(now))
            .max();
        let life = longest.filter(|_| !endless);
        let asked = now;
        let versions = self.versions_now(outside, tags, life).await?;
        let epoch = self.tags.epoch();
        let begin = |(key, _): &(Key, Slot)| self.leases.begin_write(key, epoch, None);
        let writings: Vec<Writing> = slots.iter().filter_map(begin).collect();
        let on_their_way: Vec<OnItsWay<'_>> = slots
            .iter()
            .zip(writings)
            .map(|((key, _), writing)| OnItsWay::new(self, key, writing))
            .collect();
        let writes: Vec<Outbound<'_>> = slots
            .iter()
            .map(|(key, slot)| Outbound {
                key,
                slot,
                wire,
                versions: &versions,
                condition: Condition::Always,
            })
            .collect();
        let written = self.write_outside(outside, &writes).await?;
        let mut count = 0;
        for ((on_its_way, (key, slot)), written) in
            on_their_way.into_iter().zip(&slots).zip(written)
        {
            count += usize::from(written);
            outside.anew(key);
            let copy = self.promoted(outside, slot, asked).filter(|_| written);
            if copy.is_none() && written {
                self.stored_outside(outside, key, slot);
            }
            on_its_way.end(copy);
        }
        Ok(count)
    }

    async fn send(
        self: &Arc<Self>,
        through: Through<'_>,
        slot: Slot,
        versions: &[(Key, u64)],
        on_its_way: OnItsWay<'_>,
    ) -> Result<bool> {
        let Through {
            outside,
            wire,
            key,
            when,
            asked,
        } = through;
        let write = Outbound {
            key,
            slot: &slot,
            wire,
            versions,
            condition: when.condition(),
        };
        let written = self.write_outside(outside, &[write]).await?;
        if !written.first().copied().unwrap_or(false) {
            on_its_way.end_unchanged();
            return Ok(false);
        }
        outside.anew(key);
        let copy = self.promoted(outside, &slot, asked);
        if copy.is_none() {
            self.stored_outside(outside, key, &slot);
        }
        on_its_way.end(copy);
        Ok(true)
    }

    /// Counts and tells an entry that only the store keeps.
    pub(crate) fn stored_outside(&self, outside: &Outside, key: &Key, slot: &Slot) {
        self.stats.add(Counter::Stored, 1);
        self.tell(|| Event::Stored { key: key.as_str() });
        self.written(outside.store.name(), key, self.noted(slot));
    }

    /// Removes one entry everywhere; whether it was alive anywhere.
    ///
    /// # Errors
    /// What the store says; memory has forgotten it all the same.
    pub(crate) async fn remove_through(&self, key: &Key) -> Result<bool> {
        if self.is_off(Operations::REMOVE) {
            return Ok(false);
        }
        let was_here = self.remove(key);
        let Some(outside) = &self.outside else {
            return Ok(was_here);
        };
        let keys = [key.as_str()];
        let removed = outside.store.remove(&Removal::Keys(&keys)).await;
        self.remove(key);
        match removed {
            Ok(removed) => Ok(was_here || removed > 0),
            Err(error) => {
                self.store_failed(outside, key.as_str(), &error);
                Err(error.at(key))
            }
        }
    }

    /// Removes from the store what is to be loaded anew in a scope that asks for that. A store that fails is told of.
    pub(crate) async fn forget_further(&self, outside: &Outside, keys: &[Key]) {
        if self.is_off(Operations::REMOVE) {
            return;
        }
        let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
        if let Err(error) = outside.store.remove(&Removal::Keys(&keys)).await {
            self.store_failed(outside, keys.first().unwrap_or(&""), &error);
        }
    }

    /// [`remove_through`](Self::remove_through) by rendered key, told as an invalidation.
    pub(crate) async fn forget_key(self: &Arc<Self>, key: &KeyBuf) -> Result<bool> {
        let intended = || Intended::key(Action::Delete, self.bare(key.as_str()));
        let Some(mut deleting) = self.begin(intended) else {
            return Ok(false);
        };
        let removed = self.forget_key_now(key).await;
        deleting.end(Outcome::came_of(&removed, |removed| *removed));
        removed
    }

    async fn forget_key_now(self: &Arc<Self>, key: &KeyBuf) -> Result<bool> {
        if let Some(ambient) = self.ambient()
            && let Some(was) = self.forget_key_inside(&ambient, &key.to_key()).await?
        {
            return Ok(was);
        }
        if self.outside.is_none() || self.is_off(Operations::REMOVE) {
            return Ok(self.remove_key(key));
        }
        let key = key.to_key();
        let removed = self.remove_through(&key).await;
        if self.is_told() {
            let selector = &Selector::Keys(vec![Key::from(&*self.original(key.as_str()))]);
            self.tell(|| Event::Invalidated { selector });
        }
        removed
    }

    /// Removes what a selector means, everywhere; how many entries there were, as far as anybody counts.
    ///
    /// # Errors
    /// What the store says; memory has forgotten them all the same.
    pub(crate) async fn forget(self: &Arc<Self>, selector: &Selector) -> Result<usize> {
        if let Selector::Keys(keys) = selector {
            let full = |said: &Key| (self.key(said.as_str()).to_key(), said.clone());
            return self.forget_keys(keys.iter().map(full)).await;
        }
        let Some(mut removing) = self.begin(|| Intended::selected(selector)) else {
            return Ok(0);
        };
        let removed = self.forget_now(selector).await;
        // Nobody counts the entries under a tag.
        let is_uncounted = matches!(selector, Selector::Tags(_));
        removing.end(Outcome::came_of(&removed, |count| {
            is_uncounted || *count > 0
        }));
        removed
    }

    /// [`forget`](Self::forget) of keys as they are kept, with the prefix of the cache: middleware need not know the way back.
    ///
    /// # Errors
    /// As [`forget`](Self::forget).
    pub(crate) async fn forget_full(self: &Arc<Self>, keys: Vec<Key>) -> Result<usize> {
        let said = |key: Key| {
            let said = Key::from(&*self.original(key.as_str()));
            (key, said)
        };
        self.forget_keys(keys.into_iter().map(said)).await
    }

    /// Several keys, as they are kept and as they are told of, are one operation each to the middleware, and one together to the store.
    async fn forget_keys(
        self: &Arc<Self>,
        keys: impl Iterator<Item = (Key, Key)>,
    ) -> Result<usize> {
        let mut deleting = Vec::new();
        let begins = |(full, _): &(Key, Key)| {
            let intended = || Intended::key(Action::Delete, self.bare(full.as_str()));
            let begun = self.begin(intended);
            let begins = begun.is_some();
            deleting.extend(begun);
            begins
        };
        let (full, said): (Vec<Key>, Vec<Key>) = keys.filter(begins).unzip();
        if full.is_empty() {
            return Ok(0);
        }
        let removed = self.forget_keys_now(&full, said).await;
        for mut deleting in deleting {
            deleting.end(Outcome::came_of(&removed, |removed| *removed > 0));
        }
        removed
    }

    async fn forget_keys_now(self: &Arc<Self>, keys: &[Key], said: Vec<Key>) -> Result<usize> {
        if let Some(ambient) = self.ambient()
            && let Some(were) = self.forget_keys_inside(&ambient, keys).await?
        {
            return Ok(were);
        }
        if self.is_off(Operations::REMOVE) {
            return Ok(0);
        }
        let remove = || keys.iter().filter(|key| self.remove(key)).count();
        let here = remove();
        let selector = &Selector::Keys(said);
        self.tell(|| Event::Invalidated { selector });
        let Some(outside) = &self.outside else {
            return Ok(here);
        };
        let texts: Vec<&str> = keys.iter().map(Key::as_str).collect();
        let removed = outside.store.remove(&Removal::Keys(&texts)).await;
        // As in `forget_now`.
        remove();
        self.counted(outside, here, removed)
    }

    /// How many entries a removal met, here or in the store. A store that fails is told of.
    fn counted(&self, outside: &Outside, here: usize, there: Result<u64>) -> Result<usize> {
        match there {
            Ok(there) => Ok(here.max(usize::try_from(there).unwrap_or(usize::MAX))),
            Err(error) => {
                self.store_failed(outside, "", &error);
                Err(error)
            }
        }
    }

    /// All but keys: see [`forget_keys_now`](Self::forget_keys_now).
    async fn forget_now(self: &Arc<Self>, selector: &Selector) -> Result<usize> {
        if let Some(ambient) = self.ambient()
            && let Some(were) = self.forget_inside(&ambient, selector)
        {
            return Ok(were);
        }
        let here = self.remove_selected(selector);
        let Some(outside) = &self.outside else {
            return Ok(here);
        };
        if self.is_off(Operations::REMOVE) {
            return Ok(0);
        }
        let removed = self.remove_outside(outside, selector).await;
        // Between the two a reader may have brought back what the store had not removed yet.
        self.remove_now(selector);
        self.counted(outside, here, removed)
    }

    async fn remove_outside(&self, outside: &Outside, selector: &Selector) -> Result<u64> {
        let store = &outside.store;
        match selector {
            Selector::Keys(keys) => {
                let keys: Vec<Key> = keys
                    .iter()
                    .map(|key| self.key(key.as_str()).to_key())
                    .collect();
                let keys: Vec<&str> = keys.iter().map(Key::as_str).collect();
                store.remove(&Removal::Keys(&keys)).await
            }
            Selector::Tags(tags) => {
                let tags = self.store_tags(tags);
                let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
                store.forget_tags(&tags).await.map(|()| 0)
            }
            Selector::Prefix(prefix) => {
                let full = self.kept_prefix(prefix);
                store.remove(&Removal::Prefix(&full)).await
            }
            Selector::Pattern(pattern) => {
                let (prefix, pattern) = (&*self.prefix, &*self.middleware.pattern(pattern));
                store.remove(&Removal::Pattern { prefix, pattern }).await
            }
            Selector::All => store.remove(&Removal::Prefix(&self.prefix)).await,
        }
    }
}
