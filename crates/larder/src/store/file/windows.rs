//! Sliding windows: one file for each key, with the instants of the calls that were admitted.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::disk::Disk;
use super::name::{Name, Space};
use crate::error::ErrorKind;
use crate::store::{Admission, Failure, wall};

/// What a window can count: its file is written anew with each call.
const MOST: u64 = 65_536;

pub(super) fn admit(
    disk: &Disk,
    key: &str,
    limit: u64,
    per: Duration,
) -> Result<Admission, Failure> {
    if limit > MOST {
        let text = format!("a window of files counts up to {MOST}, and {limit} were asked for");
        return Err(Failure::new(ErrorKind::Unsupported, text));
    }
    disk.label()?;
    let name = Name::of(Space::Windows, key);
    let mut shard = disk.lock(name.shard, wall())?;
    let clock = micros();
    let per = u64::try_from(per.as_micros()).unwrap_or(u64::MAX);
    let (longest, calls) = read(disk, &name, key)?;
    let longest = longest.max(per);
    // Instants rise, also when the clock is set back a little; if it is set back far, the window begins anew.
    let latest = calls.last().copied().unwrap_or(0);
    let now = match latest.saturating_sub(clock) > longest {
        true => clock,
        false => clock.max(latest),
    };
    let within = |at: u64, span: u64| at <= now && now - at < span;
    let mut calls: Vec<u64> = calls
        .into_iter()
        .filter(|at| within(*at, longest))
        .collect();
    let used = calls.iter().filter(|at| within(**at, per)).count();
    if (used as u64) < limit {
        calls.push(now);
        let mut content = longest.to_be_bytes().to_vec();
        calls.iter().for_each(|at| content.extend(at.to_be_bytes()));
        let ends = i64::try_from(now.saturating_add(longest) / 1_000 + 1).unwrap_or(i64::MAX);
        let unfinished = disk.prepare(&name, key, &content, ends)?;
        disk.finish(unfinished, &name, &mut shard)?;
        return Ok(Admission {
            admitted: true,
            used: used as u64 + 1,
            retry_after: Duration::ZERO,
        });
    }
    // The one that has to leave so that fewer than the limit stay; with a limit of 0 nothing ever fits.
    let leaves = calls.iter().rev().nth((limit as usize).saturating_sub(1));
    let wait = match leaves {
        Some(at) if limit > 0 => per - (now - at),
        _ => per,
    };
    Ok(Admission {
        admitted: false,
        used: used as u64,
        retry_after: Duration::from_micros(wait.max(1)),
    })
}

/// The longest span that was asked for, and the calls within it.
fn read(disk: &Disk, name: &Name, key: &str) -> Result<(u64, Vec<u64>), Failure> {
    let record = disk.read(name, key)?;
    let content = record.map(|record| record.content).unwrap_or_default();
    let numbers = content.chunks_exact(8);
    let mut numbers = numbers.filter_map(|n| n.try_into().ok().map(u64::from_be_bytes));
    Ok((numbers.next().unwrap_or(0), numbers.collect()))
}

fn micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX)
}
