//! Removing and forgetting on every level, the deepest first.

use super::Tiers;
use crate::error::{ErrorKind, Result};
use crate::store::wait::join;
use crate::store::{Life, Page, Removal, Scan, Store, TagVersions};

impl Tiers {
    /// From below: whoever read the old value below took its lease above before, and loses it after.
    pub(super) async fn remove_everywhere(&self, removal: &Removal<'_>) -> Result<u64> {
        let (mut most, mut outcome) = (0, Ok(()));
        let deepest = self.levels.len() - 1;
        for (number, level) in self.levels.iter().enumerate().rev() {
            let removed = match level.store.remove(removal).await {
                // Nothing is done yet, so nothing is half done.
                Err(error) if number == deepest && error.kind() == ErrorKind::Unsupported => {
                    return Err(error);
                }
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    remove_more(&*level.store, removal, error).await
                }
                removed => removed,
            };
            match removed {
                Ok(count) => most = most.max(count),
                Err(error) => {
                    self.skip("remove", number, &error);
                    outcome = outcome.and(Err(error));
                }
            }
        }
        outcome.map(|()| most)
    }

    /// From below, for the same reason: a version of a level above that is newer than the forgetting must not go to what an older one below still covers.
    pub(super) async fn forget_everywhere(&self, tags: &[&str]) -> Result<()> {
        let mut outcome = Ok(());
        for (number, level) in self.levels.iter().enumerate().rev() {
            if let Err(error) = level.store.forget_tags(tags).await {
                self.skip("forget_tags", number, &error);
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The versions of the uppermost level that answers, and an epoch of all.
    pub(super) async fn versions(&self, tags: &[&str], life: Life) -> Result<TagVersions> {
        let asked = self
            .levels
            .iter()
            .map(|level| level.store.tag_versions(tags, life));
        let answers = join(asked.collect()).await;
        let epochs = super::epoch_of(answers.iter().map(|answer| match answer {
            Ok(told) => told.epoch,
            Err(_) => 0,
        }));
        let mut versions = None;
        for (number, answer) in answers.into_iter().enumerate().rev() {
            match answer {
                Ok(told) => versions = Some(Ok(told.versions)),
                Err(error) => {
                    self.skip("tag_versions", number, &error);
                    versions = versions.or(Some(Err(error)));
                }
            }
        }
        let versions = versions.unwrap_or_else(|| Ok(Vec::new()))?;
        Ok(TagVersions {
            versions,
            epoch: epochs,
        })
    }

    /// For each key the longest life that any level gives it.
    pub(super) async fn longest(&self, keys: &[&str]) -> Result<Vec<Option<Life>>> {
        let first = self.true_up().await;
        let levels = self.levels[first..].iter();
        let answers = join(levels.map(|level| level.store.remaining(keys)).collect()).await;
        let mut longest: Vec<Option<Life>> = vec![None; keys.len()];
        let (mut answered, mut error) = (false, None);
        for (number, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(lives) => {
                    answered = true;
                    for (longest, life) in longest.iter_mut().zip(lives) {
                        *longest = longer(*longest, life);
                    }
                }
                Err(failed) => {
                    self.skip("remaining", first + number, &failed);
                    error = Some(failed);
                }
            }
        }
        match error {
            Some(error) if !answered => Err(error),
            _ => Ok(longest),
        }
    }

    /// All of the deepest level, then what the levels above have besides: a cursor says on which level it stands.
    pub(super) async fn scan_levels(&self, scan: &Scan<'_>) -> Result<Page> {
        let deepest = self.levels.len() - 1;
        let (level, inner) = match scan.cursor {
            None => (deepest, None),
            Some(cursor) => {
                let (level, inner) = cursor.split_once(':').unwrap_or((cursor, ""));
                let level = level.parse().unwrap_or(deepest).min(deepest);
                (level, Some(inner).filter(|inner| !inner.is_empty()))
            }
        };
        let question = Scan {
            cursor: inner,
            ..*scan
        };
        let page = match self.levels[level].store.scan(&question).await {
            Ok(page) => page,
            // What only such a level has cannot be told.
            Err(error) if level < deepest && error.kind() == ErrorKind::Unsupported => {
                Page::default()
            }
            Err(error) => return Err(error),
        };
        let cursor = match page.cursor {
            Some(inner) => Some(format!("{level}:{inner}")),
            None => level.checked_sub(1).map(|above| format!("{above}:")),
        };
        Ok(Page {
            keys: page.keys,
            cursor,
        })
    }
}

/// A level above may lose more than it was told: what it has is below too.
async fn remove_more(
    store: &dyn Store,
    removal: &Removal<'_>,
    error: crate::error::Error,
) -> Result<u64> {
    let prefix = match removal {
        Removal::Pattern { prefix, .. } => prefix,
        Removal::Keys(_) | Removal::Prefix(_) => return Err(error),
    };
    store.remove(&Removal::Prefix(prefix)).await.map(|_| 0)
}

fn longer(a: Option<Life>, b: Option<Life>) -> Option<Life> {
    match (a, b) {
        (Some(Some(a)), Some(Some(b))) => Some(Some(a.max(b))),
        (Some(None), _) | (_, Some(None)) => Some(None),
        (one, other) => one.or(other),
    }
}
