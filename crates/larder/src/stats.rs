//! Lock-free counters, striped so that a hit touches a line that no other thread writes.

use std::cell::Cell;
use std::time::Duration;

use parking_lot::Mutex;

use crate::shim::atomic::{AtomicU64, Ordering};
use crate::shim::thread_local;

mod site;
mod templates;

pub use site::{FunctionStats, Site};
pub use templates::TemplateStats;
pub(crate) use templates::Templates;

/// What is counted. The order is the order of the counters in memory: what a hit counts comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Fresh,
    Refresh,
    Negative,
    Misses,
    Loads,
    LoadNanos,
    LoadFailures,
    Coalesced,
    Saved,
    Superseded,
    Stored,
    Evicted,
    Expired,
    Invalidated,
    RefreshesRefused,
    WrongType,
    StoreHits,
    StoreFailures,
    Unreadable,
    Refused,
    RuledOut,
    TimedOut,
    NotModified,
    Committed,
    RolledBack,
}

const COUNTERS: usize = 25;
const STRIPES: usize = 16;

/// One thread's counters, apart from the lines of all others.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe([AtomicU64; COUNTERS]);

/// Counters that many threads add to at the price of a plain add.
#[derive(Debug)]
pub(crate) struct Counters {
    stripes: [Stripe; STRIPES],
    /// For threads beyond the number of stripes.
    shared: Stripe,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            stripes: [const { Stripe([const { AtomicU64::new(0) }; COUNTERS]) }; STRIPES],
            shared: Stripe([const { AtomicU64::new(0) }; COUNTERS]),
        }
    }

    #[inline]
    pub(crate) fn add(&self, counter: Counter, n: u64) {
        match self.stripes.get(seat()) {
            // Only the thread in this seat writes here, so load and store need not be one step.
            Some(stripe) => {
                let cell = &stripe.0[counter as usize];
                cell.store(
                    cell.load(Ordering::Relaxed).wrapping_add(n),
                    Ordering::Relaxed,
                );
            }
            None => {
                self.shared.0[counter as usize].fetch_add(n, Ordering::Relaxed);
            }
        }
    }

    fn sum(&self, counter: Counter) -> u64 {
        self.stripes
            .iter()
            .chain([&self.shared])
            .map(|stripe| stripe.0[counter as usize].load(Ordering::Relaxed))
            .fold(0, u64::wrapping_add)
    }

    pub(crate) fn read(&self) -> Stats {
        Stats {
            fresh: self.sum(Counter::Fresh),
            refresh: self.sum(Counter::Refresh),
            negative: self.sum(Counter::Negative),
            misses: self.sum(Counter::Misses),
            loads: self.sum(Counter::Loads),
            load_time: Duration::from_nanos(self.sum(Counter::LoadNanos)),
            load_failures: self.sum(Counter::LoadFailures),
            coalesced: self.sum(Counter::Coalesced),
            saved: self.sum(Counter::Saved),
            superseded: self.sum(Counter::Superseded),
            stored: self.sum(Counter::Stored),
            evicted: self.sum(Counter::Evicted),
            expired: self.sum(Counter::Expired),
            invalidated: self.sum(Counter::Invalidated),
            refreshes_refused: self.sum(Counter::RefreshesRefused),
            wrong_type: self.sum(Counter::WrongType),
            store_hits: self.sum(Counter::StoreHits),
            store_failures: self.sum(Counter::StoreFailures),
            unreadable: self.sum(Counter::Unreadable),
            refused: self.sum(Counter::Refused),
            ruled_out: self.sum(Counter::RuledOut),
            timed_out: self.sum(Counter::TimedOut),
            not_modified: self.sum(Counter::NotModified),
            committed: self.sum(Counter::Committed),
            rolled_back: self.sum(Counter::RolledBack),
        }
    }
}

const UNSEATED: usize = usize::MAX;

thread_local! {
    static SEAT: Cell<usize> = const { Cell::new(UNSEATED) };
    static LEAVE: Leave = const { Leave(Cell::new(UNSEATED)) };
}

/// Seats that threads have left. Giving one on through the lock orders the leaver's writes before the next one's.
static FREE: Mutex<(usize, Vec<usize>)> = Mutex::new((0, Vec::new()));

/// Gives its thread's seat back.
struct Leave(Cell<usize>);

impl Drop for Leave {
    fn drop(&mut self) {
        // What this thread still counts after this goes to the shared stripe.
        let _ = SEAT.try_with(|seat| seat.set(STRIPES));
        let seat = self.0.get();
        if seat < STRIPES {
            FREE.lock().1.push(seat);
        }
    }
}

/// This thread's own stripe; past the last one when there are more threads than stripes.
#[inline]
fn seat() -> usize {
    let seat = SEAT.with(Cell::get);
    if seat == UNSEATED { take_seat() } else { seat }
}

