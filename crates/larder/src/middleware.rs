//! What stands around the operations of a cache: it may name keys otherwise, leave operations out, and see how they ended.
//!
//! [`Builder::middleware`](crate::Builder::middleware) adds one; the first that is added is the outermost. The order is the same for every operation: keys pass through
//! [`key`](Middleware::key) from the first to the last, [`before`](Middleware::before) is asked from the first to the last, [`after`](Middleware::after) is told from the last to the first.
//!
//! ```
//! use larder::middleware::{Lowercase, Prefix};
//!
//! let cache = larder::Cache::builder()
//!     .middleware(Prefix::new("shop:"))
//!     .middleware(Lowercase)
//!     .build()?;
//! let cache = cache.blocking();
//! cache.set("User:7", &1_u64).ttl("1m").wait()?;
//! assert_eq!(cache.get::<u64>("USER:7")?, Some(1));
//! assert_eq!(cache.scan("user:*")?, ["user:7"]);
//! # Ok::<(), larder::Error>(())
//! ```
//!
//! A cache without middleware pays nothing for it. With it a hit takes the way of a miss: a hook is asked before anything is read.
//!
//! # What is an operation
//!
//! Each read, load, write and removal of a key, whoever asks for it: the direct operations, cached functions and their handles, reloads behind, `#[invalidates]`, rules. One for several keys
//! (`get_many`, `set_many`, `delete_many`, batches) is one operation for each of its keys. Not seen are looks that change nothing and serve nobody (`peek`, `explain`, `scan`, `remaining_ttl`), locks, guards, and
//! copies that memory takes of what a store holds. The names of locks, and those under which guards count, pass through [`key`](Middleware::key) all the same.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::selector::Selector;
use crate::switch::Operations;

mod chain;
mod ready;

pub(crate) use chain::{Chain, Doing, Intended};
pub use ready::{Logging, Lowercase, MemoryLimit, Prefix};

/// Stands around the operations of a cache.
///
/// # Contract
/// The hooks are plain functions and must not block: a hit is served by a sync function too, which has no runtime to wait on, and whoever waits here waits
/// in front of every operation. They are called outside of locks and must not panic. What a hook does to the same cache passes through the same hooks.
///
/// What [`key`](Self::key) gives must depend on the key alone, and `key(original(key(k)))` must be `key(k)`: entries are found under what it said when they were written, also by other
/// processes. Whoever changes more than the letters of a key says itself what becomes of a [`prefix`](Self::prefix) and of a [`pattern`](Self::pattern), or invalidations miss.
pub trait Middleware: Send + Sync + 'static {
    /// What it is called in events and messages. Default: the name of its type.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// Under which key an entry is kept. Tags are not keys: they stay as they are.
    fn key<'k>(&self, key: &'k str) -> Cow<'k, str> {
        Cow::Borrowed(key)
    }

    /// What the keys that began with `prefix` begin with now. Default: what [`key`](Self::key) makes of it.
    fn prefix<'k>(&self, prefix: &'k str) -> Cow<'k, str> {
        self.key(prefix)
    }

    /// What pattern the keys match now that matched `pattern`, by Redis' rules. Default: what [`key`](Self::key) makes of it.
    fn pattern<'k>(&self, pattern: &'k str) -> Cow<'k, str> {
        self.key(pattern)
    }

    /// The way back, for [`scan`](crate::Cache::scan), callbacks and messages. Where there is none, the key as it is kept.
    fn original<'k>(&self, key: &'k str) -> Cow<'k, str> {
        Cow::Borrowed(key)
    }

    /// An operation is about to begin. What is left out is as if it were switched off here: a read is a miss, a write writes nothing, a removal removes nothing.
    ///
    /// A load cannot be left out, for somebody waits for its value: then the answer counts for nothing.
    fn before(&self, operation: &Operation<'_>) -> Step {
        let _ = operation;
        Step::Proceed
    }

    /// An operation that this one has let through is over; also when those further in have left it out, and when whoever asked for it went away.
    fn after(&self, operation: &Operation<'_>, outcome: Outcome, took: Duration) {
        let _ = (operation, outcome, took);
    }
}

