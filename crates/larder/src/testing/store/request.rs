//! Questions that own their text: a late or doubled one outlives its caller.

use std::time::Duration;

use crate::store::{Ask, Life, Read, Removal, Scan};

#[derive(Clone, Debug)]
pub(super) struct OwnedRead {
    pub(super) key: String,
    pub(super) ask: Ask,
    pub(super) tags: Vec<String>,
    pub(super) lease: Duration,
    pub(super) life: Life,
    pub(super) now: u64,
}

impl OwnedRead {
    pub(super) fn new(read: &Read<'_>) -> Self {
        Self {
            key: read.key.to_owned(),
            ask: read.ask,
            tags: super::owned(read.tags),
            lease: read.lease,
            life: read.life,
            now: read.now,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum OwnedRemoval {
    Keys(Vec<String>),
    Matching(Matching),
}

impl OwnedRemoval {
    pub(super) fn new(removal: &Removal<'_>, space: &str) -> Self {
        match removal {
            Removal::Keys(keys) => Self::Keys(super::owned(keys)),
            Removal::Prefix(prefix) => Self::Matching(Matching::new(space, prefix, "*")),
            Removal::Pattern { prefix, pattern } => {
                Self::Matching(Matching::new(space, prefix, pattern))
            }
        }
    }
}

/// Keys of one name space that begin with a prefix and end with a pattern.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    space: String,
    pub(super) prefix: String,
    pattern: String,
}

impl Matching {
    fn new(space: &str, prefix: &str, pattern: &str) -> Self {
        Self {
            space: space.to_owned(),
            prefix: prefix.to_owned(),
            pattern: pattern.to_owned(),
        }
    }

    pub(super) fn takes(&self, key: &str) -> bool {
        key.starts_with(&self.space)
            && key
                .strip_prefix(&*self.prefix)
                .is_some_and(|rest| larder_syntax::glob::matches(&self.pattern, rest))
    }
}

#[derive(Clone, Debug)]
pub(super) struct OwnedScan {
    pub(super) matching: Matching,
    pub(super) cursor: Option<String>,
    pub(super) limit: usize,
}

impl OwnedScan {
    pub(super) fn new(scan: &Scan<'_>, space: &str) -> Self {
        Self {
            matching: Matching::new(space, scan.prefix, scan.pattern),
            cursor: scan.cursor.map(str::to_owned),
            limit: scan.limit,
        }
    }
}
