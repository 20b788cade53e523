//! Calls counted against limits: one file for each key, with what its windows hold.

use std::time::{SystemTime, UNIX_EPOCH};

use super::disk::Disk;
use super::name::{Name, Space};
use crate::error::ErrorKind;
use crate::store::tally::{Ban, Fixed, Gcra, Log, Rule, Tally};
use crate::store::{Admission, Failure, Quota, Window, wall};

/// What a sliding window can count: its file is written anew with each call.
const MOST: u64 = 65_536;

/// How a file begins that is read so.
const LAYOUT: [u8; 8] = *b"windows2";

pub(super) fn admit(disk: &Disk, key: &str, quota: &Quota) -> Result<Admission, Failure> {
    let limit = quota.limit;
    if limit > MOST && quota.window == Window::Sliding {
        let text = format!(
            "a sliding window of files counts up to {MOST}, and {limit} were asked for: use another kind of window"
        );
        return Err(Failure::new(ErrorKind::Unsupported, text));
    }
    disk.label()?;
    let name = Name::of(Space::Windows, key);
    let mut shard = disk.lock(name.shard, wall())?;
    let record = disk.read(&name, key)?;
    let mut tally = record.map_or_else(Tally::default, |record| decode(&record.content));
    // The present once the lock is held: waiting for it took time.
    let admission = tally.admit(quota.window, &Rule::in_micros(quota), micros());
    // A refusal changes what is kept only if it begins a ban; written again, a ban that stands is the same.
    if admission.admitted || admission.banned {
        let ends = i64::try_from(tally.ends() / 1_000 + 1).unwrap_or(i64::MAX);
        let unfinished = disk.prepare(&name, key, &encode(&tally), ends)?;
        disk.finish(unfinished, &name, &mut shard)?;
    }
    Ok(admission)
}

fn encode(tally: &Tally) -> Vec<u8> {
    let Tally {
        ban,
        fixed,
        gcra,
        log,
    } = tally;
    let numbers = [ban.from, ban.until]
        .into_iter()
        .chain([fixed.began, fixed.per, fixed.used])
        .chain([gcra.at, gcra.part, gcra.limit, log.longest])
        .chain(log.calls.iter().copied());
    let numbers = numbers.flat_map(u64::to_be_bytes);
    LAYOUT.into_iter().chain(numbers).collect()
}

/// What is not ours, or only half, is nothing.
fn decode(content: &[u8]) -> Tally {
    let Some(content) = content.strip_prefix(&LAYOUT) else {
        return Tally::default();
    };
    let numbers = content.chunks_exact(8);
    let mut numbers = numbers.filter_map(|n| n.try_into().ok().map(u64::from_be_bytes));
    let mut next = || numbers.next().unwrap_or(0);
    let ban = Ban {
        from: next(),
        until: next(),
    };
    let fixed = Fixed {
        began: next(),
        per: next(),
        used: next(),
    };
    let gcra = Gcra {
        at: next(),
        part: next(),
        limit: next(),
    };
    let longest = next();
    // Looking them up trusts that they rise.
    let mut calls: Vec<u64> = numbers.collect();
    calls.sort_unstable();
    let log = Log {
        longest,
        calls: calls.into(),
    };
    Tally {
        ban,
        fixed,
        gcra,
        log,
    }
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
