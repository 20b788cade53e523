//! What changes entries. Everything here runs in one transaction of the writer's thread.

use std::cell::Cell;

use larder_syntax::glob;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::read::{alive, judge};
use super::tags;
use crate::error::ErrorKind;
use crate::store::{
    Condition, Failure, Fill, Found, Head, Life, Read, Token, Touch, Write, end, unique,
};

/// A transaction.
pub(super) struct Tx<'a> {
    pub(super) db: &'a Connection,
    /// The present, the same for the whole transaction.
    pub(super) now: i64,
    /// By how many the entries have become more.
    pub(super) more: Cell<i64>,
}

impl Tx<'_> {
    /// Looks again, in the transaction, and leases if that is still due.
    pub(super) fn read(&self, read: &Read<'_>) -> Result<Found> {
        let (mut found, due) = judge(self.db, read, self.now)?;
        if due {
            found.lease = Some(self.lease(read)?);
            let ends = end(self.now, read.life.map(|life| life + read.lease));
            found.versions = tags::make(self, read.tags, ends)?;
            found.epoch = tags::epoch(self.db)?;
        }
        Ok(found)
    }

    /// The token that stands, or a new one.
    fn lease(&self, read: &Read<'_>) -> Result<Token> {
        let (key, ends) = (read.key.as_bytes(), end(self.now, Some(read.lease)));
        let mut find = self
            .db
            .prepare_cached("SELECT token, ends FROM lease WHERE key = ?1 AND ends > ?2")?;
        let standing = find
            .query_row(params![key, self.now], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        let token = match standing {
            Some((token, until)) if until >= ends => return Ok(token_of(token)),
            Some((token, _)) => token,
            None => unique() as i64,
        };
        self.db
            .prepare_cached("INSERT INTO lease(key, token, ends) VALUES (?1, ?2, ?3) ON CONFLICT(key) DO UPDATE SET token = excluded.token, ends = excluded.ends")?
            .execute(params![key, token, ends])?;
        Ok(token_of(token))
    }

    fn stands(&self, key: &str, lease: &Token) -> Result<bool> {
        let Ok(token) = <[u8; 8]>::try_from(lease.as_bytes()) else {
            return Ok(false);
        };
        self.db
            .prepare_cached("SELECT 1 FROM lease WHERE key = ?1 AND token = ?2 AND ends > ?3")?
            .exists(params![key.as_bytes(), i64::from_be_bytes(token), self.now])
    }

    fn end_leases(&self, key: &str) -> Result<()> {
        self.db
            .prepare_cached("DELETE FROM lease WHERE key = ?1")?
            .execute([key.as_bytes()])?;
        Ok(())
    }

    pub(super) fn fill(&self, fill: &Fill<'_>) -> Result<bool> {
        let stands = self.stands(fill.key, fill.lease)?;
        if stands {
            self.put(fill.key, fill.bytes, end(self.now, fill.life))?;
        }
        Ok(stands)
    }

    pub(super) fn write(&self, write: &Write<'_>) -> Result<bool> {
        let holds = match write.condition {
            Condition::Always => true,
            Condition::Absent => !self.is_there(write.key)?,
            Condition::Present => self.is_there(write.key)?,
        };
        if holds {
            self.end_leases(write.key)?;
            self.put(write.key, write.bytes, end(self.now, write.life))?;
        }
        Ok(holds)
    }

    fn is_there(&self, key: &str) -> Result<bool> {
        Ok(alive(self.db, key, self.now)?.is_some())
    }

    fn put(&self, key: &str, bytes: &[u8], expires: i64) -> Result<()> {
        let key = key.as_bytes();
        let mut find = self
            .db
            .prepare_cached("SELECT id FROM entry WHERE key = ?1")?;
        let id = find
            .query_row([key], |row| row.get::<_, i64>(0))
            .optional()?;
        if let Some(id) = id {
            self.db
                .prepare_cached("UPDATE entry SET expires = ?2, used = ?3 WHERE key = ?1")?
                .execute(params![key, expires, self.now])?;
            self.db
                .prepare_cached("UPDATE body SET bytes = ?2 WHERE id = ?1")?
                .execute(params![id, bytes])?;
        } else {
            self.db
                .prepare_cached("INSERT INTO body(bytes) VALUES (?1)")?
                .execute([bytes])?;
            self.db
                .prepare_cached(
                    "INSERT INTO entry(key, id, expires, used) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![key, self.db.last_insert_rowid(), expires, self.now])?;
            self.more.set(self.more.get() + 1);
        }
        Ok(())
    }

    /// Overwrites the head in its place: of a large value only the first page is written.
    pub(super) fn touch(&self, touch: &Touch<'_>) -> Result<bool> {
        if !self.stands(touch.key, touch.lease)? {
            return Ok(false);
        }
        let Some((id, _)) = alive(self.db, touch.key, self.now)? else {
            return Ok(false);
        };
        let mut body = self.db.blob_open("main", "body", "bytes", id, false)?;
        let mut start = vec![0; touch.head.len().min(body.len())];
        body.read_at_exact(&mut start, 0)?;
        let same = start.len() == touch.head.len()
            && Head::parse(&start).is_some_and(|(_, length)| length == start.len());
        if !same {
            return Ok(false);
        }
        body.write_at(touch.head, 0)?;
        body.close()?;
        self.db
            .prepare_cached("UPDATE entry SET expires = ?2, used = ?3 WHERE key = ?1")?
            .execute(params![
                touch.key.as_bytes(),
                end(self.now, touch.life),
                self.now
            ])?;
        Ok(true)
    }

    /// Whether there was a living entry.
    pub(super) fn remove(&self, key: &str) -> Result<bool> {
        self.end_leases(key)?;
        let mut find = self
            .db
            .prepare_cached("SELECT id, expires FROM entry WHERE key = ?1")?;
        let found = find
            .query_row([key.as_bytes()], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        let Some((id, expires)) = found else {
            return Ok(false);
        };
        self.delete(key.as_bytes(), id)?;
        Ok(expires > self.now)
    }

    pub(super) fn delete(&self, key: &[u8], id: i64) -> Result<()> {
        self.db
            .prepare_cached("DELETE FROM entry WHERE key = ?1")?
            .execute([key])?;
        self.db
            .prepare_cached("DELETE FROM body WHERE id = ?1")?
            .execute([id])?;
        self.more.set(self.more.get() - 1);
        Ok(())
    }

    /// Ends the leases of all keys that match.
    pub(super) fn end_matching_leases(&self, matching: &Matching) -> Result<()> {
        let (from, to) = matching.range(None);
        let mut find = self
            .db
            .prepare_cached("SELECT key FROM lease WHERE key >= ?1 AND key < ?2")?;
        let keys = find.query_map(params![from, to], |row| row.get::<_, Vec<u8>>(0))?;
        let keys = keys.collect::<Result<Vec<_>>>()?;
        for key in keys.iter().filter(|key| matching.matches(key)) {
            self.db
                .prepare_cached("DELETE FROM lease WHERE key = ?1")?
                .execute([key])?;
        }
        Ok(())
    }

    /// Removes some of the entries that match, from behind `after`: how many lived, and where to go on.
    pub(super) fn remove_matching(
        &self,
        matching: &Matching,
        after: Option<&[u8]>,
    ) -> Result<(u64, Option<Vec<u8>>)> {
        let (from, to) = matching.range(after);
        let mut find = self.db.prepare_cached(
            "SELECT key, id, expires FROM entry WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
        )?;
        let rows = find.query_map(params![from, to, SLICE], |row| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })?;
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let mut lived = 0;
        for (key, id, expires) in &rows {
            if matching.matches(key) {
                self.delete(key, *id)?;
                lived += u64::from(*expires > self.now);
            }
        }
        let more = rows.len() == SLICE as usize;
        let next = rows.into_iter().next_back().filter(|_| more);
        Ok((lived, next.map(|(key, ..)| key)))
    }

    /// See [`Counters::add`](crate::store::Counters::add).
    pub(super) fn add(&self, key: &str, by: i64, life: Life) -> Result<Counted> {
        let mut find = self.db.prepare_cached(
            "SELECT body.bytes, entry.expires FROM entry JOIN body ON body.id = entry.id WHERE entry.key = ?1 AND entry.expires > ?2",
        )?;
        let found = find
            .query_row(params![key.as_bytes(), self.now], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        let (before, expires) = match &found {
            Some((bytes, expires)) => (number(bytes), *expires),
            None => (Some(0), end(self.now, life)),
        };
        let Some(before) = before else {
            let text = format!("`{key}` holds something else than a whole number");
            return Ok(Err(Failure::new(ErrorKind::WrongType, text)));
        };
        let Some(sum) = before.checked_add(by) else {
            let text = format!("`{key}`: the sum is out of range");
            return Ok(Err(Failure::new(ErrorKind::Store, text)));
        };
        self.end_leases(key)?;
        self.put(key, sum.to_string().as_bytes(), expires)?;
        Ok(Ok(sum))
    }
}

/// How many entries one transaction removes at most: others get their turn in between.
pub(super) const SLICE: i64 = 1_000;

/// What adding gave.
type Counted = std::result::Result<i64, Failure>;

/// A number as a counter writes it, and no other text.
fn number(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn token_of(number: i64) -> Token {
    Token::new(number.to_be_bytes())
}

/// Which keys are meant.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    prefix: String,
    pattern: Option<String>,
}

impl Matching {
    pub(super) fn new(prefix: &str, pattern: Option<&str>) -> Self {
        Self {
            prefix: prefix.to_owned(),
            pattern: pattern.filter(|p| *p != "*").map(str::to_owned),
        }
    }

    pub(super) fn matches(&self, key: &[u8]) -> bool {
        let Some(rest) = key.strip_prefix(self.prefix.as_bytes()) else {
            return false;
        };
        self.pattern.as_ref().is_none_or(|pattern| {
            std::str::from_utf8(rest).is_ok_and(|rest| glob::matches(pattern, rest))
        })
    }

    /// The first key behind `after` that can match, and the first behind all that can.
    pub(super) fn range(&self, after: Option<&[u8]>) -> (Vec<u8>, Vec<u8>) {
        let mut from = self.prefix.clone().into_bytes();
        if let Some(pattern) = &self.pattern {
            from.extend(glob::literal_prefix(pattern).into_bytes());
        }
        let mut to = from.clone();
        match to.last_mut() {
            // No byte of UTF-8 text is 0xFF, so this is no overflow, and the blob below is behind all keys.
            Some(last) => *last += 1,
            None => to.push(0xFF),
        }
        // The least blob that is greater.
        let behind = after.map(|after| [after, &[0]].concat());
        (behind.map_or(from.clone(), |behind| behind.max(from)), to)
    }
}
