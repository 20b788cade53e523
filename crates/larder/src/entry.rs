//! What the memory tier holds for a key.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::key::Key;
use crate::policy::{Deadlines, Policy, Span, Strategy, Verdict};
use crate::runtime::{Timestamp, nanos};
use crate::shim::atomic::{AtomicU32, AtomicU64, Ordering};

mod value;

pub(crate) use value::Failure;
pub use value::{Cacheable, Kind, Value};

/// The low bits of the first deadline hold the kind of the value: nobody tells 16 ns apart, and an entry stays five words.
const KIND_BITS: u64 = 0xF;

/// Instants that a store keeps as milliseconds of another clock come back so near to what they were.
const SAME: u64 = 3_000_000;

/// One entry: five words, and more behind a pointer only if its policy needs more.
///
/// A plain entry (a ttl and nothing else) is alive before `fresh_until` and gone after it.
#[derive(Clone)]
pub(crate) struct Slot {
    fresh_until: u64,
    written: u64,
    value: Value,
    extra: Option<Arc<Extra>>,
}

/// How long an entry still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// So long, until its `keep_until`.
    For(Duration),
    /// It has no end.
    Forever,
}

impl From<Option<Duration>> for Remaining {
    fn from(left: Option<Duration>) -> Self {
        left.map_or(Self::Forever, Self::For)
    }
}

/// What only some entries need.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    stale_until: u64,
    keep_until: u64,
    /// Hits so far, counted only when `hits` or `refresh_hits` is set.
    used: AtomicU32,
    hits: u32,
    refresh_hits: u32,
    /// The words of the policy that it was written under, as far as they are known.
    strategy: Strategy,
    /// Until then the entry is served although its time is over: its source failed a moment ago.
    throttled_until: AtomicU64,
    throttle: u64,
    pub(crate) tags: Box<[Key]>,
    /// The tag epoch up to which all tags are known to stand.
    pub(crate) as_of: AtomicU64,
    pub(crate) cost: u64,
    pub(crate) weight: u32,
}

/// All that decides how a value is kept.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) policy: Policy,
    pub(crate) tags: Vec<Key>,
    pub(crate) as_of: u64,
    pub(crate) cost: Duration,
    pub(crate) weight: u32,
}

/// What an entry that was kept outside the process brings back besides its value.
#[derive(Clone, Debug)]
pub(crate) struct Restored {
    pub(crate) terms: Terms,
    pub(crate) deadlines: Deadlines,
    pub(crate) written: Timestamp,
}

impl Slot {
    pub(crate) fn new(
        (kind, value): (Kind, Value),
        terms: Terms,
        now: Timestamp,
        random: u64,
    ) -> Self {
        let deadlines = terms.policy.stamp(now, terms.cost, random);
        Self {
            fresh_until: pack(deadlines.refresh_at.0, kind),
            written: now.0,
            value,
            extra: Extra::for_terms(terms, deadlines).map(Arc::new),
        }
    }

    /// An entry that was kept outside the process.
    pub(crate) fn restored((kind, value): (Kind, Value), restored: Restored) -> Self {
        let Restored {
            terms,
            deadlines,
            written,
        } = restored;
        Self {
            fresh_until: pack(deadlines.refresh_at.0, kind),
            written: written.0,
            value,
            extra: Extra::for_terms(terms, deadlines).map(Arc::new),
        }
    }

    /// The same entry for a shorter time: no deadline is later than `end`.
    pub(crate) fn capped(&self, end: Timestamp) -> Self {
        if self.keep_until() <= end {
            return self.clone();
        }
        let end = end.0 & !KIND_BITS;
        let extra = self.extra().map(|extra| {
            Arc::new(Extra {
                stale_until: extra.stale_until.min(end),
                keep_until: extra.keep_until.min(end),
                used: AtomicU32::new(extra.used.load(Ordering::Relaxed)),
                hits: extra.hits,
                refresh_hits: extra.refresh_hits,
                strategy: extra.strategy,
                throttled_until: AtomicU64::new(extra.throttled_until.load(Ordering::Relaxed)),
                throttle: extra.throttle,
                tags: extra.tags.clone(),
                as_of: AtomicU64::new(extra.as_of.load(Ordering::Acquire)),
                cost: extra.cost,
                weight: extra.weight,
            })
        });
        Self {
            fresh_until: pack(self.fresh_until().min(end), self.kind()),
            written: self.written,
            value: self.value.clone(),
            extra,
        }
    }

    /// Goes on with what an earlier read of the same entry has noted: hits, and the throttle. False when it is another entry.
    pub(crate) fn continue_as(&mut self, earlier: &Self) -> bool {
        let near = |a: u64, b: u64| a.abs_diff(b) <= SAME;
        let same = near(self.written, earlier.written);
        let lives_as_long = near(self.fresh_until(), earlier.fresh_until())
            && near(self.keep_until().0, earlier.keep_until().0);
        let (true, Some(own), Some(extra)) = (same, self.extra(), &earlier.extra) else {
            return same;
        };
        if lives_as_long {
            self.extra = Some(Arc::clone(extra));
        } else {
            own.used
                .store(extra.used.load(Ordering::Relaxed), Ordering::Relaxed);
            let until = extra.throttled_until.load(Ordering::Relaxed);
            own.throttled_until
                .store(until.min(own.keep_until), Ordering::Relaxed);
        }
        true
    }

