//! What looks at entries and changes nothing.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::tags;
use super::write::Matching;
use crate::store::{Ask, Found, Head, Life, MAGIC, Page, Read, left};

/// When a use of an entry is noted again, in milliseconds.
const NOTED: i64 = 60_000;

/// One answer, and whether a lease is due with it.
pub(super) fn judge(db: &Connection, read: &Read<'_>, now: i64) -> Result<(Found, bool)> {
    let bytes = entry(db, read.key, now)?.map(|(bytes, _)| bytes);
    judged(db, read, bytes, now)
}

/// As [`judge`], and whether the entry's use ought to be noted.
pub(super) fn judge_and_note(
    db: &Connection,
    read: &Read<'_>,
    now: i64,
) -> Result<(Found, bool, bool)> {
    let found = entry(db, read.key, now)?;
    let old = found.as_ref().is_some_and(|(_, used)| now - used >= NOTED);
    let (found, due) = judged(db, read, found.map(|(bytes, _)| bytes), now)?;
    Ok((found, due, old))
}

fn entry(db: &Connection, key: &str, now: i64) -> Result<Option<(Vec<u8>, i64)>> {
    db.prepare_cached(
        "SELECT body.bytes, entry.used FROM entry JOIN body ON body.id = entry.id WHERE entry.key = ?1 AND entry.expires > ?2",
    )?
    .query_row(params![key.as_bytes(), now], |row| {
        Ok((row.get_ref(0)?.as_blob()?.to_vec(), row.get(1)?))
    })
    .optional()
}

fn judged(
    db: &Connection,
    read: &Read<'_>,
    bytes: Option<Vec<u8>>,
    now: i64,
) -> Result<(Found, bool)> {
    let (mut due, mut dead) = (false, false);
    match (read.ask, &bytes) {
        (Ask::Entry, _) => {}
        (Ask::EntryAndLease, _) | (Ask::EntryOrLease, None) => due = true,
        // A head that cannot be read cannot be served; what has none is text that others wrote.
        (Ask::EntryOrLease, Some(bytes)) if bytes.first() == Some(&MAGIC) => {
            match Head::parse(bytes) {
                None => due = true,
                Some((head, _)) => {
                    dead = !tags::hold(db, head.tags(), now)?;
                    due = dead || !head.can_be_served(read.now);
                }
            }
        }
        (Ask::EntryOrLease, Some(_)) => {}
    }
    let found = Found {
        bytes: bytes.filter(|_| !dead),
        versions: tags::versions(db, read.tags, now)?,
        ..Found::default()
    };
    Ok((found, due))
}

/// The id and the end of an entry that lives.
pub(super) fn alive(db: &Connection, key: &str, now: i64) -> Result<Option<(i64, i64)>> {
    db.prepare_cached("SELECT id, expires FROM entry WHERE key = ?1 AND expires > ?2")?
        .query_row(params![key.as_bytes(), now], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}

pub(super) fn remaining(db: &Connection, key: &str, now: i64) -> Result<Option<Life>> {
    Ok(alive(db, key, now)?.map(|(_, expires)| left(expires, now)))
}

/// A page in the order of the keys; its cursor is the last key that was looked at.
pub(super) fn scan(
    db: &Connection,
    matching: &Matching,
    cursor: Option<&str>,
    limit: usize,
    now: i64,
) -> Result<Page> {
    let limit = limit.clamp(1, 10_000);
    let most = limit.max(1_000);
    let (from, to) = matching.range(cursor.map(str::as_bytes));
    let mut find = db.prepare_cached(
        "SELECT key, expires FROM entry WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3",
    )?;
    let mut rows = find.query(params![from, to, most as i64])?;
    let mut page = Page::default();
    let mut looked = 0;
    while let Some(row) = rows.next()? {
        looked += 1;
        let key = row.get_ref(0)?.as_blob()?;
        let Ok(text) = std::str::from_utf8(key) else {
            continue;
        };
        if row.get::<_, i64>(1)? > now && matching.matches(key) {
            page.keys.push(text.to_owned());
        }
        if page.keys.len() == limit || looked == most {
            page.cursor = Some(text.to_owned());
            break;
        }
    }
    Ok(page)
}
