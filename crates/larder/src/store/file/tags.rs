//! Versions of tags, one file for each, and the epoch.

use super::disk::Disk;
use super::name::{Name, Space};
use crate::store::{Failure, NEVER, Tag, unique, wall};

type Outcome<T = ()> = Result<T, Failure>;

const EPOCH: &str = "epoch";

/// The versions as they are; 0 where there is none.
pub(super) fn versions(disk: &Disk, tags: &[&str]) -> Outcome<Vec<u64>> {
    let version = |tag: &&str| Ok(find(disk, tag)?.map_or(0, |(version, _)| version));
    tags.iter().map(version).collect()
}

/// Whether all tags have the versions still that an entry names.
pub(super) fn hold(disk: &Disk, tags: &[Tag]) -> Outcome<bool> {
    for tag in tags {
        let version = find(disk, &tag.name)?.map_or(0, |(version, _)| version);
        if version == 0 || version != tag.version {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The versions, made where missing, that live at least until then.
pub(super) fn make(disk: &Disk, tags: &[&str], ends: i64) -> Outcome<Vec<u64>> {
    tags.iter().map(|tag| make_one(disk, tag, ends)).collect()
}

fn make_one(disk: &Disk, tag: &str, ends: i64) -> Outcome<u64> {
    if let Some((version, until)) = find(disk, tag)?
        && until >= ends
    {
        return Ok(version);
    }
    let name = Name::of(Space::Tags, tag);
    disk.label()?;
    let now = wall();
    let mut shard = disk.lock(name.shard, now)?;
    // Again, under the lock: a version that is being forgotten must not be written anew.
    let version = match find(disk, tag)? {
        Some((version, until)) if until >= ends => return Ok(version),
        Some((version, _)) => version,
        None => unique(),
    };
    // A quarter and a minute longer than asked, so that the next to ask for as much need not write.
    let ends = match ends {
        NEVER => NEVER,
        _ => ends.saturating_add((ends - now) / 4 + 60_000),
    };
    let unfinished = disk.prepare(&name, tag, &version.to_be_bytes(), ends)?;
    disk.finish(unfinished, &name, &mut shard)?;
    Ok(version)
}

/// Order: the epoch first. Who finds a new version under an old epoch would take an entry for alive that was loaded before.
pub(super) fn forget(disk: &Disk, tags: &[&str]) -> Outcome {
    let name = epoch_name();
    disk.label()?;
    let mut shard = disk.lock(name.shard, wall())?;
    set_epoch(disk, &name, &mut shard)?;
    drop(shard);
    for tag in tags {
        let name = Name::of(Space::Tags, tag);
        let _shard = disk.lock(name.shard, wall())?;
        disk.take_away(&name.path(disk.root()))?;
    }
    Ok(())
}

/// Moves with every forgotten tag. Order: read after the versions that it belongs to.
pub(super) fn epoch(disk: &Disk) -> Outcome<u64> {
    let name = epoch_name();
    if let Some(epoch) = number(disk, &name, EPOCH)? {
        return Ok(epoch.0);
    }
    disk.label()?;
    let mut shard = disk.lock(name.shard, wall())?;
    match number(disk, &name, EPOCH)? {
        Some((epoch, _)) => Ok(epoch),
        None => set_epoch(disk, &name, &mut shard),
    }
}

fn epoch_name() -> Name {
    Name::of(Space::Meta, EPOCH)
}

fn set_epoch(disk: &Disk, name: &Name, shard: &mut super::shard::Shard<'_>) -> Outcome<u64> {
    let epoch = unique();
    let unfinished = disk.prepare(name, EPOCH, &epoch.to_be_bytes(), NEVER)?;
    disk.finish(unfinished, name, shard)?;
    Ok(epoch)
}

fn find(disk: &Disk, tag: &str) -> Outcome<Option<(u64, i64)>> {
    number(disk, &Name::of(Space::Tags, tag), tag)
}

fn number(disk: &Disk, name: &Name, key: &str) -> Outcome<Option<(u64, i64)>> {
    let record = disk.read(name, key)?;
    let now = wall();
    Ok(record
        .filter(|record| record.expires > now)
        .and_then(|record| {
            let number = u64::from_be_bytes(record.content.try_into().ok()?);
            Some((number, record.expires))
        }))
}
