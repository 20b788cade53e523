//! Rows of bits, in pages: setting one bit writes its page, not its row.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::write::Tx;
use crate::store::{Life, end};

/// How many bits stand in a page.
const PAGE: u32 = 1_024;

/// The places within a page, by page.
fn by_page(positions: &[u32]) -> BTreeMap<u32, Vec<usize>> {
    let mut pages: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for at in positions {
        let places = pages.entry(at / PAGE).or_default();
        places.push((at % PAGE) as usize);
    }
    pages
}

/// The number of a row that lives.
fn living(db: &Connection, name: &str, now: i64) -> Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM row WHERE name = ?1 AND ends > ?2")?
        .query_row(params![name.as_bytes(), now], |row| row.get(0))
        .optional()
}

fn page(db: &Connection, row: i64, page: u32) -> Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT bytes FROM bits WHERE row = ?1 AND page = ?2")?
        .query_row(params![row, page], |row| row.get(0))
        .optional()
}

pub(super) fn set(tx: &Tx<'_>, name: &str, positions: &[u32], life: Life) -> Result<u64> {
    if positions.is_empty() {
        return Ok(0);
    }
    let row = match living(tx.db, name, tx.now)? {
        Some(row) => row,
        None => {
            clear(tx, name)?;
            tx.db
                .prepare_cached("INSERT INTO row(name, id, ends) VALUES (?1, (SELECT coalesce(max(id), 0) + 1 FROM row), ?2) RETURNING id")?
                .query_row(params![name.as_bytes(), end(tx.now, life)], |row| row.get(0))?
        }
    };
    let mut new = 0;
    for (number, places) in by_page(positions) {
        let mut bytes = page(tx.db, row, number)?.unwrap_or_default();
        bytes.resize(PAGE as usize / 8, 0);
        let before = new;
        for place in places {
            let bit = 1 << (place % 8);
            new += u64::from(bytes[place / 8] & bit == 0);
            bytes[place / 8] |= bit;
        }
        if new != before {
            tx.db
                .prepare_cached("INSERT INTO bits(row, page, bytes) VALUES (?1, ?2, ?3) ON CONFLICT(row, page) DO UPDATE SET bytes = excluded.bytes")?
                .execute(params![row, number, bytes])?;
        }
    }
    Ok(new)
}

/// Of one moment: a row that is cleared meanwhile is there as a whole, or not at all.
pub(super) fn test(db: &Connection, name: &str, positions: &[u32], now: i64) -> Result<Vec<bool>> {
    let is_alone = db.is_autocommit();
    let _moment = is_alone.then(|| db.unchecked_transaction()).transpose()?;
    let Some(row) = living(db, name, now)? else {
        return Ok(vec![false; positions.len()]);
    };
    let mut pages = BTreeMap::new();
    for at in positions {
        if let std::collections::btree_map::Entry::Vacant(vacant) = pages.entry(at / PAGE) {
            vacant.insert(page(db, row, at / PAGE)?.unwrap_or_default());
        }
    }
    let is_set = |at: &u32| {
        let place = (at % PAGE) as usize;
        let byte = pages.get(&(at / PAGE)).and_then(|page| page.get(place / 8));
        byte.is_some_and(|byte| byte >> (place % 8) & 1 == 1)
    };
    Ok(positions.iter().map(is_set).collect())
}

pub(super) fn clear(tx: &Tx<'_>, name: &str) -> Result<bool> {
    let was_living = living(tx.db, name, tx.now)?.is_some();
    let id: Option<i64> = tx
        .db
        .prepare_cached("DELETE FROM row WHERE name = ?1 RETURNING id")?
        .query_row([name.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(id) = id {
        tx.db
            .prepare_cached("DELETE FROM bits WHERE row = ?1")?
            .execute([id])?;
    }
    Ok(was_living)
}
