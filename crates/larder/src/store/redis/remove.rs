//! Removing, and the keys that are there.

use ::redis::{Cmd, Value};
use futures_util::future::join_all;
use larder_syntax::glob;

use super::cluster::Master;
use super::line::To;
use super::names::{self, Kind, Names};
use super::{Redis, reply, script};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Page, Removal, Scan};

const REMOVE: &str = "remove";
const SCAN: &str = "scan";
/// How many keys the server looks at in one step of a removal.
const STEP: usize = 1_000;
/// How often a removal goes through a cluster that is being rebuilt.
const ROUNDS: usize = 8;

impl Redis {
    pub(super) async fn remove_all(&self, removal: &Removal<'_>) -> Result<u64> {
        match removal {
            Removal::Keys(keys) => keys.iter().for_each(|key| self.likely.gone(key)),
            _ => self.likely.all_gone(),
        }
        match removal {
            Removal::Keys(keys) => self.remove_keys(keys.iter().copied()).await,
            Removal::Prefix(prefix) => {
                // Entries and leases begin alike: one way through finds both.
                let all = format!("{}*", glob::escape(self.space(prefix)));
                self.sweep(all.as_bytes(), |_| true).await
            }
            Removal::Pattern { prefix, pattern } => {
                let start = glob::escape(self.space(prefix));
                let length = self.space(prefix).len();
                // Leases first: what they allow is then over, and what they allowed stands when entries are looked for.
                let mut leases = format!("{start}*").into_bytes();
                leases.extend([names::MARK, Kind::Lease.byte(), b'*']);
                let rest = |key: &str| glob::matches(pattern, &key[length..]);
                let removed = self.sweep(&leases, &rest).await?;
                let entries = format!("{start}{pattern}");
                // A lease's name may match where its key does not.
                Ok(removed + self.sweep(entries.as_bytes(), &rest).await?)
            }
        }
    }

    /// What an empty prefix stands for.
    fn space<'a>(&'a self, prefix: &'a str) -> &'a str {
        if prefix.is_empty() {
            &self.plan.settings.prefix
        } else {
            prefix
        }
    }

