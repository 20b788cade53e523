//! What goes over many objects: removing by prefix and pattern, scanning, sweeping.

use std::time::Duration;

use larder_syntax::glob;
use object_store::ObjectMeta;
use object_store::path::Path;

use super::core::{Core, now};
use super::frame::{self, FIXED, Opened};
use super::names::{Named, Space};
use super::wire::{Part, each};
use crate::error::Result;
use crate::store::{Page, Scan};

const PAGE: usize = 1_000;
/// What was written less than this ago is not swept: clocks differ, and somebody may be about to write it again.
const GRACE: Duration = Duration::from_secs(600);

/// Which keys are meant.
#[derive(Clone, Copy)]
struct Matching<'a> {
    /// What all keys of the store begin with.
    space: &'a str,
    prefix: &'a str,
    pattern: Option<&'a str>,
}

impl<'a> Matching<'a> {
    /// What all keys that are meant begin with.
    fn beginning(&self) -> &'a str {
        if self.prefix.len() < self.space.len() {
            self.space
        } else {
            self.prefix
        }
    }

    fn matches(&self, key: &str) -> bool {
        let rest = key.strip_prefix(self.prefix);
        let rest = rest.filter(|_| key.starts_with(self.space));
        rest.is_some_and(|rest| {
            self.pattern
                .is_none_or(|pattern| glob::matches(pattern, rest))
        })
    }
}

impl Core {
    /// A page with at least one object fewer each time, or none: what is deleted is not listed again.
    pub(super) async fn remove_matching(&self, prefix: &str, pattern: Option<&str>) -> Result<u64> {
        let matching = Matching {
            space: &self.space,
            prefix,
            pattern,
        };
        let names = self.names.entries(matching.beginning());
        let (mut token, mut removed) = (None, 0);
        if self.is_hidden(&names, matching) {
            removed += self.remove_keys(&[matching.beginning()]).await?;
        }
        loop {
            let (objects, next) = self.wire.page("remove", &names, token, PAGE).await?;
            let doomed = objects
                .iter()
                .map(|object| self.is_doomed(object, matching));
            let doomed = each(doomed.collect()).await?;
            let doomed = objects
                .into_iter()
                .zip(doomed)
                .filter(|(_, doomed)| *doomed);
            let doomed: Vec<ObjectMeta> = doomed.map(|(object, _)| object).collect();
            removed += doomed.iter().filter(|object| !is_marker(object)).count() as u64;
            if !doomed.is_empty() {
                let paths = doomed.into_iter().map(|object| object.location);
                self.wire.delete("remove", paths.collect()).await?;
            }
            if next.is_none() {
                return Ok(removed);
            }
            token = next;
        }
    }

    async fn is_doomed(&self, object: &ObjectMeta, matching: Matching<'_>) -> Result<bool> {
        Ok(match self.names.key(object.location.as_ref()) {
            None => false,
            Some(Named::Whole(key)) => matching.matches(&key),
            // The lease of a key that is not known: ending one too many costs a fill.
            Some(Named::Hashed) if is_marker(object) => true,
            Some(Named::Hashed) => {
                let opened = self.beginning("remove", &object.location).await?;
                // What is not ours may have been leased all the same.
                opened
                    .and_then(|o| o.key)
                    .is_none_or(|key| matching.matches(&key))
            }
        })
    }

    pub(super) async fn scan(&self, scan: &Scan<'_>) -> Result<Page> {
        let matching = Matching {
            space: &self.space,
            prefix: scan.prefix,
            pattern: Some(scan.pattern),
        };
        let key = matching.beginning();
        let names = self.names.entries(key);
        let token = scan.cursor.map(str::to_owned);
        let (objects, cursor) = self.wire.page("scan", &names, token, scan.limit).await?;
        let objects = objects.iter().filter(|object| !is_marker(object));
        let keys = objects.map(|object| self.living_key(object, matching));
        let keys = each(keys.collect()).await?;
        let mut keys: Vec<String> = keys.into_iter().flatten().collect();
        if scan.cursor.is_none() && self.is_hidden(&names, matching) {
            let path = self.names.path(Space::Entries, key);
            let standing = self.standing("scan", &path).await?;
            let alive = standing.is_some_and(|standing| standing.alive.is_some());
            keys.extend(alive.then(|| key.to_owned()));
        }
        Ok(Page { keys, cursor })
    }

