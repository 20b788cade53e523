//! Locks with an owner and an end. Fencing numbers are counted for all names together, so that a name that was forgotten never starts anew, and none is below the time of day, so that a new database goes on
//! where one that was lost has ended.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::write::Tx;
use crate::store::{Acquired, end, fence_floor};

pub(super) fn acquire(tx: &Tx<'_>, name: &str, owner: &str, ttl: Duration) -> Result<Acquired> {
    if let Some((holder, ends)) = holder(tx.db, name, tx.now)?
        && holder != owner.as_bytes()
    {
        return Ok(Acquired::Taken {
            left: Duration::from_millis((ends - tx.now) as u64),
        });
    }
    let fence = tx
        .db
        .prepare_cached(
            "UPDATE meta SET value = max(value + 1, ?1) WHERE name = 'fence' RETURNING value",
        )?
        .query_row([fence_floor()], |row| row.get::<_, i64>(0))?;
    tx.db
        .prepare_cached("INSERT INTO lock(name, owner, ends) VALUES (?1, ?2, ?3) ON CONFLICT(name) DO UPDATE SET owner = excluded.owner, ends = excluded.ends")?
        .execute(params![name.as_bytes(), owner.as_bytes(), end(tx.now, Some(ttl))])?;
    Ok(Acquired::Held {
        fence: fence as u64,
    })
}

pub(super) fn renew(tx: &Tx<'_>, name: &str, owner: &str, ttl: Duration) -> Result<bool> {
    let renewed = tx
        .db
        .prepare_cached("UPDATE lock SET ends = ?4 WHERE name = ?1 AND owner = ?2 AND ends > ?3")?
        .execute(params![
            name.as_bytes(),
            owner.as_bytes(),
            tx.now,
            end(tx.now, Some(ttl))
        ])?;
    Ok(renewed == 1)
}

pub(super) fn release(tx: &Tx<'_>, name: &str, owner: &str) -> Result<bool> {
    let released = tx
        .db
        .prepare_cached("DELETE FROM lock WHERE name = ?1 AND owner = ?2 AND ends > ?3")?
        .execute(params![name.as_bytes(), owner.as_bytes(), tx.now])?;
    Ok(released == 1)
}

pub(super) fn held(db: &Connection, name: &str, now: i64) -> Result<Option<Duration>> {
    let holder = holder(db, name, now)?;
    Ok(holder.map(|(_, ends)| Duration::from_millis((ends - now) as u64)))
}

fn holder(db: &Connection, name: &str, now: i64) -> Result<Option<(Vec<u8>, i64)>> {
    db.prepare_cached("SELECT owner, ends FROM lock WHERE name = ?1 AND ends > ?2")?
        .query_row(params![name.as_bytes(), now], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()
}
