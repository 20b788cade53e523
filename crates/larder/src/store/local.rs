//! What stores on the disks of this machine share: threads that may block, and the answers that futures wait for.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Life;
use crate::error::{Error, ErrorKind};

mod answer;
mod owned;
mod queue;
mod threads;

pub(crate) use answer::{Promise, answer};
pub(crate) use owned::{Asked, Filling, Touching, Writing};
pub(crate) use queue::{Popped, Queue};
pub(crate) use threads::{Threads, unwinding};

/// Later than every instant.
pub(crate) const NEVER: i64 = i64::MAX;

/// The present, in milliseconds since 1970-01-01 UTC: processes share no other clock.
pub(crate) fn wall() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(NEVER)
}

/// What no fencing number is below, so that numbers grow also when the last one was lost: the time of day in microseconds, as in the script for Redis.
pub(crate) fn fence_floor() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(0)
}

/// When something ends that lives for so long from `now` on; a part of a millisecond counts as one.
pub(crate) fn end(now: i64, life: Life) -> i64 {
    let Some(life) = life else { return NEVER };
    let millis = i64::try_from(life.as_nanos().div_ceil(1_000_000)).unwrap_or(NEVER);
    now.saturating_add(millis)
}

/// What is left of a life that ends then.
pub(crate) fn left(end: i64, now: i64) -> Life {
    (end != NEVER).then(|| Duration::from_millis(u64::try_from(end - now).unwrap_or(0)))
}

/// A number that is never 0 and, by all odds, never comes again in any process.
pub(crate) fn unique() -> u64 {
    loop {
        // The keys of each state are drawn by the operating system per thread and then counted up.
        let number = RandomState::new().hash_one(SystemTime::now());
        if number != 0 {
            return number;
        }
    }
}

/// Why something could not be done; one failure may answer several operations.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }

    /// The error of one operation.
    pub(crate) fn of(self, operation: &'static str, store: &str) -> Error {
        match self.kind {
            ErrorKind::Unavailable => Error::unavailable(operation, store, self.text),
            ErrorKind::Store => Error::store(operation, store, self.text),
            kind => Error::new(kind, operation, format!("{store}: {}", self.text)),
        }
    }

    /// The store is closed, or its thread is gone.
    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the store is closed")
    }
}
