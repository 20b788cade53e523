//! Cleaning up, a shard at a time: what is past its life, what was never finished, and what is too much.

use std::fs::{File, Metadata, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::disk::{Disk, UNFINISHED};
use super::name::{LEAVES, Space, digits, leaf, say};
use super::shard::Holds;
use super::{entries, record, walk};
use crate::store::{Failure, Popped, Queue, unique, unwinding, wall};

/// After so long nobody is still writing a file.
const ABANDONED: Duration = Duration::from_secs(600);
/// Of how many entries the oldest are chosen, at least, if there are so many.
const SAMPLE: usize = 256;
/// A check is due when so much of the room was put.
const SHARE: u64 = 16;
/// When to try again what could not be done.
const AGAIN: Duration = Duration::from_millis(100);

impl Disk {
    /// Whether so much was put that there may be too much.
    pub(super) fn may_be_over(&self) -> bool {
        let (bytes, entries) = self.put.so_far();
        bytes >= self.options.size / SHARE || entries >= (self.options.entries / SHARE).max(1)
    }
}

/// What the thread does until its queue is closed; a job is a hint that there may be too much.
pub(super) fn run(disk: &Disk, hints: &Queue<()>) {
    let mut at = Instant::now() + disk.options.sweep;
    let mut pass: Option<Pass> = None;
    let mut wake = at;
    loop {
        match hints.pop(Some(wake)) {
            Popped::Closed => return,
            Popped::Job(()) | Popped::Idle => {}
        }
        let failed = disk.may_be_over() && !matches!(unwinding(|| evict(disk)), Some(Ok(true)));
        let now = Instant::now();
        if now >= at {
            let step = || pass.take().or_else(|| Pass::begin(disk))?.step(disk);
            pass = unwinding(step).flatten();
            // As long a pause as the work took: others need the disk too.
            let pause = match &pass {
                Some(_) => now.elapsed(),
                None => disk.options.sweep,
            };
            at = Instant::now() + pause;
        }
        wake = if failed { at.min(now + AGAIN) } else { at };
    }
}

/// Going once through all shards; no other process does so meanwhile.
struct Pass {
    next: u8,
    _alone: File,
}

impl Pass {
    fn begin(disk: &Disk) -> Option<Self> {
        Some(Self {
            next: 0,
            _alone: alone(disk)?,
        })
    }

    /// Sweeps a shard; `None` after the last.
    fn step(mut self, disk: &Disk) -> Option<Self> {
        if disk.has_shard(self.next) {
            // What cannot be swept now can be the next time.
            drop(sweep(disk, self.next));
        }
        self.next = self.next.checked_add(1)?;
        Some(self)
    }
}

/// The lock of those who clean up; `None` while another process does.
fn alone(disk: &Disk) -> Option<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(disk.root().join("sweeping")).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// A file under a name of ours.
struct Kept {
    path: PathBuf,
    metadata: Metadata,
}

/// The files under names of ours in one shard of a space. What was never finished goes.
fn files(disk: &Disk, space: Space, shard: u8) -> Result<Vec<Kept>, Failure> {
    let mut kept = Vec::new();
    for part in LEAVES {
        let directory = leaf(disk.root(), space, &digits(shard), part);
        for name in walk::names(&directory)? {
            let path = directory.join(&name);
            let Ok(metadata) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            if !metadata.is_file() {
                continue;
            }
            if say(&name).is_some() {
                kept.push(Kept { path, metadata });
            } else if name.starts_with(UNFINISHED) && is_abandoned(&metadata) {
                disk.take_away(&path)?;
            }
        }
    }
    Ok(kept)
}

fn is_abandoned(metadata: &Metadata) -> bool {
    let age = metadata.modified().map(|at| at.elapsed());
    age.is_ok_and(|age| age.is_ok_and(|age| age >= ABANDONED))
}

fn sweep(disk: &Disk, number: u8) -> Result<(), Failure> {
    for space in Space::ALL {
        let now = wall();
        let mut shard = disk.lock(number, now)?;
        let mut holds = Holds::default();
        for file in files(disk, space, number)? {
            if may_be_over(&file.metadata) && is_over(&file.path, now)? {
                disk.take_away(&file.path)?;
            } else {
                holds.entries += 1;
                holds.bytes += file.metadata.len() as i64;
            }
        }
        if space == Space::Entries {
            shard.state(holds)?;
        }
    }
    Ok(())
}

/// By the hint that stands in the file's times.
fn may_be_over(metadata: &Metadata) -> bool {
    metadata
        .accessed()
        .map_or(true, |hint| hint <= SystemTime::now())
}

/// By what the file itself says; one that is not ours is over never.
fn is_over(path: &Path, now: i64) -> Result<bool, Failure> {
    let end = record::end(path).map_err(super::disk::failure)?;
    Ok(end.is_some_and(|end| end.expires <= now))
}

/// Removes entries whose use is longest ago among those of some shards, until a twentieth of the room is free; `false` while another process cleans up.
fn evict(disk: &Disk) -> Result<bool, Failure> {
    let (bytes, count) = disk.put.so_far();
    let (size, entries) = (disk.options.size as i128, i128::from(disk.options.entries));
    let over = |holds: Holds, size: i128, entries: i128| {
        i128::from(holds.bytes) > size || i128::from(holds.entries) > entries
    };
    let mut holds = disk.holds();
    if !over(holds, size, entries) {
        disk.put.forget(bytes, count);
        return Ok(true);
    }
    let Some(_alone) = alone(disk) else {
        return Ok(false);
    };
    // Round and round from a random shard on: those of the first shards are not to be younger than others.
    let mut next = unique() as u8;
    let enough = |holds| !over(holds, size - size / 20, entries - entries / 20);
    while !enough(holds) {
        let sample = sample(disk, &mut next)?;
        // Of a sample that is a part of all, the younger half stays.
        let most = match sample.len() >= SAMPLE {
            true => sample.len() / 2,
            false => sample.len(),
        };
        let mut left = holds;
        for (number, file) in sample.into_iter().take(most) {
            if enough(left) {
                break;
            }
            let mut shard = disk.lock(number, wall())?;
            entries::remove_file(disk, &mut shard, &file.path, wall(), |_| true)?;
            left.entries -= 1;
            left.bytes -= file.metadata.len() as i64;
        }
        let before = std::mem::replace(&mut holds, disk.holds());
        if holds.entries >= before.entries && holds.bytes >= before.bytes {
            // Others write as fast as this removes, or there is nothing that can be removed.
            break;
        }
    }
    disk.put.forget(bytes, count);
    Ok(true)
}

/// The entries of as many shards as it takes, the one that was used longest ago first.
fn sample(disk: &Disk, next: &mut u8) -> Result<Vec<(u8, Kept)>, Failure> {
    let mut sample: Vec<(u8, Kept)> = Vec::new();
    for _ in 0..=u8::MAX {
        let shard = *next;
        *next = next.wrapping_add(1);
        if disk.has_shard(shard) {
            let found = files(disk, Space::Entries, shard)?;
            sample.extend(found.into_iter().map(|file| (shard, file)));
        }
        if sample.len() >= SAMPLE {
            break;
        }
    }
    sample.sort_by_key(|(_, file)| file.metadata.modified().ok());
    Ok(sample)
}
