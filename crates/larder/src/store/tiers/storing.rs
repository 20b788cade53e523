//! Filling, writing, touching: the deepest level first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::{Tiers, unheard_of};
use crate::error::Result;
use crate::store::head::translate_versions;
use crate::store::late::SHORTLY;
use crate::store::token::Leases;
use crate::store::{Condition, Fill, Head, Life, Removal, Touch, Write};

impl Tiers {
    pub(super) async fn fill_through(&self, fills: &[Fill<'_>]) -> Result<Vec<bool>> {
        let count = self.levels.len();
        let leases: Vec<Option<Leases>> = fills
            .iter()
            .map(|fill| Leases::parse(fill.lease, count))
            .collect();
        let mut fates: Vec<Fate> = leases
            .iter()
            .map(|leases| match leases {
                Some(_) => Fate::Open,
                None => Fate::Lost,
            })
            .collect();
        let mut error = None;
        for level in (0..count).rev() {
            if let Err(failed) = self.fill_level(level, fills, &leases, &mut fates).await {
                self.skip("fill", level, &failed);
                error = Some(failed);
            }
        }
        let nobody = fates.iter().all(|fate| *fate == Fate::Open);
        match error {
            Some(error) if nobody => Err(error),
            _ => Ok(fates.iter().map(|fate| *fate == Fate::Stored).collect()),
        }
    }

    async fn fill_level(
        &self,
        level: usize,
        fills: &[Fill<'_>],
        leases: &[Option<Leases>],
        fates: &mut [Fate],
    ) -> Result<()> {
        let mut going = Vec::new();
        for (number, fill) in fills.iter().enumerate() {
            let Some(leases) = leases[number]
                .as_ref()
                .filter(|_| fates[number] != Fate::Lost)
            else {
                continue;
            };
            let life = self.levels[level].capped(fill.life);
            if let Some(bytes) = self.of_level(level, fill.bytes, life, leases).await {
                going.push((number, bytes, life));
            }
        }
        let mine: Vec<Fill<'_>> = going
            .iter()
            .filter_map(|(number, bytes, life)| {
                let leased = leases[*number].as_ref()?.levels[level].as_ref()?;
                Some(Fill {
                    key: fills[*number].key,
                    bytes,
                    life: *life,
                    lease: &leased.token,
                })
            })
            .collect();
        if mine.is_empty() {
            return Ok(());
        }
        let store = &self.levels[level].store;
        let filled = store.fill(&mine).await?;
        if filled.len() != mine.len() {
            return Err(unheard_of("fill", &**store));
        }
        for ((number, ..), filled) in going.iter().zip(filled) {
            // The deepest level that answers decides: what it refuses goes no further up.
            fates[*number] = match (fates[*number], filled) {
                (Fate::Open, false) => Fate::Lost,
                _ => Fate::Stored,
            };
        }
        Ok(())
    }

    /// An entry, or a head alone, with the versions that its tags had on this level when the lease was taken; `None` when it cannot be stored there.
    async fn of_level(
        &self,
        level: usize,
        bytes: &[u8],
        life: Life,
        leases: &Leases,
    ) -> Option<Vec<u8>> {
        let leased = leases.levels[level].as_ref()?;
        let mut bytes = bytes.to_vec();
        let head = Head::parse(&bytes).filter(|(head, _)| !head.tags().is_empty());
        let Some((head, _)) = head.filter(|_| level != leases.told) else {
            return Some(bytes);
        };
        let (mut here, mut told) = (leases.versions(level), leases.versions(leases.told));
        let tags = head.tags().iter();
        let late: Vec<(&str, u64)> = tags
            .filter(|tag| !here.contains_key(&*tag.name))
            .map(|tag| (&*tag.name, tag.version))
            .collect();
        if !late.is_empty() {
            let of_told = leases.levels[leases.told].as_ref()?.epoch;
            told.extend(
                self.late_versions(leases.told, &late, life, of_told)
                    .await?,
            );
            here.extend(self.late_versions(level, &late, life, leased.epoch).await?);
        }
        translate_versions(&mut bytes, &told, &here);
        Some(bytes)
    }

    pub(super) async fn write_through(&self, writes: &[Write<'_>]) -> Result<Vec<bool>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let is_conditional = writes
            .iter()
            .any(|write| write.condition != Condition::Always);
        let keys: Vec<&str> = writes.iter().map(|write| write.key).collect();
        let mut error = None;
        for level in (0..self.levels.len()).rev() {
            match self.write_level(level, writes).await {
                Ok(written) => {
                    let keys = keys.iter().zip(&written).filter(|(_, written)| **written);
                    let keys: Vec<&str> = keys.map(|(key, _)| *key).collect();
                    self.remove_above(level, &keys).await?;
                    return Ok(written);
                }
                // Only the deepest level knows what is there.
                Err(failed) if is_conditional => return Err(failed),
                Err(failed) => {
                    self.skip("write", level, &failed);
                    // Its older value must not come back.
                    let removal = Removal::Keys(&keys);
                    self.levels[level].store.remove(&removal).await?;
                    error = Some(failed);
                }
            }
        }
        Err(error.unwrap_or_else(|| unheard_of("write", self)))
    }

    async fn write_level(&self, level: usize, writes: &[Write<'_>]) -> Result<Vec<bool>> {
        let bytes = self.of_level_unleased(level, writes).await?;
        let level = &self.levels[level];
        let writes: Vec<Write<'_>> = writes
            .iter()
            .zip(&bytes)
            .map(|(write, bytes)| Write {
                life: level.capped(write.life),
                bytes,
                ..*write
            })
            .collect();
        let written = level.store.write(&writes).await?;
        match written.len() == writes.len() {
            true => Ok(written),
            false => Err(unheard_of("write", &*level.store)),
        }
    }

    /// Entries with the versions that their tags have on one level now, where those that they bring still stand.
    async fn of_level_unleased<'w>(
        &self,
        level: usize,
        writes: &[Write<'w>],
    ) -> Result<Vec<Cow<'w, [u8]>>> {
        let as_they_are = || {
            writes
                .iter()
                .map(|write| Cow::Borrowed(write.bytes))
                .collect()
        };
        if self.levels.len() == 1 {
            return Ok(as_they_are());
        }
        let heads = writes.iter().filter_map(|write| Head::parse(write.bytes));
        let names: BTreeSet<String> = heads
            .flat_map(|(head, _)| head.tags.into_iter().map(|tag| tag.name))
            .collect();
        if names.is_empty() {
            return Ok(as_they_are());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Whoever brings a version has had it made on all levels, for as long as it has to live.
        let told = self.versions(&names, SHORTLY).await?.versions;
        let here = &self.levels[level].store;
        let here = here.tag_versions(&names, SHORTLY).await?.versions;
        let by_name = |versions: Vec<u64>| names.iter().copied().zip(versions).collect();
        let (told, here): (BTreeMap<_, _>, BTreeMap<_, _>) = (by_name(told), by_name(here));
        let translated = writes.iter().map(|write| {
            let mut bytes = write.bytes.to_vec();
            translate_versions(&mut bytes, &told, &here);
            Cow::Owned(bytes)
        });
        Ok(translated.collect())
    }

    /// Takes away what the levels above one have under these keys.
    pub(super) async fn remove_above(&self, level: usize, keys: &[&str]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let mut outcome = Ok(());
        for above in self.levels[..level].iter().rev() {
            let removed = above.store.remove(&Removal::Keys(keys)).await;
            outcome = outcome.and(removed.map(drop));
        }
        outcome
    }

    /// The deepest level keeps its body; the levels above lose theirs, which may be another.
    pub(super) async fn touch_through(&self, touch: &Touch<'_>) -> Result<bool> {
        let deepest = self.levels.len() - 1;
        let leases = Leases::parse(touch.lease, self.levels.len());
        let Some(leases) = leases.filter(|leases| leases.is_deepest) else {
            return Ok(false);
        };
        let life = self.levels[deepest].capped(touch.life);
        let head = self.of_level(deepest, touch.head, life, &leases).await;
        let (Some(head), Some(leased)) = (head, &leases.levels[deepest]) else {
            return Ok(false);
        };
        let mine = Touch {
            key: touch.key,
            head: &head,
            life,
            lease: &leased.token,
        };
        let touched = self.levels[deepest].store.touch(&mine).await?;
        if touched {
            self.remove_above(deepest, &[touch.key]).await?;
        }
        Ok(touched)
    }
}

/// How far an entry has come on its way up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No level has answered.
    Open,
    Stored,
    Lost,
}
