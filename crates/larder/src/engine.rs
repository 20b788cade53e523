//! The one path: a hit is a plain function, a miss is one async function.

mod background;
mod batch;
mod errand;
mod failure;
mod fill;
mod filtered;
mod follow;
mod guarded;
mod hit;
mod lead;
mod plan;
mod put;
mod reach;
mod settle;
mod shape;
mod timed;

pub use crate::entry::Cacheable;
pub use background::{Mode, Ticket};
pub(crate) use batch::{Batch, Joining};
pub use fill::{fill, fill_behind, fill_sync, fill_sync_behind};
pub use filtered::{filtered, filtered_sync};
pub(crate) use follow::{deadline, within};
pub use guarded::{guarded, guarded_sync};
pub use hit::{Hit, hit};
pub(crate) use hit::{Seen, detected};
pub(crate) use lead::Lead;
pub(crate) use plan::Planned;
pub use plan::{NotRefusing, NotShared, Plan, RefusalOf, Share, SharingOf};
pub(crate) use put::{Storing, put, refused, store, store_many};
pub use settle::{IntoTags, KeptError, Nullable, Settle};
pub use shape::{ArcTarget, Arced, AsOption, AsPlain, AsResult, IsResult, NotResult, Shape};

use crate::stats::{Counters, Stats};

/// What is the same for all calls of one cached function: its name and its counters.
#[derive(Debug)]
pub struct Site {
    pub(crate) path: &'static str,
    pub(crate) template: &'static str,
    pub(crate) counters: Counters,
}

impl Site {
    /// The function's path and its key template.
    #[must_use]
    pub const fn new(path: &'static str, template: &'static str) -> Self {
        Self {
            path,
            template,
            counters: Counters::new(),
        }
    }

    /// Counts of all calls of the function.
    #[must_use]
    pub fn stats(&self) -> FunctionStats {
        FunctionStats {
            function: self.path,
            template: self.template,
            stats: self.counters.read(),
        }
    }
}

/// Counts of one cached function, over all caches that it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionStats {
    /// The function's path.
    pub function: &'static str,
    /// Its key template; empty for automatic keys.
    pub template: &'static str,
    /// The counts. `evicted`, `expired` and `invalidated` belong to caches and are 0 here.
    pub stats: Stats,
}

impl std::ops::Deref for FunctionStats {
    type Target = Stats;

    fn deref(&self) -> &Stats {
        &self.stats
    }
}

/// The site of direct operations. They have no source to reload an entry with.
pub(crate) static DIRECT: Site = Site::new("", "");

/// The site of direct operations that have one.
pub(crate) static LOADING: Site = Site::new("", "");
