//! Entries: reading them with a lease, and changing them under the lock of their shard.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::disk::Disk;
use super::name::{Name, Space};
use super::record;
use super::shard::Shard;
use super::tags;
use crate::error::ErrorKind;
use crate::store::{
    Ask, Condition, Failure, Fill, Found, Head, Life, MAGIC, Read, Touch, Write, end, left, wall,
};

/// When a use of an entry is noted again.
const NOTED: Duration = Duration::from_secs(60);

type Outcome<T = ()> = Result<T, Failure>;

/// What can be answered without a lease, and whether one is due.
pub(super) fn look(disk: &Disk, read: &Read<'_>) -> Outcome<(Found, bool)> {
    let (bytes, due) = judge(disk, read, wall())?;
    // The versions after the entry: newer ones make it dead, never alive.
    let versions = tags::versions(disk, read.tags)?;
    let found = Found {
        bytes,
        versions,
        ..Found::default()
    };
    Ok((found, due))
}

/// Looks again, under the lock, and leases if that is still due.
pub(super) fn look_and_lease(disk: &Disk, read: &Read<'_>) -> Outcome<Found> {
    // Order: versions, lease, epoch. What is forgotten after its version was read kills the entry; what is forgotten after the lease was taken moves the epoch.
    let now = wall();
    let ends = end(now, read.life.map(|life| life + read.lease));
    let versions = tags::make(disk, read.tags, ends)?;
    disk.label()?;
    let name = Name::of(Space::Entries, read.key);
    let mut shard = disk.lock(name.shard, wall())?;
    let (bytes, due) = judge(disk, read, wall())?;
    let lease = match due {
        true => Some(shard.lease(read.key, end(wall(), Some(read.lease)))?),
        false => None,
    };
    drop(shard);
    let epoch = match &lease {
        Some(_) => tags::epoch(disk)?,
        None => 0,
    };
    Ok(Found {
        bytes,
        versions,
        lease,
        epoch,
    })
}

fn judge(disk: &Disk, read: &Read<'_>, now: i64) -> Outcome<(Option<Vec<u8>>, bool)> {
    let bytes = living(disk, read.key, now)?.map(|(bytes, _)| bytes);
    Ok(match (read.ask, bytes) {
        (Ask::Entry, bytes) => (bytes, false),
        (Ask::EntryAndLease, bytes) => (bytes, true),
        (Ask::EntryOrLease, None) => (None, true),
        // A head that cannot be read cannot be served; what has none is text that others wrote.
        (Ask::EntryOrLease, Some(bytes)) if bytes.first() == Some(&MAGIC) => {
            match Head::parse(&bytes) {
                None => (Some(bytes), true),
                Some((head, _)) if !tags::hold(disk, head.tags())? => (None, true),
                Some((head, _)) => (Some(bytes), !head.can_be_served(read.now)),
            }
        }
        (Ask::EntryOrLease, Some(bytes)) => (Some(bytes), false),
    })
}

/// The content and the end of an entry that lives. Notes now and then that it was used.
fn living(disk: &Disk, key: &str, now: i64) -> Outcome<Option<(Vec<u8>, i64)>> {
    let name = Name::of(Space::Entries, key);
    let Some(record) = disk.read(&name, key)?.filter(|r| r.expires > now) else {
        return Ok(None);
    };
    let present = SystemTime::now();
    if present
        .duration_since(record.used)
        .is_ok_and(|ago| ago >= NOTED)
    {
        // Eviction then takes it for older than it is; nothing else depends on it.
        drop(record.file.set_modified(present));
    }
    Ok(Some((record.content, record.expires)))
}

/// When an entry that lives ends, without reading it.
fn living_until(disk: &Disk, name: &Name, key: &str, now: i64) -> Outcome<Option<i64>> {
    let found = record::end(&name.path(disk.root())).map_err(super::disk::failure)?;
    Ok(found
        .filter(|end| end.key == key && end.expires > now)
        .map(|end| end.expires))
}

pub(super) fn remaining(disk: &Disk, key: &str) -> Outcome<Option<Life>> {
    let now = wall();
    let until = living_until(disk, &Name::of(Space::Entries, key), key, now)?;
    Ok(until.map(|until| left(until, now)))
}

