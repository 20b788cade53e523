//! How far a warming has come.

use std::fmt;

/// How far a warming has come: what became of the items that are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warmed {
    /// Items that were loaded.
    pub loaded: u64,
    /// Items that needed no load: what was kept of them was fresh, or another's load brought it.
    pub skipped: u64,
    /// Items whose source failed.
    pub failed: u64,
    /// All items before this one are done: where [`Warm::resume_from`](crate::Warm::resume_from) goes on.
    pub next: u64,
}

impl Warmed {
    /// How many items are done.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.loaded + self.skipped + self.failed
    }
}

impl fmt::Display for Warmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            loaded,
            skipped,
            failed,
            ..
        } = self;
        write!(f, "{loaded} loaded, {skipped} skipped, {failed} failed")
    }
}
