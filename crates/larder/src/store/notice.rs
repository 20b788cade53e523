//! What wrappers of stores have to say, apart from answers.

use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// Who is told what befalls a store. Called in the middle of operations: must not block and must not call the store.
pub trait Notices: fmt::Debug + Send + Sync {
    /// This befell the store of this name.
    fn notice(&self, store: &str, what: Notice<'_>);
}

/// Nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unheard;

impl Notices for Unheard {
    fn notice(&self, _store: &str, _what: Notice<'_>) {}
}

/// What befell a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// An operation failed.
    Failed {
        /// Its name.
        operation: &'static str,
        /// Why.
        error: &'a Error,
    },
    /// An operation took longer than it may.
    TimedOut {
        /// Its name.
        operation: &'static str,
        /// What it may take.
        limit: Duration,
    },
    /// The store is not asked any more for so long.
    Opened {
        /// How long.
        wait: Duration,
    },
    /// It is tried whether the store answers again.
    HalfOpen,
    /// The store is asked again.
    Closed,
    /// What could not be removed will be, before the store is read again.
    RemovalRemembered {
        /// How many removals are remembered now.
        owed: usize,
    },
    /// Remembered removals were done.
    RemovalsApplied {
        /// How many.
        count: usize,
    },
    /// So many remembered removals gave way to one of all that begins so.
    RemovalsCollapsed {
        /// How many.
        count: usize,
        /// How what is removed instead begins; everything begins with `""`.
        prefix: &'a str,
    },
    /// Remembered removals were never done: what they were to remove may be read again.
    RemovalsLost {
        /// How many.
        count: usize,
        /// Why.
        why: &'a str,
    },
    /// A level of a chain was left out of an operation.
    Skipped {
        /// The name of the operation.
        operation: &'static str,
        /// Why.
        error: &'a Error,
    },
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { operation, error } => write!(f, "`{operation}` failed: {error}"),
            Self::TimedOut { operation, limit } => {
                write!(f, "`{operation}` took longer than {limit:?}")
            }
            Self::Opened { wait } => write!(f, "left alone for {wait:?}"),
            Self::HalfOpen => f.write_str("tried again"),
            Self::Closed => f.write_str("answers again"),
            Self::RemovalRemembered { owed } => {
                write!(
                    f,
                    "a removal did not reach it and is remembered, {owed} in all"
                )
            }
            Self::RemovalsApplied { count } => write!(f, "{count} remembered removals were done"),
            Self::RemovalsCollapsed { count, prefix } => write!(
                f,
                "{count} remembered removals became one of all that begins with `{prefix}`"
            ),
            Self::RemovalsLost { count, why } => {
                write!(f, "{count} remembered removals were lost: {why}")
            }
            Self::Skipped { operation, error } => write!(f, "left out of `{operation}`: {error}"),
        }
    }
}