/// Whether an operation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It goes on.
    Proceed,
    /// It is left out, which an [`Event::LeftOut`](crate::Event::LeftOut) tells.
    LeaveOut,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Reads an entry, to serve it.
    Get,
    /// Asks whether an entry is there.
    Exists,
    /// Calls the source.
    Load,
    /// Writes an entry.
    Set,
    /// Adds to a number.
    Increment,
    /// Gives an entry another life.
    Touch,
    /// Removes one entry.
    Delete,
    /// Removes what a prefix, a pattern or tags mean, or all.
    Invalidate,
}

impl Action {
    /// The kind of operation as [`Operations`] has it; none for a load, which cannot be switched off.
    #[must_use]
    pub const fn operations(self) -> Operations {
        match self {
            Self::Get | Self::Exists => Operations::READ,
            Self::Load => Operations::NONE,
            Self::Set | Self::Increment | Self::Touch => Operations::WRITE,
            Self::Delete | Self::Invalidate => Operations::REMOVE,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::Exists => "exists",
            Self::Load => "load",
            Self::Set => "set",
            Self::Increment => "increment",
            Self::Touch => "touch",
            Self::Delete => "delete",
            Self::Invalidate => "invalidate",
        })
    }
}

/// An operation as middleware sees it: keys, never values.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Operation<'a> {
    /// What it does.
    pub action: Action,
    /// The key as it is kept, after all middleware and without the cache's own prefix; empty when a selector says what is meant.
    pub key: &'a str,
    /// What is meant by an [`Action::Invalidate`], as the caller wrote it.
    pub selector: Option<&'a Selector>,
    /// The name of the cache.
    pub cache: &'a str,
    /// The cached function, by path; `None` for direct operations and removals.
    pub function: Option<&'static str>,
    /// What the value of an [`Action::Set`] weighs, by the rules of [`Builder::weight`](crate::Builder::weight).
    pub weight: Option<u32>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// An entry was there and was served.
    Hit,
    /// No entry could be served: there was none, or another's load of the key was waited for.
    Miss,
    /// The source gave a value, the value was written, or an entry was removed.
    Done,
    /// Nothing was to be done: nothing was there, a condition did not hold, or the value was invalidated while it was computed.
    Nothing,
    /// The source or the store failed, or the operation could not be followed.
    Failed,
    /// Middleware further in has left it out.
    LeftOut,
    /// Whoever asked for it went away before it was over, or panicked.
    Dropped,
}

impl Outcome {
    /// [`Done`](Self::Done), or [`Nothing`](Self::Nothing).
    pub(crate) fn of(done: bool) -> Self {
        if done { Self::Done } else { Self::Nothing }
    }

    /// How something ended that may have failed; `any` says whether something was done.
    pub(crate) fn came_of<T, E>(result: &Result<T, E>, any: impl FnOnce(&T) -> bool) -> Self {
        match result {
            Ok(done) => Self::of(any(done)),
            Err(_) => Self::Failed,
        }
    }

    /// How a read ended.
    pub(crate) fn found<T, E>(result: &Result<Option<T>, E>) -> Self {
        match result {
            Ok(Some(_)) => Self::Hit,
            Ok(None) => Self::Miss,
            Err(_) => Self::Failed,
        }
    }
}

impl<M: Middleware + ?Sized> Middleware for Arc<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn key<'k>(&self, key: &'k str) -> Cow<'k, str> {
        (**self).key(key)
    }

    fn prefix<'k>(&self, prefix: &'k str) -> Cow<'k, str> {
        (**self).prefix(prefix)
    }

    fn pattern<'k>(&self, pattern: &'k str) -> Cow<'k, str> {
        (**self).pattern(pattern)
    }

    fn original<'k>(&self, key: &'k str) -> Cow<'k, str> {
        (**self).original(key)
    }

    fn before(&self, operation: &Operation<'_>) -> Step {
        (**self).before(operation)
    }

    fn after(&self, operation: &Operation<'_>, outcome: Outcome, took: Duration) {
        (**self).after(operation, outcome, took);
    }
}
