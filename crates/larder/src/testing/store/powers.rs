//! Counters, locks, windows, bits.

use std::collections::BTreeSet;
use std::time::Duration;

use super::state::{Change, Held, Row, State, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::store::tally::Rule;
use crate::store::{Acquired, Admission, Life, Quota};

impl State {
    pub(super) fn add(&mut self, key: &str, by: i64, life: Life) -> Result<i64> {
        let (before, until) = match self.entries.get(key) {
            Some(entry) => (number(&entry.bytes)?, entry.until),
            None => (0, self.until(life)),
        };
        let sum = before.checked_add(by).ok_or_else(|| {
            Error::new(
                ErrorKind::Store,
                "increment",
                "memory: the sum is out of the range of a number",
            )
        })?;
        self.leases.remove(key);
        if until > self.now {
            let bytes = sum.to_string().into_bytes();
            self.entries.insert(key.to_owned(), Stored { bytes, until });
        }
        self.changes.push(Change::Key(key.to_owned()));
        Ok(sum)
    }

    pub(super) fn acquire(&mut self, name: &str, owner: &str, ttl: Duration) -> Acquired {
        let before = self.locks.get(name);
        if let Some(held) = before.filter(|held| held.until > self.now && held.owner != owner) {
            let left = held.until.since(self.now);
            return Acquired::Taken { left };
        }
        let fence = before.map_or(0, |held| held.fence) + 1;
        let held = Held {
            owner: owner.to_owned(),
            until: self.now.after(ttl),
            fence,
        };
        self.locks.insert(name.to_owned(), held);
        Acquired::Held { fence }
    }

    pub(super) fn renew(&mut self, name: &str, owner: &str, ttl: Duration) -> bool {
        let until = self.now.after(ttl);
        let mine = self.mine(name, owner);
        mine.map(|held| held.until = until).is_some()
    }

    /// The number stays: the next owner's is greater.
    pub(super) fn release(&mut self, name: &str, owner: &str) -> bool {
        let now = self.now;
        let mine = self.mine(name, owner);
        mine.map(|held| held.until = now).is_some()
    }

    fn mine(&mut self, name: &str, owner: &str) -> Option<&mut Held> {
        let now = self.now;
        let held = self.locks.get_mut(name)?;
        (held.until > now && held.owner == owner).then_some(held)
    }

    pub(super) fn held(&self, name: &str) -> Option<Duration> {
        let left = self.locks.get(name)?.until.since(self.now);
        (!left.is_zero()).then_some(left)
    }

    pub(super) fn admit(&mut self, key: &str, quota: &Quota) -> Admission {
        let now = self.now.as_nanos();
        let tally = self.windows.entry(key.to_owned()).or_default();
        tally.admit(quota.window, &Rule::in_nanos(quota), now)
    }
}

impl State {
    pub(super) fn set_bits(&mut self, key: &str, positions: &[u32], life: Life) -> u64 {
        let until = self.until(life);
        if positions.is_empty() || until <= self.now {
            return positions.iter().collect::<BTreeSet<_>>().len() as u64;
        }
        let row = self.rows.entry(key.to_owned()).or_insert_with(|| Row {
            set: BTreeSet::new(),
            until,
        });
        let new = positions.iter().filter(|at| row.set.insert(**at));
        new.count() as u64
    }

    pub(super) fn test_bits(&self, key: &str, positions: &[u32]) -> Vec<bool> {
        let row = self.rows.get(key);
        let is_set = |at| row.is_some_and(|row| row.set.contains(at));
        positions.iter().map(is_set).collect()
    }
}

/// Only what an addition would have written: no sign of plus, no leading zero.
fn number(bytes: &[u8]) -> Result<i64> {
    let text = std::str::from_utf8(bytes).ok();
    let number = text.and_then(|text| text.parse::<i64>().ok());
    let written = number.filter(|number| number.to_string().as_bytes() == bytes);
    written.ok_or_else(|| {
        Error::new(
            ErrorKind::WrongType,
            "increment",
            "memory: the key holds something else than a number",
        )
    })
}
