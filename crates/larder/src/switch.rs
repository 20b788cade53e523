//! Operations that can be switched off while the program runs.

use std::ops::{BitOr, BitOrAssign};
use std::sync::atomic::{AtomicU8, Ordering};

/// A set of kinds of operations.
///
/// ```
/// use larder::Operations;
/// let set = Operations::READ | Operations::WRITE;
/// assert!(set.contains(Operations::READ) && !set.contains(Operations::REMOVE));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Operations(u8);

impl Operations {
    /// No operation.
    pub const NONE: Self = Self(0);
    /// Serving entries: `get`, `exists`, the hit of a cached function.
    pub const READ: Self = Self(1);
    /// Writing entries: `set`, `increment`, `touch`, what a cached function stores.
    pub const WRITE: Self = Self(2);
    /// Removing entries: `delete`, `clear`, tags. Whatever is invalidated while this is off is served again afterwards.
    pub const REMOVE: Self = Self(4);
    /// All of them.
    pub const ALL: Self = Self(7);

    /// Whether all of `operations` are in this set.
    #[must_use]
    pub const fn contains(self, operations: Self) -> bool {
        self.0 & operations.0 == operations.0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Operations {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Operations {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// Which operations of a cache are off, for all tasks and threads; and whether somebody listens or stands around them, so that a hit looks at one byte for all.
#[derive(Debug)]
pub(crate) struct Switch(AtomicU8);

const OBSERVED: u8 = 0x80;
const CALLED: u8 = 0x40;

impl Switch {
    pub(crate) fn new(observed: bool) -> Self {
        Self(AtomicU8::new(if observed { OBSERVED } else { 0 }))
    }

    /// Nothing is off and nobody listens.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Callbacks are to be told.
    #[inline]
    pub(crate) fn is_called(&self) -> bool {
        self.0.load(Ordering::Relaxed) & CALLED != 0
    }

    pub(crate) fn set_called(&self, called: bool) {
        match called {
            true => self.0.fetch_or(CALLED, Ordering::Relaxed),
            false => self.0.fetch_and(!CALLED, Ordering::Relaxed),
        };
    }

    pub(crate) fn off(&self) -> Operations {
        Operations(self.0.load(Ordering::Relaxed) & Operations::ALL.0)
    }

    pub(crate) fn turn_off(&self, operations: Operations) {
        self.0.fetch_or(operations.0, Ordering::Relaxed);
    }

    pub(crate) fn turn_on(&self, operations: Operations) {
        self.0.fetch_and(!operations.0, Ordering::Relaxed);
    }
}
