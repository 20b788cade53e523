//! The counters of one cached function.

use super::{Counters, Stats};

/// What is the same for all calls of one cached function: its name and its counters.
#[derive(Debug)]
pub struct Site {
    pub(crate) path: &'static str,
    pub(crate) template: &'static str,
    pub(crate) counters: Counters,
}

impl Site {
    /// The function's path, as it stands in what was read.
    #[must_use]
    pub const fn path(&self) -> &'static str {
        self.path
    }

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

    /// Whether it is a function's, and not that of direct operations.
    pub(crate) fn is_function(&self) -> bool {
        !self.path.is_empty()
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
