//! Going through all entries: removing what matches, and scanning, in slices.

use std::path::Path;

use larder_syntax::glob;

use super::disk::{Disk, failure};
use super::entries;
use super::name::{LEAVES, Said, Space, digits, leaf, say};
use super::record;
use crate::store::{Failure, Page, wall};

type Outcome<T = ()> = Result<T, Failure>;

/// Which keys are meant.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    pub(super) prefix: String,
    pub(super) pattern: Option<String>,
}

impl Matching {
    pub(super) fn matches(&self, key: &str) -> bool {
        let Some(rest) = key.strip_prefix(&self.prefix) else {
            return false;
        };
        let pattern = self.pattern.as_deref();
        pattern.is_none_or(|pattern| glob::matches(pattern, rest))
    }

    /// Whether a file of this name can be meant: mostly its name tells, without opening it.
    fn can_be(&self, name: &str) -> bool {
        match say(name) {
            None => false,
            Some(Said::Key(key)) => self.matches(&key),
            Some(Said::Start(start)) => {
                let prefix = self.prefix.as_bytes();
                let common = prefix.len().min(start.len());
                prefix[..common] == start[..common]
            }
        }
    }
}

/// Removes what matches in one shard; how many lived. The leases end first, and for the whole shard, so that no fill comes behind.
pub(super) fn remove(disk: &Disk, matching: &Matching, shard: u8) -> Outcome<u64> {
    if !disk.has_shard(shard) {
        return Ok(0);
    }
    disk.lock(shard, wall())?
        .end_leases(|key| matching.matches(key))?;
    let mut lived = 0;
    for part in LEAVES {
        let directory = leaf(disk.root(), Space::Entries, &digits(shard), part);
        let names = names(&directory)?;
        let names: Vec<_> = names.iter().filter(|name| matching.can_be(name)).collect();
        if names.is_empty() {
            continue;
        }
        // A part at a time: others get their turn in between.
        let now = wall();
        let mut shard = disk.lock(shard, now)?;
        for name in names {
            let path = directory.join(name);
            let meant = |key: &str| matching.matches(key);
            lived += u64::from(entries::remove_file(disk, &mut shard, &path, now, meant)?);
        }
    }
    Ok(lived)
}

/// How many files one page looks at, at most.
const LOOKED: usize = 1_000;

/// A page in the order of the files; its cursor is the file that was looked at last.
pub(super) fn scan(
    disk: &Disk,
    matching: &Matching,
    cursor: Option<&str>,
    limit: usize,
) -> Outcome<Page> {
    let limit = limit.clamp(1, 10_000);
    let (from, mut after) = cursor.and_then(place).unwrap_or_default();
    let now = wall();
    let mut page = Page::default();
    let mut looked = 0;
    let mut at = from;
    while at < 256 * LEAVES.len() {
        let (shard, part) = ((at / LEAVES.len()) as u8, LEAVES[at % LEAVES.len()]);
        if !disk.has_shard(shard) {
            at = (usize::from(shard) + 1) * LEAVES.len();
            after.clear();
            continue;
        }
        let directory = leaf(disk.root(), Space::Entries, &digits(shard), part);
        for name in names(&directory)? {
            if name <= after {
                continue;
            }
            if looked >= LOOKED.max(limit) || page.keys.len() >= limit {
                page.cursor = Some(format!("{at:x}/{after}"));
                return Ok(page);
            }
            looked += 1;
            if matching.can_be(&name) {
                let end = record::end(&directory.join(&name)).map_err(failure)?;
                let end = end.filter(|end| end.expires > now && matching.matches(&end.key));
                page.keys.extend(end.map(|end| end.key));
            }
            after = name;
        }
        after.clear();
        at += 1;
    }
    Ok(page)
}

/// Where a cursor points to; one that is none of ours begins anew.
fn place(cursor: &str) -> Option<(usize, String)> {
    let (at, after) = cursor.split_once('/')?;
    Some((usize::from_str_radix(at, 16).ok()?, after.to_owned()))
}

/// The names in a directory, in their order.
pub(super) fn names(directory: &Path) -> Outcome<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failure(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        // What is not text has no name of ours.
        names.extend(entry.map_err(failure)?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}
