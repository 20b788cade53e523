//! Versions of tags, and the epoch.

use super::state::{Change, State, Version};
use crate::store::Life;

impl State {
    /// The version of a tag; 0 when it has none.
    pub(super) fn known_version(&self, tag: &str) -> u64 {
        self.tags.get(tag).map_or(0, |version| version.number)
    }

    /// The version of a tag, made if it has none, living at least so long.
    pub(super) fn version(&mut self, tag: &str, life: Life) -> u64 {
        let until = self.until(life);
        let fresh = self.number();
        let version = self.tags.entry(tag.to_owned()).or_insert(Version {
            number: fresh,
            until,
        });
        version.until = version.until.max(until);
        version.number
    }

    pub(super) fn forget_tags(&mut self, tags: &[String]) {
        for tag in tags {
            self.tags.remove(tag);
            self.changes.push(Change::Tag(tag.clone()));
        }
        self.epoch = self.number();
    }
}