    /// Whether the key that is the prefix is meant and its object is not listed.
    fn is_hidden(&self, names: &str, matching: Matching<'_>) -> bool {
        let key = matching.beginning();
        let path = self.names.path(Space::Entries, key);
        self.wire.hides_prefix && matching.matches(key) && path.as_ref() == names
    }

    async fn living_key(
        &self,
        object: &ObjectMeta,
        matching: Matching<'_>,
    ) -> Result<Option<String>> {
        match self.names.key(object.location.as_ref()) {
            None => Ok(None),
            Some(Named::Whole(key)) => {
                if !matching.matches(&key) {
                    return Ok(None);
                }
                let standing = self.standing("scan", &object.location).await?;
                let alive = standing.is_some_and(|standing| standing.alive.is_some());
                Ok(alive.then_some(key))
            }
            Some(Named::Hashed) => {
                let opened = self.beginning("scan", &object.location).await?;
                let alive = opened.filter(|o| o.kind == frame::Kind::Entry && o.until > now());
                let key = alive.and_then(|o| o.key);
                Ok(key.filter(|key| matching.matches(key)))
            }
        }
    }

    /// What the beginning of an object says of it; its body is not all there.
    async fn beginning(&self, operation: &'static str, path: &Path) -> Result<Option<Opened>> {
        let got = self.wire.get(operation, path, Part::Frame).await?;
        let Some(got) = got.filter(|got| got.size >= FIXED as u64) else {
            return Ok(None);
        };
        if let Some((opened, _)) = frame::framed(&got.bytes) {
            return Ok(Some(opened));
        }
        // Its key may be longer than the beginning.
        let got = self.wire.get(operation, path, Part::All).await?;
        Ok(got
            .and_then(|got| frame::framed(&got.bytes))
            .map(|(opened, _)| opened))
    }

    /// Deletes what has been over for a while: entries, markers of leases, records of tags.
    pub(super) async fn sweep(&self) -> Result<u64> {
        let mut swept = 0;
        for space in [Space::Entries, Space::Tags] {
            let names = self.names.space(space);
            let mut token = None;
            loop {
                let (objects, next) = self.wire.page("sweep", &names, token, PAGE).await?;
                let old = objects
                    .into_iter()
                    .filter(is_old)
                    .map(|object| object.location);
                let old: Vec<Path> = old.collect();
                let over = each(old.iter().map(|path| self.is_over(path)).collect()).await?;
                let over = old.into_iter().zip(over).filter(|(_, over)| *over);
                let over: Vec<Path> = over.map(|(path, _)| path).collect();
                swept += over.len() as u64;
                if !over.is_empty() {
                    self.wire.delete("sweep", over).await?;
                }
                if next.is_none() {
                    break;
                }
                token = next;
            }
        }
        Ok(swept)
    }

    async fn is_over(&self, path: &Path) -> Result<bool> {
        let got = self.wire.get("sweep", path, Part::Note).await?;
        let until = got.and_then(|got| got.note).map(|note| note.until);
        let grace = GRACE.as_millis() as u64;
        Ok(until.is_some_and(|until| until.saturating_add(grace) < now()))
    }
}

fn is_marker(object: &ObjectMeta) -> bool {
    object.size == FIXED as u64
}

fn is_old(object: &ObjectMeta) -> bool {
    let written = u64::try_from(object.last_modified.timestamp_millis()).unwrap_or(0);
    written.saturating_add(GRACE.as_millis() as u64) < now()
}
