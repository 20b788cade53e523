//! Cleaning up, in slices: what is past its life, what is too much, and pages that nobody needs.

use rusqlite::{Connection, Result, params};

use super::options::Options;
use super::write::Tx;

/// How many rows of each kind one slice removes.
const SLICE: i64 = 500;
/// How many pages one slice gives back to the file system.
const PAGES: i64 = 1_024;

/// Notes uses of entries, in the order of which eviction goes.
pub(super) fn note(tx: &Tx<'_>, uses: &[Box<[u8]>]) -> Result<()> {
    for key in uses {
        tx.db
            .prepare_cached("UPDATE entry SET used = ?2 WHERE key = ?1 AND used < ?2")?
            .execute(params![key, tx.now])?;
    }
    Ok(())
}

/// Removes some of what is past its life; whether there may be more.
pub(super) fn expire(tx: &Tx<'_>) -> Result<bool> {
    let mut more = remove(
        tx,
        "SELECT key, id FROM entry WHERE expires <= ?1 LIMIT ?2",
        params![tx.now, SLICE],
    )? == SLICE as usize;
    for sql in [
        "DELETE FROM lease WHERE key IN (SELECT key FROM lease WHERE ends <= ?1 LIMIT ?2)",
        "DELETE FROM tag WHERE name IN (SELECT name FROM tag WHERE ends <= ?1 LIMIT ?2)",
        "DELETE FROM lock WHERE name IN (SELECT name FROM lock WHERE ends <= ?1 LIMIT ?2)",
        "DELETE FROM admission WHERE (key, number) IN (SELECT admission.key, number FROM span JOIN admission ON admission.key = span.key WHERE ends <= ?1 LIMIT ?2)",
        "DELETE FROM span WHERE key IN (SELECT key FROM span WHERE ends <= ?1 AND NOT EXISTS (SELECT 1 FROM admission WHERE admission.key = span.key) LIMIT ?2)",
        "DELETE FROM bits WHERE (row, page) IN (SELECT bits.row, page FROM row JOIN bits ON bits.row = row.id WHERE ends <= ?1 LIMIT ?2)",
        "DELETE FROM row WHERE name IN (SELECT name FROM row WHERE ends <= ?1 AND NOT EXISTS (SELECT 1 FROM bits WHERE bits.row = row.id) LIMIT ?2)",
    ] {
        let removed = tx.db.prepare_cached(sql)?.execute([tx.now, SLICE])?;
        more |= removed == SLICE as usize;
    }
    Ok(more)
}

/// Whether more is stored than may be.
pub(super) fn is_over(db: &Connection, options: &Options) -> Result<bool> {
    let (bytes, entries) = (used(db)?, entries(db)?);
    Ok(bytes > options.size || entries > options.entries)
}

/// Removes some of the entries whose use is longest ago, until a twentieth of the room is free.
pub(super) fn evict(tx: &Tx<'_>, options: &Options) -> Result<()> {
    let bytes = options.size - options.size / 20;
    let kept = options.entries - options.entries / 20;
    for _ in 0..SLICE / 20 {
        let (used, count) = (
            used(tx.db)?,
            entries(tx.db)?.saturating_add_signed(tx.more.get()),
        );
        // Large entries go one by one, small ones in handfuls.
        let by_size = used
            .saturating_sub(bytes)
            .div_ceil((used / count.max(1)).max(1));
        let step = by_size.max(count.saturating_sub(kept)).min(20);
        let oldest = "SELECT key, id FROM entry ORDER BY used LIMIT ?1";
        if step == 0 || remove(tx, oldest, params![step as i64])? == 0 {
            break;
        }
    }
    Ok(())
}

/// Gives some pages back, when a quarter of the file stands empty.
pub(super) fn shrink(db: &Connection) -> Result<()> {
    let (free, all) = (number(db, "freelist_count")?, number(db, "page_count")?);
    if free > all / 4 && free > 64 {
        let mut pages = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut rows = pages.query([])?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}

fn remove(tx: &Tx<'_>, sql: &str, which: impl rusqlite::Params) -> Result<usize> {
    let mut find = tx.db.prepare_cached(sql)?;
    let rows = find.query_map(which, |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?))
    })?;
    let rows = rows.collect::<Result<Vec<_>>>()?;
    for (key, id) in &rows {
        tx.delete(key, *id)?;
    }
    Ok(rows.len())
}

/// What the database takes, without pages that stand empty and without the log.
fn used(db: &Connection) -> Result<u64> {
    let pages = number(db, "page_count")? - number(db, "freelist_count")?;
    Ok(pages.saturating_mul(number(db, "page_size")?) as u64)
}

fn entries(db: &Connection) -> Result<u64> {
    db.prepare_cached("SELECT value FROM meta WHERE name = 'entries'")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(|entries| entries as u64)
}

fn number(db: &Connection, pragma: &str) -> Result<i64> {
    db.prepare_cached(&format!("PRAGMA {pragma}"))?
        .query_row([], |row| row.get(0))
}