    /// Whether what happens to it must be noted beside its bytes.
    pub(crate) fn is_noted(&self) -> bool {
        self.is_counted() || self.throttled_until() > 0
    }

    /// The budgets: hits, and hits until a reload.
    pub(crate) fn budgets(&self) -> (u32, u32) {
        self.extra()
            .map_or((0, 0), |extra| (extra.hits, extra.refresh_hits))
    }

    /// Whether `fresh_until` alone decides.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.extra.is_none()
    }

    /// Whether its hits are counted against a budget.
    #[inline]
    pub(crate) fn is_counted(&self) -> bool {
        self.extra()
            .is_some_and(|extra| extra.hits > 0 || extra.refresh_hits > 0)
    }

    #[inline]
    pub(crate) fn fresh_until(&self) -> u64 {
        self.fresh_until & !KIND_BITS
    }

    #[inline]
    pub(crate) fn extra(&self) -> Option<&Extra> {
        self.extra.as_deref()
    }

    pub(crate) fn tags(&self) -> &[Key] {
        self.extra().map_or(&[], |extra| &extra.tags)
    }

    /// The tag epoch up to which its tags are known to stand.
    pub(crate) fn as_of(&self) -> u64 {
        self.extra().map_or(0, |e| e.as_of.load(Ordering::Acquire))
    }

    pub(crate) fn written(&self) -> Timestamp {
        Timestamp(self.written)
    }

    #[cfg(feature = "memory")]
    pub(crate) fn weight(&self) -> u32 {
        self.extra().map_or(1, |extra| extra.weight.max(1))
    }

    pub(crate) fn cost(&self) -> Duration {
        Duration::from_nanos(self.extra().map_or(0, |extra| extra.cost))
    }

    /// The value as a `V`, if that is what it is.
    #[inline]
    pub(crate) fn value<V: Any + Clone>(&self) -> Option<V> {
        self.value.read(self.kind())
    }

    /// The words of the policy that it lives under. Of an entry that came from a store to a reader who knows no policy, those that its instants speak of.
    pub(crate) fn strategy(&self) -> Strategy {
        let Some(extra) = self.extra() else {
            return Strategy::TTL;
        };
        if extra.strategy.contains(Strategy::TTL) {
            return extra.strategy;
        }
        let deadlines = self.deadlines();
        let mut strategy = extra.strategy | Strategy::TTL;
        if deadlines.refresh_at < deadlines.stale_until {
            strategy = strategy | Strategy::STALE;
        }
        if deadlines.stale_until < deadlines.keep_until {
            strategy = strategy | Strategy::FAIL_SAFE;
        }
        strategy
    }

    #[inline]
    pub(crate) fn into_shared(self) -> (Kind, Value) {
        (self.kind(), self.value)
    }

    /// A kept error, if that is what it is.
    pub(crate) fn failure<F: Any>(&self) -> Option<&F> {
        self.value.as_shared()
    }

    pub(crate) fn shared(&self) -> (Kind, Value) {
        (self.kind(), self.value.clone())
    }

    #[inline]
    fn kind(&self) -> Kind {
        Kind::from_bits((self.fresh_until & KIND_BITS) as u8)
    }

    pub(crate) fn deadlines(&self) -> Deadlines {
        let fresh = self.fresh_until();
        let (stale, keep) = self
            .extra()
            .map_or((fresh, fresh), |e| (e.stale_until, e.keep_until));
        Deadlines {
            refresh_at: Timestamp(fresh),
            stale_until: Timestamp(stale),
            keep_until: Timestamp(keep),
        }
    }

    pub(crate) fn keep_until(&self) -> Timestamp {
        self.deadlines().keep_until
    }

    /// Whether it is kept for ever.
    pub(crate) fn is_endless(&self) -> bool {
        self.keep_until().0 >= u64::MAX - KIND_BITS
    }

    /// Whether it holds an error of a source, of whatever type.
    pub(crate) fn is_failure(&self) -> bool {
        self.kind().is_failure()
    }

    /// Whether it holds a value, and that is no `V`.
    pub(crate) fn is_other_than<V: Any>(&self) -> bool {
        !self.value.is::<V>(self.kind())
    }

    /// Another value in the same life, for `increment`.
    pub(crate) fn with_value(&self, (kind, value): (Kind, Value)) -> Self {
        Self {
            fresh_until: pack(self.fresh_until(), kind),
            written: self.written,
            value,
            extra: self.extra.clone(),
        }
    }

    /// Its tags are known to stand up to this epoch, for what is true from now on.
    pub(crate) fn stands_as_of(&self, epoch: u64) {
        if let Some(extra) = self.extra() {
            extra.as_of.fetch_max(epoch, Ordering::AcqRel);
        }
    }

    /// The same value with other deadlines, for `touch`.
    pub(crate) fn with_ttl(&self, ttl: u64, now: Timestamp) -> Self {
        let policy = Policy::new().ttl(Span(ttl));
        let terms = Terms {
            policy,
            tags: self.tags().to_vec(),
            as_of: self.as_of(),
            cost: self.cost(),
            weight: self.extra().map_or(0, |e| e.weight),
        };
        let slot = Self::new(self.shared(), terms, now, 0);
        Self {
            written: self.written,
            ..slot
        }
    }

    /// What to do with the entry at `now`; tags are the tag table's business.
    pub(crate) fn verdict(&self, now: Timestamp) -> Verdict {
        let verdict = self.deadlines().verdict(now);
        let Some(extra) = self.extra() else {
            return verdict;
        };
        if verdict == Verdict::Gone {
            return verdict;
        }
        let used = extra.used.load(Ordering::Relaxed);
        let verdict = if extra.hits > 0 && used >= extra.hits {
            Verdict::Reload
        } else if extra.refresh_hits > 0 && used >= extra.refresh_hits {
            verdict.max_by_need(Verdict::Refresh)
        } else {
            verdict
        };
        let throttled = now.0 < extra.throttled_until.load(Ordering::Relaxed);
        if throttled && verdict != Verdict::Fresh {
            return Verdict::Fresh;
        }
        verdict
    }

    /// Counts a hit against the budget; false when others have used it up since the verdict.
    pub(crate) fn spend(&self) -> bool {
        match self.extra() {
            Some(extra) if extra.hits > 0 || extra.refresh_hits > 0 => {
                let before = extra.used.fetch_add(1, Ordering::Relaxed);
                extra.hits == 0 || before < extra.hits || self.is_throttled(extra)
            }
            _ => true,
        }
    }

    /// A throttled entry is served past its budget: its source failed a moment ago.
    fn is_throttled(&self, extra: &Extra) -> bool {
        extra.throttled_until.load(Ordering::Relaxed) > 0
    }

    /// Until when it is served without asking its source; 0 when that never came up.
    pub(crate) fn throttled_until(&self) -> u64 {
        self.extra()
            .map_or(0, |extra| extra.throttled_until.load(Ordering::Relaxed))
    }

    pub(crate) fn used(&self) -> Option<(u32, u32)> {
        let extra = self.extra()?;
        (extra.hits > 0 || extra.refresh_hits > 0)
            .then(|| (extra.used.load(Ordering::Relaxed), extra.hits))
    }

    /// Serves the entry without asking its source until the throttle is over.
    pub(crate) fn throttle(&self, now: Timestamp) {
        if let Some(extra) = self.extra() {
            let until = now.0.saturating_add(extra.throttle).min(extra.keep_until);
            extra.throttled_until.store(until, Ordering::Relaxed);
        }
    }

    /// Whether both are one write, not only equal values.
    #[cfg(feature = "memory")]
    pub(crate) fn is_same_write(&self, other: &Self) -> bool {
        self.fresh_until == other.fresh_until
            && self.written == other.written
            && self.value.is_same(&other.value)
            && match (&self.extra, &other.extra) {
                (None, None) => true,
                (Some(a), Some(b)) => Arc::ptr_eq(a, b),
                _ => false,
            }
    }
}

