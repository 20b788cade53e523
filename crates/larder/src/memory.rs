//! The in-process tier: typed values, bounded, no serialization.

use crate::entry::Slot;
use crate::key::Key;

#[cfg(not(feature = "memory"))]
mod none;
#[cfg(feature = "memory")]
mod quick;

#[cfg(not(feature = "memory"))]
pub(crate) use none::Memory;
#[cfg(feature = "memory")]
pub(crate) use quick::Memory;

/// Entries of the default bound.
pub(crate) const DEFAULT_ENTRIES: u64 = 10_000;

/// The bound of the tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    Entries(u64),
    /// By weight; the guess of how many entries that is sizes the tables.
    Weight {
        total: u64,
        entries: u64,
    },
}

/// Entries that a write pushed out, handed to the caller: user values are never dropped under a lock.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// The entry that was there before under the same key, and all that gave way.
    pub(crate) out: Vec<(Key, Slot)>,
}
