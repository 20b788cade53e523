//! Writing to the store: entries as bytes, filled under a lease or written as true.

use super::*;
use crate::overlay::Kept;

fn cannot_be_bytes(key: &Key) -> Error {
    let message = "the value cannot be turned into bytes, or its time is over";
    Error::new(ErrorKind::Encode, "set", message).at(key)
}

impl Outside {
    /// When the store is to drop an entry.
    pub(crate) fn end_of(&self, slot: &Slot) -> Timestamp {
        let deadlines = slot.deadlines();
        // Without an envelope nobody could tell a stale entry from a fresh one.
        match self.codec.has_envelope() {
            true => deadlines.keep_until,
            false => deadlines.refresh_at,
        }
    }
}

impl Inner {
    /// What memory keeps of an entry that the store held, or was told to hold, when it was `asked`: only since then may others have changed it.
    pub(crate) fn promoted(
        &self,
        outside: &Outside,
        slot: &Slot,
        asked: Timestamp,
    ) -> Option<Slot> {
        let cap = outside.copies()?;
        let copy = slot.capped(Timestamp(asked.0.saturating_add(cap)));
        (self.clock.now() < copy.keep_until()).then_some(copy)
    }

    /// An entry as bytes for the store, and how long it is kept there; `None` when its life is over or it cannot be encoded, which is told.
    fn encode(
        &self,
        outside: &Outside,
        key: &Key,
        wire: &Wire,
        slot: &Slot,
        versions: &[(Key, u64)],
    ) -> Option<(Vec<u8>, Life)> {
        let deadlines = slot.deadlines();
        let end = outside.end_of(slot);
        let left = end.since(self.clock.now());
        let keep_until = self.clock.to_unix(end);
        if left.is_zero() {
            return None;
        }
        let (hits, refresh_hits) = slot.budgets();
        let stamps = Stamps {
            written: self.clock.to_unix(slot.written()),
            refresh_at: self.clock.to_unix(deadlines.refresh_at),
            stale_until: self.clock.to_unix(deadlines.stale_until),
            keep_until,
            hits,
            refresh_hits,
            cost: u64::try_from(slot.cost().as_micros()).unwrap_or(u64::MAX),
            tags: versions
                .iter()
                .map(|(tag, version)| Tag {
                    name: self.store_tag(tag),
                    version: *version,
                })
                .collect(),
        };
        let (kind, value) = slot.shared();
        match outside
            .codec
            .encode(key.as_str(), wire, (kind, &value), stamps)
        {
            Ok(bytes) => Some((bytes, (keep_until != u64::MAX).then_some(left))),
            Err(error) => {
                self.store_failed(outside, key.as_str(), &error);
                None
            }
        }
    }

    /// Whether a value can be turned into bytes at all; its tags are left out.
    ///
    /// # Errors
    /// When it cannot.
    pub(crate) fn check_encoding(&self, outside: &Outside, key: &Key, kept: &Kept) -> Result<()> {
        let encoded = self.encode(outside, key, &kept.wire, &kept.slot, &[]);
        encoded.map(drop).ok_or_else(|| cannot_be_bytes(key))
    }

    /// Fills the store under its lease.
    pub(crate) async fn fill_outside(
        &self,
        outside: &Outside,
        key: &Key,
        wire: &Wire,
        slot: &Slot,
        lease: &StoreLease,
    ) -> Reached {
        let filled = self
            .fill_outside_many(outside, &[(key, slot, wire, lease)])
            .await;
        filled.first().copied().unwrap_or(Reached::Not)
    }

