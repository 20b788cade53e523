//! What happened, and who is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::codec::Unreadable;
use crate::error::Error;
use crate::guard::{CircuitState, Outage, Refused};
use crate::middleware::Action;
use crate::policy::{Fault, Verdict};
use crate::selector::Selector;
use crate::store::Notice;
use crate::warmed::Warmed;

/// Something that happened in a cache.
///
/// Borrowed and built only when there is an observer. It carries keys, never values: whole ones, with the cache's prefix, unless a field says otherwise. A
/// [`Selector`](crate::Selector) is without it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// An entry was served.
    Hit {
        /// Its key.
        key: &'a str,
        /// `Fresh` or `Refresh`.
        verdict: Verdict,
        /// Time since it was written.
        age: Duration,
    },
    /// Nothing could be served.
    Miss {
        /// The key asked for.
        key: &'a str,
    },
    /// The source came back with a value.
    Loaded {
        /// The key it was for.
        key: &'a str,
        /// How long it took.
        took: Duration,
    },
    /// The source failed.
    LoadFailed {
        /// The key it was for.
        key: &'a str,
        /// How long it took.
        took: Duration,
    },
    /// An entry was written.
    Stored {
        /// Its key.
        key: &'a str,
    },
    /// A value was not stored: its key, a tag, a prefix or the cache was invalidated while it was computed.
    Superseded {
        /// The key it was for.
        key: &'a str,
    },
    /// The source failed and a kept entry was served.
    Saved {
        /// Its key.
        key: &'a str,
        /// Time since it was written.
        age: Duration,
    },
    /// The source said that what is kept is still true; the entry is renewed.
    NotModified {
        /// Its key.
        key: &'a str,
    },
    /// A call no longer waits for a load: a kept entry is served (`Saved`), the call is refused (`Refused`), or, where neither can be, it waits on.
    TimedOut {
        /// Its key.
        key: &'a str,
        /// For how long it has waited: `timeout` or `hard_timeout`.
        limit: Duration,
    },
    /// An entry gave way to others, or was too heavy to be let in.
    Evicted {
        /// Its key.
        key: &'a str,
    },
    /// An entry's time was over.
    Expired {
        /// Its key.
        key: &'a str,
    },
    /// Entries were removed.
    Invalidated {
        /// Which ones were meant.
        selector: &'a Selector,
    },
    /// A reload behind could not start: too many are under way.
    RefreshRefused {
        /// The key that stays as it is.
        key: &'a str,
    },
    /// A reload behind ended without a value: it failed, panicked, was dropped or took too long.
    RefreshFailed {
        /// The key that stays as it is.
        key: &'a str,
    },
    /// A call gave up waiting for another's load and asked the source itself.
    WaitedTooLong {
        /// The key.
        key: &'a str,
    },
    /// A source asked for its own key, directly or in a circle; the inner call went to the source without the cache.
    Recursion {
        /// The key.
        key: &'a str,
    },
    /// The entry holds a value of another type; the read was a miss.
    WrongType {
        /// The key.
        key: &'a str,
    },
    /// A policy given at run time cannot be followed; the value was returned and not stored.
    BadPolicy {
        /// The key.
        key: &'a str,
        /// What is wrong with it.
        fault: Fault,
    },
    /// An entry was served from a store.
    StoreHit {
        /// Its key.
        key: &'a str,
        /// The store.
        store: &'a str,
        /// `Fresh` or `Refresh`.
        verdict: Verdict,
    },
    /// An operation of a store failed or took too long. A cached function went on without it; a direct operation has returned the error too.
    StoreFailed {
        /// The first of the keys that it was for; empty when it was for none.
        key: &'a str,
        /// The store.
        store: &'a str,
        /// What went wrong.
        error: &'a Error,
    },
    /// Bytes in a store could not be read as an entry; the read was a miss.
    Unreadable {
        /// The key.
        key: &'a str,
        /// The store.
        store: &'a str,
        /// Why.
        why: Unreadable,
    },
    /// Something befell a store: its breaker opened or closed, a removal that did not reach it was remembered, applied or lost.
    StoreNotice {
        /// The store.
        store: &'a str,
        /// What befell it.
        notice: &'a Notice<'a>,
    },
    /// What is allowed and risky in the cache's configuration; told once, when it is built, or when a schedule is started that it concerns.
    Advice {
        /// What it is about; stays the same from release to release.
        id: &'static str,
        /// What can happen, and what to do.
        message: &'a str,
    },
    /// A guard did not let a call through.
    Refused {
        /// What the call was counted under.
        key: &'a str,
        /// The refusal.
        refused: &'a Refused,
    },
    /// A guard could not ask its store.
    GuardFailed {
        /// What the call was counted under.
        key: &'a str,
        /// The guard, as its attribute is called.
        guard: &'a str,
        /// What went wrong.
        error: &'a Error,
        /// What the guard did instead.
        outage: Outage,
    },
    /// A Bloom filter answered for the function: what was asked for is certainly not there, and the source was not called.
    RuledOut {
        /// What was asked for: the cache's prefix, `bloom:` and the key of the attribute.
        key: &'a str,
    },
    /// A Bloom filter was asked before it was ready, and lets calls through. Told once by each process, and again after an hour without a call.
    FilterNotReady {
        /// The filter, as its bits are called in the store.
        key: &'a str,
    },
    /// A Bloom filter holds more keys than it was made for: "maybe" comes more often than was said. Told once by each process, to whoever adds, and again after an hour without use, or a day in the process that fills it.
    FilterFull {
        /// The filter, as its bits are called in the store.
        key: &'a str,
        /// How many keys it was made for.
        capacity: u64,
        /// About how many it holds.
        holds: u64,
    },
    /// A call took much longer than those before it: further ones are refused for a while.
    SlowCall {
        /// What the call was counted under.
        key: &'a str,
        /// How long it took.
        took: Duration,
        /// The mean of those before it.
        usual: Duration,
        /// For how long calls are refused.
        rest: Duration,
    },
    /// A lock was lost while a body ran under it: its store has forgotten it, or its time was over before it could be renewed. An async body is stopped.
    LockLost {
        /// The lock.
        key: &'a str,
        /// The fencing number that the body has.
        fence: u64,
    },
    /// A body ran past the deadline of its lock, and goes on without it.
    LockOverrun {
        /// The lock.
        key: &'a str,
        /// The fencing number that the body has.
        fence: u64,
    },
    /// A circuit has turned. Of a shared one each process tells what it sees.
    CircuitChanged {
        /// The circuit.
        key: &'a str,
        /// What it was.
        from: CircuitState,
        /// What it is.
        to: CircuitState,
    },
    /// A scheduled run came to nothing: its source failed, panicked, took too long or was dropped. What is kept stays.
    RunFailed {
        /// The key that it was for.
        key: &'a str,
        /// How many have failed since the last one that did not.
        in_a_row: u64,
    },
    /// From now on this process writes a key on a schedule, and the others that would stand by.
    Writing {
        /// The key.
        key: &'a str,
    },
    /// Another process writes a key on a schedule; this one takes over when that one ends.
    StandingBy {
        /// The key.
        key: &'a str,
    },
    /// A warming ended, or was dropped.
    Warmed {
        /// The function, by path.
        function: &'a str,
        /// How it went.
        warmed: &'a Warmed,
    },
    /// Something has happened that rules speak of, and they were applied.
    Happened {
        /// The event.
        name: &'a str,
        /// How many rules spoke of it.
        rules: usize,
        /// How many live entries were forgotten.
        forgotten: usize,
    },
    /// Middleware has left an operation out.
    LeftOut {
        /// The key, without the cache's prefix; empty when several were meant.
        key: &'a str,
        /// What was to be done.
        action: Action,
        /// The middleware.
        by: &'a str,
    },
    /// What a stream or an iterator yielded was not kept.
    NotRecorded {
        /// The key.
        key: &'a str,
        /// Why.
        why: Unrecorded,
    },
    /// A transaction was committed: what it changed is there for everybody.
    Committed {
        /// How many keys and selectors it changed.
        changes: usize,
    },
    /// A transaction changed nothing: its body failed, panicked, was dropped or took too long, or it lost a lock.
    RolledBack {
        /// How many keys and selectors it would have changed.
        changes: usize,
        /// Why, if the body did not decide it itself.
        error: Option<&'a Error>,
    },
    /// A commit went wrong half way. The keys that it would have written are forgotten, as far as the store can be reached.
    CommitFailed {
        /// How many keys and selectors the transaction changed.
        changes: usize,
        /// What went wrong.
        error: &'a Error,
    },
    /// A value was kept in this process only: its type cannot be turned into bytes, or it could not.
    StayedLocal {
        /// The key.
        key: &'a str,
        /// Its type.
        type_name: &'static str,
    },
}

