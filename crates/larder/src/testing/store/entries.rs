//! Entries and leases.

use super::request::{OwnedRead, OwnedRemoval, OwnedScan};
use super::state::{Change, Lease, State, Stored};
use crate::runtime::Timestamp;
use crate::store::{Ask, Condition, Found, Head, Life, Page, Token};

impl State {
    pub(super) fn read(&mut self, read: &OwnedRead) -> Found {
        let mut bytes = self.entries.get(&read.key).map(|entry| entry.bytes.clone());
        let due = match read.ask {
            Ask::Entry => false,
            Ask::EntryAndLease => true,
            Ask::EntryOrLease => match bytes.as_deref().map(|bytes| self.judge(bytes, read.now)) {
                Some(Judgement::Servable) => false,
                Some(Judgement::Stale) => true,
                Some(Judgement::Dead) => {
                    bytes = None;
                    true
                }
                None => true,
            },
        };
        if !due {
            let versions = read.tags.iter().map(|tag| self.known_version(tag));
            return Found {
                bytes,
                versions: versions.collect(),
                ..Found::default()
            };
        }
        let life = read.life.map(|life| life.saturating_add(read.lease));
        let versions = read.tags.iter().map(|tag| self.version(tag, life));
        let versions = versions.collect();
        Found {
            bytes,
            versions,
            lease: Some(self.lease(read)),
            epoch: self.epoch,
        }
    }

    fn judge(&self, bytes: &[u8], now: u64) -> Judgement {
        if bytes.first() != Some(&crate::store::MAGIC) {
            return Judgement::Servable;
        }
        let Some((head, _)) = Head::parse(bytes) else {
            return Judgement::Stale;
        };
        let stands = |tag: &crate::store::Tag| {
            tag.version != 0 && self.known_version(&tag.name) == tag.version
        };
        if !head.tags().iter().all(stands) {
            return Judgement::Dead;
        }
        match head.can_be_served(now) {
            true => Judgement::Servable,
            false => Judgement::Stale,
        }
    }

    fn lease(&mut self, read: &OwnedRead) -> Token {
        let until = self.now.after(read.lease);
        let fresh = self.number();
        let lease = self.leases.entry(read.key.clone()).or_insert(Lease {
            token: fresh,
            until,
        });
        lease.until = lease.until.max(until);
        Token::new(lease.token.to_be_bytes())
    }

    fn stands(&self, key: &str, token: &Token) -> bool {
        let lease = self.leases.get(key);
        lease.is_some_and(|lease| lease.token.to_be_bytes() == *token.as_bytes())
    }

    pub(super) fn fill(&mut self, key: &str, bytes: &[u8], life: Life, lease: &Token) -> bool {
        let stands = self.stands(key, lease);
        if stands {
            self.put(key, bytes, life);
        }
        stands
    }

    pub(super) fn write(
        &mut self,
        key: &str,
        bytes: &[u8],
        life: Life,
        condition: Condition,
    ) -> bool {
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => !self.entries.contains_key(key),
            Condition::Present => self.entries.contains_key(key),
        };
        if holds {
            self.leases.remove(key);
            self.put(key, bytes, life);
        }
        holds
    }

    fn put(&mut self, key: &str, bytes: &[u8], life: Life) {
        let until = self.until(life);
        if until > self.now {
            let bytes = bytes.to_vec();
            self.entries.insert(key.to_owned(), Stored { bytes, until });
        } else {
            self.entries.remove(key);
        }
        self.changes.push(Change::Key(key.to_owned()));
    }

    pub(super) fn touch(&mut self, key: &str, head: &[u8], life: Life, lease: &Token) -> bool {
        let until = self.until(life);
        if !self.stands(key, lease) {
            return false;
        }
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        let fits = Head::parse(&entry.bytes).is_some_and(|(_, length)| length == head.len());
        if fits {
            entry.bytes[..head.len()].copy_from_slice(head);
            entry.until = until;
            self.changes.push(Change::Key(key.to_owned()));
        }
        fits
    }

    pub(super) fn remaining(&self, key: &str) -> Option<Life> {
        let until: Timestamp = self.entries.get(key)?.until;
        Some(self.left(until))
    }

    pub(super) fn remove(&mut self, removal: &OwnedRemoval) -> u64 {
        match removal {
            OwnedRemoval::Keys(keys) => keys.iter().map(|key| self.remove_one(key)).sum(),
            OwnedRemoval::Matching(matching) => {
                self.leases.retain(|key, _| !matching.takes(key));
                let entries = self.entries.keys();
                let taken: Vec<String> =
                    entries.filter(|key| matching.takes(key)).cloned().collect();
                taken.iter().map(|key| self.remove_one(key)).sum()
            }
        }
    }

    fn remove_one(&mut self, key: &str) -> u64 {
        self.leases.remove(key);
        let removed = self.entries.remove(key);
        self.changes.push(Change::Key(key.to_owned()));
        u64::from(removed.is_some())
    }

    /// In the order of keys, from the first one behind the cursor.
    pub(super) fn scan(&self, scan: &OwnedScan) -> Page {
        let behind = |key: &&String| scan.cursor.as_ref().is_none_or(|cursor| *key > cursor);
        let mut keys = self
            .entries
            .keys()
            .filter(behind)
            .filter(|key| scan.matching.takes(key));
        let page: Vec<String> = keys.by_ref().take(scan.limit.max(1)).cloned().collect();
        let cursor = keys.next().and(page.last().cloned());
        Page { keys: page, cursor }
    }
}

/// What a store can say about an entry without its codec.
enum Judgement {
    Servable,
    Stale,
    Dead,
}
