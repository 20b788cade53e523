//! Sliding windows: one row per admitted call, numbered without gaps, so that counting is a subtraction.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{OptionalExtension, Result, params};

use super::write::Tx;
use crate::store::Admission;

pub(super) fn admit(tx: &Tx<'_>, key: &str, limit: u64, per: Duration) -> Result<Admission> {
    let key = key.as_bytes();
    let per = i64::try_from(per.as_micros()).unwrap_or(i64::MAX);
    let before = tx
        .db
        .prepare_cached("SELECT longest, last, at FROM span WHERE key = ?1")?
        .query_row([key], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })
        .optional()?;
    let (longest, last, at) = before.unwrap_or((0, 0, 0));
    let longest = longest.max(per);
    // Numbers and instants rise together, also when the clock is set back a little; if it is set back far, the window begins anew.
    let clock = micros();
    let now = if at.saturating_sub(clock) > longest {
        tx.db
            .prepare_cached("DELETE FROM admission WHERE key = ?1")?
            .execute([key])?;
        clock
    } else {
        clock.max(at)
    };
    tx.db
        .prepare_cached("DELETE FROM admission WHERE key = ?1 AND at <= ?2")?
        .execute(params![key, now.saturating_sub(longest)])?;
    let first = tx
        .db
        .prepare_cached(
            "SELECT number FROM admission WHERE key = ?1 AND at > ?2 ORDER BY at, number LIMIT 1",
        )?
        .query_row(params![key, now.saturating_sub(per)], |row| {
            row.get::<_, i64>(0)
        })
        .optional()?;
    let used = first.map_or(0, |first| (last - first + 1) as u64);
    let admitted = used < limit;
    if admitted {
        tx.db
            .prepare_cached("INSERT INTO admission(key, number, at) VALUES (?1, ?2, ?3)")?
            .execute(params![key, last + 1, now])?;
        let ends = (now.saturating_add(longest) / 1_000).saturating_add(1);
        tx.db
            .prepare_cached("INSERT INTO span(key, longest, last, at, ends) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(key) DO UPDATE SET longest = excluded.longest, last = excluded.last, at = excluded.at, ends = excluded.ends")?
            .execute(params![key, longest, last + 1, now, ends])?;
    }
    Ok(Admission {
        admitted,
        used: used + u64::from(admitted),
        retry_after: match admitted {
            true => Duration::ZERO,
            false => retry_after(tx, key, last, limit, (now, per))?,
        },
    })
}

/// Until so many have left the window that the rest is fewer than the limit.
fn retry_after(
    tx: &Tx<'_>,
    key: &[u8],
    last: i64,
    limit: u64,
    (now, per): (i64, i64),
) -> Result<Duration> {
    let number = last.saturating_add(1).saturating_sub_unsigned(limit);
    let leaves = tx
        .db
        .prepare_cached("SELECT at FROM admission WHERE key = ?1 AND number = ?2")?
        .query_row(params![key, number], |row| row.get::<_, i64>(0))
        .optional()?;
    // With a limit of 0 nothing ever fits.
    let wait = leaves.map_or(per, |at| at.saturating_add(per).saturating_sub(now));
    Ok(Duration::from_micros(wait.max(1) as u64))
}

fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}
