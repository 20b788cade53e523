//! What direct operations ask of a store besides values: times, touches, keys.

use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::outside::Outside;
use crate::entry::Slot;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::lease::Lease;
use crate::store::{Ask, Fill, Head, Life, Read, Scan};
use crate::switch::Operations;

impl Inner {
    /// Reads an entry for a direct operation: from memory, else from the store, from where memory takes a copy.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn find_outside(
        self: &Arc<Self>,
        outside: &Outside,
        looking: &[super::Looking<'_>],
    ) -> Result<Vec<Option<Slot>>> {
        let leases: Vec<Lease> = looking
            .iter()
            .map(|looking| self.leases.take(looking.key, looking.as_of))
            .collect();
        let asked = self.clock.now();
        let looked = self.look_many(outside, looking).await;
        let mut slots = Vec::with_capacity(looked.len());
        for ((looking, lease), looked) in looking.iter().zip(&leases).zip(looked) {
            if let Some(error) = looked.error {
                return Err(error.at(looking.key));
            }
            if let Some(slot) = &looked.slot
                && !looked.is_bare
                && !self.is_off(Operations::WRITE)
                && let Some(copy) = self.promoted(outside, slot, asked)
            {
                self.fill_copy(lease, copy);
            }
            slots.push(looked.slot);
        }
        Ok(slots)
    }

    /// What is left of an entry's life; `None` when that has no end.
    pub(crate) fn left(&self, slot: &Slot) -> Option<Duration> {
        (!slot.is_endless()).then(|| slot.keep_until().since(self.clock.now()))
    }

    /// What the store says of an entry's times; `None` when it is not alive there.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn stamps_outside(&self, key: &Key) -> Result<Option<StampsOutside>> {
        let Some(outside) = &self.outside else {
            return Ok(None);
        };
        // Cheap where nothing is there; what is there has to be read, for its tags may have been forgotten.
        let remaining = outside.store.remaining(&[key.as_str()]).await?;
        let Some(life) = remaining.into_iter().next().flatten() else {
            return Ok(None);
        };
        let read = Read {
            key: key.as_str(),
            ask: Ask::Entry,
            tags: &[],
            lease: Duration::ZERO,
            life: None,
            now: self.clock.unix_millis(),
        };
        let found = outside.store.read(&[read]).await?;
        let Some(bytes) = found.into_iter().next().and_then(|found| found.bytes) else {
            return Ok(None);
        };
        let Some((head, _)) = Head::parse(&bytes) else {
            let is_served = true;
            return Ok(Some(StampsOutside {
                is_served,
                left: life,
            }));
        };
        let now = self.clock.unix_millis();
        let soon = Some(Duration::from_secs(1));
        if now >= head.keep_until() || !self.tags_stand_now(outside, &head, soon).await? {
            return Ok(None);
        }
        let left =
            (head.keep_until() != u64::MAX).then(|| Duration::from_millis(head.keep_until() - now));
        let is_served = head.can_be_served(now);
        Ok(Some(StampsOutside { is_served, left }))
    }

    /// Whether all tags of an entry have the versions that it was written with. Their records live at least `life` from now on.
    async fn tags_stand_now(&self, outside: &Outside, head: &Head, life: Life) -> Result<bool> {
        let names: Vec<&str> = head.tags().iter().map(|tag| tag.name.as_str()).collect();
        if names.is_empty() {
            return Ok(true);
        }
        let now = outside.store.tag_versions(&names, life).await?;
        let mut pairs = head.tags().iter().zip(&now.versions);
        Ok(now.versions.len() == names.len()
            && pairs.all(|(tag, version)| tag.version == *version && *version != 0))
    }

    /// Gives an entry of the store a new life, under a lease: whoever writes or removes it meanwhile wins.
    ///
    /// # Errors
    /// What the store says; [`ErrorKind::Encode`](crate::ErrorKind) for entries that are sealed, whose times nobody may change without their type.
    pub(crate) async fn touch_outside(
        &self,
        outside: &Outside,
        key: &Key,
        ttl: u64,
    ) -> Result<bool> {
        let read = Read {
            key: key.as_str(),
            ask: Ask::EntryAndLease,
            tags: &[],
            lease: Duration::from_secs(10),
            life: None,
            now: self.clock.unix_millis(),
        };
        let found = outside.store.read(&[read]).await?.into_iter().next();
        let Some((bytes, lease)) = found.and_then(|found| found.bytes.zip(found.lease)) else {
            return Ok(false);
        };
        let now = self.clock.now();
        let end = crate::runtime::Timestamp(now.0.saturating_add(ttl));
        let end = self.clock.to_unix(end);
        let life = (end != u64::MAX).then(|| Duration::from_nanos(ttl));
        let head = Head::parse(&bytes).map(|(head, _)| head);
        if let Some(head) = &head
            && (self.clock.unix_millis() >= head.keep_until()
                || !self.tags_stand_now(outside, head, life).await?)
        {
            return Ok(false);
        }
        let bytes = outside
            .codec
            .with_life(&bytes, end)
            .map_err(|error| error.during("touch").at(key))?;
        let fill = Fill {
            key: key.as_str(),
            bytes: &bytes,
            life,
            lease: &lease,
        };
        let filled = outside.store.fill(&[fill]).await;
        // Its copy may live longer than it does now. Loads in progress go on.
        self.drop_copy(key);
        let filled = filled?;
        Ok(filled.first().copied().unwrap_or(false))
    }

    /// The keys of the store that begin so and whose rest matches: the rest of each.
    ///
    /// # Errors
    /// What the store says.
    pub(crate) async fn scan_outside(&self, prefix: &str, pattern: &str) -> Result<Vec<String>> {
        let Some(outside) = &self.outside else {
            return Ok(Vec::new());
        };
        let mut keys = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let scan = Scan {
                prefix,
                pattern,
                cursor: cursor.as_deref(),
                limit: 1_000,
            };
            let page = outside.store.scan(&scan).await?;
            let bare = |key: String| key.strip_prefix(prefix).map(str::to_owned);
            keys.extend(page.keys.into_iter().filter_map(bare));
            if page.cursor.is_none() {
                return Ok(keys);
            }
            if page.cursor == cursor {
                let stuck = "a scan that does not move on";
                return Err(Error::store("scan", outside.store.name(), stuck));
            }
            cursor = page.cursor;
        }
    }
}

/// What a store says of an entry's times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StampsOutside {
    pub(crate) is_served: bool,
    /// `None` when that has no end.
    pub(crate) left: Life,
}
