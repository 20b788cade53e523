//! Versions of tags.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::write::Tx;
use crate::store::{NEVER, Tag, unique};

/// Moves with every forgotten tag.
pub(super) fn epoch(db: &Connection) -> Result<u64> {
    db.prepare_cached("SELECT value FROM meta WHERE name = 'epoch'")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(|epoch| epoch as u64)
}

/// The versions as they are; 0 where there is none.
pub(super) fn versions(db: &Connection, tags: &[&str], now: i64) -> Result<Vec<u64>> {
    tags.iter()
        .map(|tag| Ok(find(db, tag, now)?.map_or(0, |(version, _)| version)))
        .collect()
}

/// Whether all tags have the versions still that an entry names.
pub(super) fn hold(db: &Connection, tags: &[Tag], now: i64) -> Result<bool> {
    for tag in tags {
        let version = find(db, &tag.name, now)?.map_or(0, |(version, _)| version);
        if version == 0 || version != tag.version {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The versions and the epoch, if all versions are there and live until then: nothing has to be written.
pub(super) fn standing(
    db: &Connection,
    tags: &[&str],
    ends: i64,
    now: i64,
) -> Result<Option<Vec<u64>>> {
    let mut versions = Vec::with_capacity(tags.len());
    for tag in tags {
        match find(db, tag, now)? {
            Some((version, until)) if until >= ends => versions.push(version),
            _ => return Ok(None),
        }
    }
    Ok(Some(versions))
}

/// The versions, made where missing, that live at least until then.
pub(super) fn make(tx: &Tx<'_>, tags: &[&str], ends: i64) -> Result<Vec<u64>> {
    tags.iter().map(|tag| make_one(tx, tag, ends)).collect()
}

fn make_one(tx: &Tx<'_>, tag: &str, ends: i64) -> Result<u64> {
    let version = match find(tx.db, tag, tx.now)? {
        Some((version, until)) if until >= ends => return Ok(version),
        Some((version, _)) => version,
        None => unique(),
    };
    tx.db
        .prepare_cached("INSERT INTO tag(name, version, ends) VALUES (?1, ?2, ?3) ON CONFLICT(name) DO UPDATE SET version = excluded.version, ends = excluded.ends")?
        .execute(params![tag.as_bytes(), version as i64, with_slack(ends, tx.now)])?;
    Ok(version)
}

/// A quarter and a minute longer than asked, so that the next to ask for as much need not write.
fn with_slack(ends: i64, now: i64) -> i64 {
    match ends {
        NEVER => NEVER,
        _ => ends.saturating_add((ends - now) / 4 + 60_000),
    }
}

pub(super) fn forget(tx: &Tx<'_>, tags: &[&str]) -> Result<()> {
    for tag in tags {
        tx.db
            .prepare_cached("DELETE FROM tag WHERE name = ?1")?
            .execute([tag.as_bytes()])?;
    }
    tx.db
        .prepare_cached("UPDATE meta SET value = ?1 WHERE name = 'epoch'")?
        .execute([unique() as i64])?;
    Ok(())
}

fn find(db: &Connection, tag: &str, now: i64) -> Result<Option<(u64, i64)>> {
    db.prepare_cached("SELECT version, ends FROM tag WHERE name = ?1 AND ends > ?2")?
        .query_row(params![tag.as_bytes(), now], |row| {
            Ok((row.get::<_, i64>(0)? as u64, row.get(1)?))
        })
        .optional()
}