    async fn remove_keys<'k>(&self, keys: impl Iterator<Item = &'k str> + Clone) -> Result<u64> {
        let groups = self.groups(keys.clone());
        let keys: Vec<&str> = keys.collect();
        let asked = groups.iter().map(|group| {
            let room: usize = group.iter().map(|place| 2 * keys[*place].len() + 32).sum();
            let mut cmd = script::REMOVE.call(2 * group.len(), 0, room);
            for place in group {
                let key = keys[*place];
                cmd.arg(key).arg(self.names.beside(key, Kind::Lease));
            }
            self.ask(REMOVE, cmd)
        });
        let mut removed = 0;
        for answer in join_all(asked).await {
            removed += reply::number(REMOVE, &answer?)?.max(0) as u64;
        }
        Ok(removed)
    }

    /// Removes entries and leases whose names match; each with the other, so that no lease outlives its entry's removal and none fills behind it.
    ///
    /// The way through a cluster is complete if nothing moved meanwhile. What a key in motion may have slipped past is gone through again.
    async fn sweep(&self, pattern: &[u8], rest: impl Fn(&str) -> bool + Sync) -> Result<u64> {
        let mut removed = 0;
        let mut before = self.layout(REMOVE).await?;
        for round in 0..ROUNDS {
            let swept = before
                .masters
                .iter()
                .map(|master| self.sweep_one(master, pattern, &rest));
            for swept in join_all(swept).await {
                removed += swept?;
            }
            if self.names == Names::Plain {
                return Ok(removed);
            }
            let after = self.layout(REMOVE).await?;
            if after == before && (!after.moves() || round > 0) {
                return Ok(removed);
            }
            before = after;
        }
        Err(Error::unavailable(
            REMOVE,
            super::NAME,
            "the slots of the cluster do not come to rest",
        ))
    }

    async fn sweep_one(
        &self,
        master: &Master,
        pattern: &[u8],
        rest: impl Fn(&str) -> bool,
    ) -> Result<u64> {
        let mut removed = 0;
        let mut cursor = 0;
        loop {
            let (next, found) = self
                .step(REMOVE, master.slot, cursor, pattern, STEP)
                .await?;
            let mut keys: Vec<&str> = found
                .iter()
                .filter_map(|name| key_of(name))
                .filter(|key| rest(key))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            removed += self.remove_keys(keys.into_iter()).await?;
            match next {
                0 => return Ok(removed),
                next => cursor = next,
            }
        }
    }

    async fn step(
        &self,
        operation: &'static str,
        slot: u16,
        cursor: u64,
        pattern: &[u8],
        count: usize,
    ) -> Result<(u64, Vec<Vec<u8>>)> {
        let mut cmd = Cmd::new();
        cmd.arg("SCAN").arg(cursor).arg("MATCH").arg(pattern);
        cmd.arg("COUNT").arg(count).arg("TYPE").arg("string");
        let mut parts = reply::list_of(
            operation,
            self.ask_at(operation, cmd, To::Slot(slot)).await?,
            2,
        )?;
        let names = reply::list(operation, parts.pop().unwrap_or(Value::Nil))?;
        // Cursors use all 64 bits.
        let cursor = reply::bytes(operation, parts.pop().unwrap_or(Value::Nil))?
            .and_then(|text| String::from_utf8(text).ok()?.parse().ok())
            .ok_or_else(|| reply::odd(operation))?;
        let names = names
            .into_iter()
            .map(|name| reply::bytes(operation, name).map(Option::unwrap_or_default));
        Ok((cursor, names.collect::<Result<_>>()?))
    }

    pub(super) async fn page(&self, scan: &Scan<'_>) -> Result<Page> {
        let place = scan.cursor.map(Place::parse).transpose()?;
        let masters = match self.names {
            Names::Plain => Vec::new(),
            Names::Slotted => self.masters(SCAN).await?,
        };
        let first = masters.first().map_or(0, |master| master.slot);
        let Place { slot, cursor } = place.unwrap_or(Place {
            slot: first,
            cursor: 0,
        });
        let pattern = format!("{}{}", glob::escape(scan.prefix), scan.pattern);
        let limit = scan.limit.clamp(1, 10 * STEP);
        let (next, found) = self
            .step(SCAN, slot, cursor, pattern.as_bytes(), limit)
            .await?;
        let keys = found
            .into_iter()
            // A record has bytes in its name that no text has.
            .filter_map(|name| String::from_utf8(name).ok())
            .collect();
        let next = match next {
            0 => masters
                .iter()
                .map(|master| master.slot)
                .find(|other| *other > slot)
                .map(|slot| Place { slot, cursor: 0 }),
            cursor => Some(Place { slot, cursor }),
        };
        Ok(Page {
            keys,
            cursor: next.map(|Place { slot, cursor }| format!("{slot}:{cursor}")),
        })
    }
}

/// Where a page ended: a master, by a slot of it, and the server's own cursor.
struct Place {
    slot: u16,
    cursor: u64,
}

impl Place {
    fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once(':');
        let parsed = parts.and_then(|(slot, cursor)| {
            let (slot, cursor) = (slot.parse().ok()?, cursor.parse().ok()?);
            (slot < names::SLOTS).then_some(Self { slot, cursor })
        });
        parsed.ok_or_else(|| {
            let message = "this is no cursor of a page before";
            Error::new(ErrorKind::InvalidKey, SCAN, message)
        })
    }
}

/// The key that an entry or a lease belongs to; other records stay.
fn key_of(name: &[u8]) -> Option<&str> {
    let text = match names::split(name) {
        None => name,
        Some((key, kind)) if kind == Kind::Lease.byte() => key,
        Some(_) => return None,
    };
    std::str::from_utf8(text).ok()
}