impl Verdict {
    fn max_by_need(self, other: Self) -> Self {
        if self == Self::Fresh { other } else { self }
    }
}

impl Extra {
    fn for_terms(terms: Terms, deadlines: Deadlines) -> Option<Self> {
        let policy = terms.policy;
        let one_instant = deadlines.refresh_at == deadlines.keep_until;
        let needless = one_instant
            && terms.tags.is_empty()
            && terms.weight == 0
            && policy.hits == 0
            && policy.refresh_hits == 0
            && policy.early.is_none();
        if needless {
            return None;
        }
        Some(Self {
            stale_until: deadlines.stale_until.0 & !KIND_BITS,
            keep_until: deadlines.keep_until.0 & !KIND_BITS,
            hits: policy.hits,
            refresh_hits: policy.refresh_hits,
            strategy: policy.strategy(),
            // Failover promises to call the source each time, also right after a failure.
            throttle: if policy.failover { 0 } else { policy.throttle },
            tags: terms.tags.into(),
            as_of: AtomicU64::new(terms.as_of),
            cost: nanos(terms.cost),
            weight: terms.weight,
            ..Self::default()
        })
    }
}

fn pack(instant: u64, kind: Kind) -> u64 {
    (instant & !KIND_BITS) | u64::from(kind.bits())
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the value: it may be a secret.
        f.debug_struct("Slot")
            .field("deadlines", &self.deadlines())
            .field("written", &self.written)
            .field("extra", &self.extra)
            .finish_non_exhaustive()
    }
}
