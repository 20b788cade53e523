//! Locks with an owner and an end, one file for each name.
//!
//! A file is kept for two days after its lock is over, and no fencing number is below the time of day, so that numbers go on.

use std::time::Duration;

use super::disk::Disk;
use super::name::{Name, Space};
use super::shard::Shard;
use crate::store::{Acquired, Failure, end, fence_floor, wall};

type Outcome<T = ()> = Result<T, Failure>;

/// How long a fencing number is remembered after its lock, in milliseconds: two days, the contract asks for one.
const REMEMBERED: i64 = 2 * 24 * 60 * 60 * 1_000;

/// Who holds a name: fencing number, end, owner.
struct Held {
    fence: u64,
    ends: i64,
    owner: Vec<u8>,
}

pub(super) fn acquire(disk: &Disk, name: &str, owner: &str, ttl: Duration) -> Outcome<Acquired> {
    let (file, mut shard, now) = locked(disk, name)?;
    let before = read(disk, &file, name)?;
    if let Some(held) = &before
        && held.ends > now
        && held.owner != owner.as_bytes()
    {
        return Ok(Acquired::Taken {
            left: Duration::from_millis((held.ends - now) as u64),
        });
    }
    let last = before.map_or(0, |held| held.fence);
    let fence = last.saturating_add(1).max(fence_floor() as u64);
    let held = Held {
        fence,
        ends: end(now, Some(ttl)),
        owner: owner.as_bytes().to_vec(),
    };
    write(disk, &file, &mut shard, name, &held)?;
    Ok(Acquired::Held { fence })
}

/// Gives the lock another end, if this owner holds it.
pub(super) fn renew(disk: &Disk, name: &str, owner: &str, ttl: Duration) -> Outcome<bool> {
    let (file, mut shard, now) = locked(disk, name)?;
    let held = read(disk, &file, name)?;
    let Some(mut held) = held.filter(|held| held.ends > now && held.owner == owner.as_bytes())
    else {
        return Ok(false);
    };
    held.ends = end(now, Some(ttl));
    write(disk, &file, &mut shard, name, &held)?;
    Ok(true)
}

pub(super) fn release(disk: &Disk, name: &str, owner: &str) -> Outcome<bool> {
    renew(disk, name, owner, Duration::ZERO)
}

pub(super) fn held(disk: &Disk, name: &str) -> Outcome<Option<Duration>> {
    let held = read(disk, &Name::of(Space::Locks, name), name)?;
    let now = wall();
    Ok(held
        .filter(|held| held.ends > now)
        .map(|held| Duration::from_millis((held.ends - now) as u64)))
}

fn locked<'a>(disk: &'a Disk, name: &str) -> Outcome<(Name, Shard<'a>, i64)> {
    disk.label()?;
    let file = Name::of(Space::Locks, name);
    let shard = disk.lock(file.shard, wall())?;
    // The present once the lock is held: waiting for it took time.
    Ok((file, shard, wall()))
}

fn read(disk: &Disk, file: &Name, name: &str) -> Outcome<Option<Held>> {
    let record = disk.read(file, name)?;
    Ok(record.and_then(|record| {
        let (fence, rest) = record.content.split_first_chunk::<8>()?;
        let (ends, owner) = rest.split_first_chunk::<8>()?;
        Some(Held {
            fence: u64::from_be_bytes(*fence),
            ends: i64::from_be_bytes(*ends),
            owner: owner.to_vec(),
        })
    }))
}

fn write(disk: &Disk, file: &Name, shard: &mut Shard<'_>, name: &str, held: &Held) -> Outcome {
    let fields = [held.fence.to_be_bytes(), held.ends.to_be_bytes()];
    let content = [fields.as_flattened(), &held.owner].concat();
    let expires = held.ends.saturating_add(REMEMBERED);
    let unfinished = disk.prepare(file, name, &content, expires)?;
    disk.finish(unfinished, file, shard)
}