/// Why a recording is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unrecorded {
    /// It yielded an error.
    Failed,
    /// It was not read to its end.
    Dropped,
    /// There is more of it than may be kept.
    TooLong,
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hit { key, verdict, age } => write!(f, "hit `{key}`: {verdict:?}, {age:?} old"),
            Self::Miss { key } => write!(f, "miss `{key}`"),
            Self::Loaded { key, took } => write!(f, "loaded `{key}` in {took:?}"),
            Self::LoadFailed { key, took } => write!(f, "load of `{key}` failed after {took:?}"),
            Self::Stored { key } => write!(f, "stored `{key}`"),
            Self::Superseded { key } => {
                write!(
                    f,
                    "did not store `{key}`: invalidated while it was computed"
                )
            }
            Self::Saved { key, age } => {
                write!(
                    f,
                    "load of `{key}` failed, served the entry kept, {age:?} old"
                )
            }
            Self::NotModified { key } => write!(f, "what is kept of `{key}` is still true"),
            Self::TimedOut { key, limit } => {
                write!(f, "load of `{key}` takes longer than {limit:?}")
            }
            Self::Evicted { key } => write!(f, "evicted `{key}`"),
            Self::Expired { key } => write!(f, "expired `{key}`"),
            Self::Invalidated { selector } => write!(f, "invalidated {selector:?}"),
            Self::RefreshRefused { key } => {
                write!(
                    f,
                    "did not reload `{key}` behind: too many loads run, see `background_loads`"
                )
            }
            Self::RefreshFailed { key } => write!(
                f,
                "reload of `{key}` behind gave no value; what is kept stays"
            ),
            Self::WaitedTooLong { key } => {
                write!(f, "waited too long for another's load of `{key}`")
            }
            Self::Recursion { key } => write!(
                f,
                "the source of `{key}` asked for it: the inner call went past the cache"
            ),
            Self::WrongType { key } => write!(f, "`{key}` holds a value of another type"),
            Self::StoreHit {
                key,
                store,
                verdict,
            } => {
                write!(f, "hit `{key}` in {store}: {verdict:?}")
            }
            Self::StoreFailed { key, store, error } => match key.is_empty() {
                true => write!(f, "{store} failed: {error}"),
                false => write!(f, "{store} failed for `{key}`: {error}"),
            },
            Self::Unreadable { key, store, why } => {
                write!(f, "the entry of `{key}` in {store} cannot be read: {why}")
            }
            Self::StoreNotice { store, notice } => write!(f, "{store}: {notice}"),
            Self::Advice { id, message } => write!(f, "{message} [{id}]"),
            Self::Refused { refused, .. } => write!(f, "refused: {refused}"),
            Self::GuardFailed {
                key,
                guard,
                error,
                outage,
            } => {
                let then = match outage {
                    Outage::Open => "let the call through",
                    Outage::Closed => "refused the call",
                };
                write!(
                    f,
                    "{guard} of `{key}` could not ask its store and {then}: {error}"
                )
            }
            Self::RuledOut { key } => {
                write!(f, "answered `{key}` without a call: certainly not there")
            }
            Self::FilterNotReady { key } => write!(
                f,
                "the filter `{key}` lets calls through: add all keys to it, then say `ready`"
            ),
            Self::FilterFull {
                key,
                capacity,
                holds,
            } => write!(
                f,
                "the filter `{key}` holds about {holds} keys and was made for {capacity}: give it a greater capacity"
            ),
            Self::SlowCall {
                key,
                took,
                usual,
                rest,
            } => {
                write!(
                    f,
                    "a call of `{key}` took {took:?}, and {usual:?} was usual: further ones are refused for {rest:?}"
                )
            }
            Self::LockLost { key, fence } => {
                write!(
                    f,
                    "lost the lock `{key}` (fence {fence}) while its body ran"
                )
            }
            Self::LockOverrun { key, fence } => {
                write!(
                    f,
                    "the body under the lock `{key}` (fence {fence}) ran past its deadline"
                )
            }
            Self::CircuitChanged { key, from, to } => {
                write!(f, "the circuit `{key}` was {from} and is {to}")
            }
            Self::RunFailed { key, in_a_row } => {
                write!(
                    f,
                    "scheduled run of `{key}` came to nothing, {in_a_row} in a row"
                )
            }
            Self::Writing { key } => write!(f, "this process writes `{key}` on its schedule"),
            Self::StandingBy { key } => {
                write!(f, "another process writes `{key}` on its schedule")
            }
            Self::Warmed { function, warmed } => write!(f, "warmed `{function}`: {warmed}"),
            Self::Happened {
                name,
                rules,
                forgotten,
            } => write!(
                f,
                "{name} happened: {rules} rules, {forgotten} entries forgotten"
            ),
            Self::LeftOut { key, action, by } => write!(f, "{by} left out the {action} of `{key}`"),
            Self::NotRecorded { key, why } => {
                let why = match why {
                    Unrecorded::Failed => "it yielded an error",
                    Unrecorded::Dropped => "it was not read to its end",
                    Unrecorded::TooLong => "there is more of it than may be kept",
                };
                write!(f, "did not keep what `{key}` yielded: {why}")
            }
            Self::Committed { changes } => write!(f, "committed {changes} changes"),
            Self::RolledBack { changes, error } => {
                write!(f, "rolled {changes} changes back")?;
                error.map_or(Ok(()), |error| write!(f, ": {error}"))
            }
            Self::CommitFailed { changes, error } => {
                write!(
                    f,
                    "a commit of {changes} changes went wrong half way: {error}"
                )
            }
            Self::StayedLocal { key, type_name } => {
                write!(
                    f,
                    "kept `{key}` in this process only: `{type_name}` cannot be turned into bytes; derive serde's traits for it, or say `local`"
                )
            }
            Self::BadPolicy { key, fault } => {
                write!(f, "did not store `{key}`: {}", fault.message())
            }
        }
    }
}

/// Is told what happens in a cache.
///
/// # Contract
/// Called on the thread where it happened, never under a lock, after the fact. It must not block and must not panic.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// All who are told.
#[derive(Clone, Default)]
pub(crate) struct Observers(pub(crate) Vec<Arc<dyn Observer>>);

impl Observers {
    #[inline]
    pub(crate) fn are_any(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