    /// [`fill_outside`](Self::fill_outside) for several keys in one round trip.
    pub(crate) async fn fill_outside_many(
        &self,
        outside: &Outside,
        fills: &[(&Key, &Slot, &Wire, &StoreLease)],
    ) -> Vec<Reached> {
        let mut reached = vec![Reached::Not; fills.len()];
        let mut ready = Vec::with_capacity(fills.len());
        for (at, (key, slot, wire, lease)) in fills.iter().enumerate() {
            match self.versions_of(outside, slot, lease).await {
                Ok(Some(versions)) => {
                    if let Some((bytes, life)) = self.encode(outside, key, wire, slot, &versions) {
                        ready.push((at, *key, bytes, life, *lease));
                    }
                }
                Ok(None) => reached[at] = Reached::Superseded,
                Err(error) => {
                    self.store_failed(outside, key.as_str(), &error);
                    if is_out_of_reach(&error) {
                        // Neither the tags of the others nor the fill would fare better, and each may cost a limit.
                        return reached;
                    }
                }
            }
        }
        let batch: Vec<Fill<'_>> = ready
            .iter()
            .map(|(_, key, bytes, life, lease)| Fill {
                key: key.as_str(),
                bytes,
                life: *life,
                lease: &lease.token,
            })
            .collect();
        if batch.is_empty() {
            return reached;
        }
        match outside.store.fill(&batch).await {
            Ok(filled) => {
                for ((at, ..), filled) in ready.iter().zip(filled) {
                    reached[*at] = if filled {
                        Reached::Stored
                    } else {
                        Reached::Superseded
                    };
                }
            }
            Err(error) => self.store_failed(outside, batch[0].key, &error),
        }
        reached
    }

    /// The versions that an entry's tags had before its value was computed; `None` when that cannot be known any more.
    pub(crate) async fn versions_of(
        &self,
        outside: &Outside,
        slot: &Slot,
        lease: &StoreLease,
    ) -> Result<Option<Vec<(Key, u64)>>> {
        let left = slot.keep_until().since(self.clock.now());
        let life = (!slot.is_endless()).then_some(left);
        // A version must outlive the entry, or the entry dies with it.
        let outlives = lease
            .life
            .is_none_or(|known| life.is_some_and(|life| life <= known));
        let known = |tag: &Key| lease.versions.iter().find(|(known, _)| known == tag);
        let known = |tag: &Key| known(tag).filter(|_| outlives);
        let late: Vec<&Key> = slot
            .tags()
            .iter()
            .filter(|tag| known(tag).is_none())
            .collect();
        let mut versions: Vec<(Key, u64)> = Vec::with_capacity(slot.tags().len());
        if !late.is_empty() {
            let names = self.store_tags(late.iter().copied());
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let now = self.all_versions(outside, &names, life).await?;
            if now.epoch != lease.epoch {
                return Ok(None);
            }
            versions.extend(late.into_iter().cloned().zip(now.versions));
        }
        versions.extend(slot.tags().iter().filter_map(|tag| known(tag).cloned()));
        versions.sort();
        versions.dedup();
        Ok(Some(versions))
    }

    /// The versions of tags before a value is asked for that will be written, not filled.
    pub(crate) async fn versions_now(
        &self,
        outside: &Outside,
        tags: &[Key],
        life: Life,
    ) -> Result<Vec<(Key, u64)>> {
        if tags.is_empty() {
            return Ok(Vec::new());
        }
        let names = self.store_tags(tags);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let now = self.all_versions(outside, &names, life).await?;
        Ok(tags.iter().cloned().zip(now.versions).collect())
    }

    /// The versions of tags; one that is missing is an error, for the entry would not be forgotten by it.
    async fn all_versions(
        &self,
        outside: &Outside,
        names: &[&str],
        life: Life,
    ) -> Result<TagVersions> {
        let now = outside.store.tag_versions(names, life).await?;
        if now.versions.len() != names.len() {
            let few = "not one version for each tag";
            return Err(Error::store("tag_versions", outside.store.name(), few));
        }
        Ok(now)
    }

    /// Writes an entry that is true.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn write_outside(
        &self,
        outside: &Outside,
        writes: &[Outbound<'_>],
    ) -> Result<Vec<bool>> {
        let mut ready = Vec::with_capacity(writes.len());
        for write in writes {
            let encoded = self.encode(outside, write.key, write.wire, write.slot, write.versions);
            ready.push(encoded.ok_or_else(|| cannot_be_bytes(write.key))?);
        }
        let batch: Vec<Write<'_>> = writes
            .iter()
            .zip(&ready)
            .map(|(write, (bytes, life))| Write {
                key: write.key.as_str(),
                bytes,
                life: *life,
                condition: write.condition,
            })
            .collect();
        outside.store.write(&batch).await
    }
}