pub(super) fn fill(disk: &Disk, fill: &Fill<'_>) -> Outcome<bool> {
    let name = Name::of(Space::Entries, fill.key);
    let ends = end(wall(), fill.life);
    let unfinished = disk.prepare(&name, fill.key, fill.bytes, ends)?;
    let mut shard = disk.lock(name.shard, wall())?;
    let stands = shard.stands(fill.key, fill.lease);
    if stands {
        disk.finish(unfinished, &name, &mut shard)?;
    }
    Ok(stands)
}

pub(super) fn write(disk: &Disk, write: &Write<'_>) -> Outcome<bool> {
    let name = Name::of(Space::Entries, write.key);
    let unfinished = disk.prepare(&name, write.key, write.bytes, end(wall(), write.life))?;
    let now = wall();
    let mut shard = disk.lock(name.shard, now)?;
    let holds = match write.condition {
        Condition::Always => true,
        Condition::Absent => living_until(disk, &name, write.key, now)?.is_none(),
        Condition::Present => living_until(disk, &name, write.key, now)?.is_some(),
    };
    if holds {
        shard.end_leases(|key| key == write.key)?;
        disk.finish(unfinished, &name, &mut shard)?;
    }
    Ok(holds)
}

/// Puts an entry while its shard is locked.
fn put(disk: &Disk, shard: &mut Shard<'_>, key: &str, bytes: &[u8], ends: i64) -> Outcome {
    let name = Name::of(Space::Entries, key);
    let unfinished = disk.prepare(&name, key, bytes, ends)?;
    disk.finish(unfinished, &name, shard)
}

pub(super) fn touch(disk: &Disk, touch: &Touch<'_>) -> Outcome<bool> {
    let name = Name::of(Space::Entries, touch.key);
    let now = wall();
    let mut shard = disk.lock(name.shard, now)?;
    if !shard.stands(touch.key, touch.lease) {
        return Ok(false);
    }
    let Some((mut bytes, _)) = living(disk, touch.key, now)? else {
        return Ok(false);
    };
    if Head::parse(&bytes).is_none_or(|(_, length)| length != touch.head.len()) {
        return Ok(false);
    }
    bytes[..touch.head.len()].copy_from_slice(touch.head);
    let ends = end(now, touch.life);
    put(disk, &mut shard, touch.key, &bytes, ends)?;
    Ok(true)
}

/// Whether there was a living entry.
pub(super) fn remove(disk: &Disk, key: &str) -> Outcome<bool> {
    let name = Name::of(Space::Entries, key);
    // A shard without a lock file was never changed: there is neither a lease nor an entry.
    if !disk.has_shard(name.shard) {
        return Ok(false);
    }
    let now = wall();
    let mut shard = disk.lock(name.shard, now)?;
    shard.end_leases(|leased| leased == key)?;
    remove_file(disk, &mut shard, &name.path(disk.root()), now, |found| {
        found == key
    })
}

/// Removes a file if it is an entry of ours whose key is meant; whether it lived.
pub(super) fn remove_file(
    disk: &Disk,
    shard: &mut Shard<'_>,
    path: &Path,
    now: i64,
    is_meant: impl Fn(&str) -> bool,
) -> Outcome<bool> {
    let found = record::end(path).map_err(super::disk::failure)?;
    let Some(found) = found.filter(|end| is_meant(&end.key)) else {
        return Ok(false);
    };
    let was_there = disk.take_away(path)?;
    if was_there {
        shard.change(-1, -(found.size as i64))?;
    }
    Ok(was_there && found.expires > now)
}

/// See [`Counters::add`](crate::store::Counters::add).
pub(super) fn add(disk: &Disk, key: &str, by: i64, life: Life) -> Outcome<i64> {
    let name = Name::of(Space::Entries, key);
    disk.label()?;
    let now = wall();
    let mut shard = disk.lock(name.shard, now)?;
    let (before, ends) = match living(disk, key, now)? {
        Some((bytes, ends)) => (number(&bytes), ends),
        None => (Some(0), end(now, life)),
    };
    let before = before.ok_or_else(|| {
        let text = format!("`{key}` holds something else than a whole number");
        Failure::new(ErrorKind::WrongType, text)
    })?;
    let sum = before.checked_add(by).ok_or_else(|| {
        let text = format!("`{key}`: the sum is out of range");
        Failure::new(ErrorKind::Store, text)
    })?;
    shard.end_leases(|leased| leased == key)?;
    put(disk, &mut shard, key, sum.to_string().as_bytes(), ends)?;
    Ok(sum)
}

/// A number as a counter writes it, and no other text.
fn number(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