#[cold]
fn take_seat() -> usize {
    // Registers the destructor that gives the seat back; while a thread ends there is none to register.
    let take = |leave: &Leave| {
        let mut free = FREE.lock();
        let seat = free.1.pop().unwrap_or_else(|| {
            let next = free.0.min(STRIPES);
            free.0 = (next + 1).min(STRIPES);
            next
        });
        leave.0.set(seat);
        seat
    };
    let seat = LEAVE.try_with(take).unwrap_or(STRIPES);
    SEAT.with(|own| own.set(seat));
    seat
}

/// Counts since the cache, or the function, was first used.
///
/// Each number is exact; together they are read one after the other, so they may be a few calls apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Hits of fresh entries.
    pub fresh: u64,
    /// Hits that served an entry while it was being reloaded behind.
    pub refresh: u64,
    /// Hits of kept errors (`errors = ..`).
    pub negative: u64,
    /// Calls that found nothing to serve in memory.
    pub misses: u64,
    /// Calls of the source that came back, well or not.
    pub loads: u64,
    /// Time spent in those.
    pub load_time: Duration,
    /// Calls of the source that failed.
    pub load_failures: u64,
    /// Misses that were served by another's load.
    pub coalesced: u64,
    /// Failures that a kept entry stood in for.
    pub saved: u64,
    /// Values that were not stored because an invalidation came while they were computed.
    pub superseded: u64,
    /// Entries written.
    pub stored: u64,
    /// Entries that gave way to others.
    pub evicted: u64,
    /// Entries removed because their time was over.
    pub expired: u64,
    /// Entries removed by key, prefix, pattern or all. Entries under a forgotten tag are not counted: nobody looks for them.
    pub invalidated: u64,
    /// Reloads behind that were not started because too many were under way.
    pub refreshes_refused: u64,
    /// Reads that found a value of another type.
    pub wrong_type: u64,
    /// Misses of the memory tier that were served from a store.
    pub store_hits: u64,
    /// Operations of a store that failed or took too long; the call went on without it.
    pub store_failures: u64,
    /// Entries in a store that could not be read: foreign, broken, of another type, not sealed as due.
    pub unreadable: u64,
    /// Calls that a guard did not let through. Of a cache only.
    pub refused: u64,
    /// Calls that a Bloom filter answered: what was asked for is certainly not there.
    pub ruled_out: u64,
    /// Calls that `timeout` or `hard_timeout` kept from waiting longer for their load.
    pub timed_out: u64,
    /// Loads whose source said that what is kept is still true.
    pub not_modified: u64,
    /// Transactions that were committed; those inside others are not counted. Of a cache only.
    pub committed: u64,
    /// Transactions that were rolled back, or whose commit failed. Of a cache only.
    pub rolled_back: u64,
}

impl Stats {
    /// What was counted since an earlier reading.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        self.each(earlier, u64::saturating_sub, Duration::saturating_sub)
    }

    /// Both together.
    pub(crate) fn and(&self, other: &Self) -> Self {
        self.each(other, u64::saturating_add, Duration::saturating_add)
    }

    fn each(
        &self,
        other: &Self,
        count: impl Fn(u64, u64) -> u64,
        time: impl Fn(Duration, Duration) -> Duration,
    ) -> Self {
        macro_rules! counts {
            ($($field:ident),*) => {
                Self {
                    load_time: time(self.load_time, other.load_time),
                    $($field: count(self.$field, other.$field)),*
                }
            };
        }
        counts!(
            fresh,
            refresh,
            negative,
            misses,
            loads,
            load_failures,
            coalesced,
            saved,
            superseded,
            stored,
            evicted,
            expired,
            invalidated,
            refreshes_refused,
            wrong_type,
            store_hits,
            store_failures,
            unreadable,
            refused,
            ruled_out,
            timed_out,
            not_modified,
            committed,
            rolled_back
        )
    }

    /// All calls that were served from an entry, in memory or in a store.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.fresh + self.refresh + self.negative + self.store_hits
    }

    /// Hits as a share of all calls, `None` before the first call.
    #[must_use]
    pub fn hit_rate(&self) -> Option<f64> {
        let calls = self.fresh + self.refresh + self.negative + self.misses;
        (calls > 0).then(|| self.hits() as f64 / calls as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_more_threads_than_stripes_add_up() {
        static COUNTERS: Counters = Counters::new();
        let threads: Vec<_> = (0..40)
            .map(|_| {
                std::thread::spawn(|| {
                    for _ in 0..1_000 {
                        COUNTERS.add(Counter::Fresh, 1);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(COUNTERS.read().fresh, 40_000);
        assert_eq!(COUNTERS.read().hits(), 40_000);
    }
}
