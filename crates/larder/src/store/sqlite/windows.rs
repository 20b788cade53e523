//! Calls counted against limits: a row for each key and kind of window, and for a sliding one a row for each admitted call, numbered without gaps, so that
//! counting is a subtraction.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{OptionalExtension, Result, params};

use super::write::Tx;
use crate::store::tally::{Ban, Fixed, Gcra, Look, Rule, Ruling};
use crate::store::{Admission, Quota, Window};

pub(super) fn admit(tx: &Tx<'_>, key: &str, quota: &Quota) -> Result<Admission> {
    let (rule, now) = (Rule::in_micros(quota), micros());
    let ban = Record::read(tx, &Record::name(key, BAN))?.unwrap_or_default();
    let ban = Ban {
        from: ban.at as u64,
        until: ban.last as u64,
    };
    let (look, count) = match quota.window {
        Window::Fixed => fixed(tx, key, &rule, now)?,
        Window::Sliding => sliding(tx, key, &rule, now)?,
        Window::Gcra => gcra(tx, key, &rule, now)?,
    };
    match look.rule(ban, &rule, now) {
        Ruling::Refuse(admission) => Ok(admission),
        Ruling::Count(admission) => {
            if let Window::Sliding = quota.window {
                tx.db
                    .prepare_cached("INSERT INTO admission(key, number, at) VALUES (?1, ?2, ?3)")?
                    .execute(params![count.name, count.record.last, count.record.at])?;
            }
            count.record.write(tx, &count.name, count.ends)?;
            Ok(admission)
        }
        Ruling::Ban(admission, ban) => {
            let record = Record {
                longest: 0,
                last: ban.until as i64,
                at: ban.from as i64,
            };
            record.write(tx, &Record::name(key, BAN), ban.until)?;
            Ok(admission)
        }
    }
}

/// Ends the names of the records of a ban and of the windows that are one record. No key has this byte.
const BAN: &[u8] = b"\xFFb";
const FIXED: &[u8] = b"\xFFf";
const GCRA: &[u8] = b"\xFFg";

/// A row of `span`: three numbers that each kind reads in its own way.
#[derive(Clone, Copy, Debug, Default)]
struct Record {
    longest: i64,
    last: i64,
    at: i64,
}

/// What is written if the call counts.
struct Count {
    name: Vec<u8>,
    record: Record,
    /// The instant from which on nobody needs it.
    ends: u64,
}

impl Record {
    fn name(key: &str, kind: &[u8]) -> Vec<u8> {
        [key.as_bytes(), kind].concat()
    }

    fn read(tx: &Tx<'_>, name: &[u8]) -> Result<Option<Self>> {
        tx.db
            .prepare_cached("SELECT longest, last, at FROM span WHERE key = ?1")?
            .query_row([name], |row| {
                Ok(Self {
                    longest: row.get(0)?,
                    last: row.get(1)?,
                    at: row.get(2)?,
                })
            })
            .optional()
    }

    fn write(self, tx: &Tx<'_>, name: &[u8], ends: u64) -> Result<()> {
        let ends = i64::try_from(ends / 1_000 + 1).unwrap_or(i64::MAX);
        let Self { longest, last, at } = self;
        tx.db
            .prepare_cached("INSERT INTO span(key, longest, last, at, ends) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(key) DO UPDATE SET longest = excluded.longest, last = excluded.last, at = excluded.at, ends = excluded.ends")?
            .execute(params![name, longest, last, at, ends])?;
        Ok(())
    }
}

fn fixed(tx: &Tx<'_>, key: &str, rule: &Rule, now: u64) -> Result<(Look, Count)> {
    let name = Record::name(key, FIXED);
    let before = Record::read(tx, &name)?.unwrap_or_default();
    let mut fixed = Fixed {
        began: before.at as u64,
        per: before.longest as u64,
        used: before.last as u64,
    };
    let look = fixed.look(rule, now);
    fixed.count(rule, now);
    let record = Record {
        longest: fixed.per as i64,
        last: fixed.used as i64,
        at: fixed.began as i64,
    };
    let ends = fixed.ends();
    Ok((look, Count { name, record, ends }))
}

fn gcra(tx: &Tx<'_>, key: &str, rule: &Rule, now: u64) -> Result<(Look, Count)> {
    let name = Record::name(key, GCRA);
    let before = Record::read(tx, &name)?.unwrap_or_default();
    let mut gcra = Gcra {
        at: before.at as u64,
        part: before.last as u64,
        limit: before.longest as u64,
    };
    let look = gcra.look(rule, now);
    gcra.count(rule, now);
    let record = Record {
        longest: gcra.limit as i64,
        last: gcra.part as i64,
        at: gcra.at as i64,
    };
    let ends = gcra.at.saturating_add(1);
    Ok((look, Count { name, record, ends }))
}

fn sliding(tx: &Tx<'_>, key: &str, rule: &Rule, now: u64) -> Result<(Look, Count)> {
    let (clock, per) = (now as i64, rule.per as i64);
    let key = key.as_bytes();
    let Record { longest, last, at } = Record::read(tx, key)?.unwrap_or_default();
    let longest = longest.max(per);
    // Numbers and instants rise together, also when the clock is set back a little; if it is set back far, the window begins anew.
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
    let wait = match used < rule.limit {
        true => 0,
        false => wait(tx, key, last, rule, now)?,
    };
    let count = Count {
        name: key.to_vec(),
        record: Record {
            longest,
            last: last + 1,
            at: now,
        },
        ends: now.saturating_add(longest) as u64,
    };
    Ok((Look { used, wait }, count))
}

/// Until so many have left the window that the rest is fewer than the limit.
fn wait(tx: &Tx<'_>, key: &[u8], last: i64, rule: &Rule, now: i64) -> Result<u64> {
    let number = last.saturating_add(1).saturating_sub_unsigned(rule.limit);
    let leaves = tx
        .db
        .prepare_cached("SELECT at FROM admission WHERE key = ?1 AND number = ?2")?
        .query_row(params![key, number], |row| row.get::<_, i64>(0))
        .optional()?;
    let per = rule.per as i64;
    // With a limit of 0 nothing ever fits.
    let wait = leaves.map_or(per, |at| at.saturating_add(per).saturating_sub(now));
    Ok(wait.max(1) as u64)
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
