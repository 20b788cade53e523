//! Freshness knobs as plain data, and the timeline that they stamp.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

mod fault;
mod knobs;
mod stamp;
mod strategy;
mod value;

pub use fault::Fault;
pub use knobs::{Knobs, Lit};
pub use stamp::{Deadlines, Verdict};
pub use strategy::Strategy;
pub use value::{EarlyPoint, IntoEarly, IntoHits, IntoShare, IntoSpan, Span};

/// Never: the span of `"forever"`.
pub(crate) const FOREVER: u64 = u64::MAX;

/// When an entry's reload starts behind its readers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Early {
    /// At this age, in nanoseconds.
    At(u64),
    /// At this share of the ttl, in parts per million.
    Share(u32),
    /// At the ttl less a sampled multiple of what the value cost to make.
    Auto,
}

/// Every freshness knob a user can turn, as plain data.
///
/// The same names stand in attributes, in code and in configuration; only `timeout` and `weight` are `load_timeout` and `entry_weight` there, because stores and memory have
/// settings of these names. Knobs compose; contradictions
/// and absurd values are kept and reported by [`check`](Self::check) and by every operation that is given the policy.
///
/// ```
/// use std::time::Duration;
/// let policy = larder::Policy::new().ttl("10m").stale("1h").jitter("10%");
/// assert!(policy.check().is_ok());
/// assert!(larder::Policy::new().ttl("1m").soft(Duration::from_secs(90)).check().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    pub(crate) ttl: Option<u64>,
    pub(crate) stale: u64,
    pub(crate) early: Option<Early>,
    pub(crate) soft: Option<Early>,
    pub(crate) fail_safe: u64,
    pub(crate) throttle: u64,
    pub(crate) failover: bool,
    pub(crate) hits: u32,
    pub(crate) refresh_hits: u32,
    /// Parts per million.
    pub(crate) jitter: u32,
    pub(crate) wait: u64,
    pub(crate) load_limit: u64,
    /// `FOREVER`: none.
    pub(crate) timeout: u64,
    pub(crate) hard_timeout: u64,
    pub(crate) weight: u32,
    fault: Option<Fault>,
}

impl Policy {
    /// A policy that says nothing: a cache's defaults, or the caller, must give a ttl.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ttl: None,
            stale: 0,
            early: None,
            soft: None,
            fail_safe: 0,
            throttle: 10_000_000_000,
            failover: false,
            hits: 0,
            refresh_hits: 0,
            jitter: 0,
            wait: 30_000_000_000,
            load_limit: 60_000_000_000,
            timeout: FOREVER,
            hard_timeout: FOREVER,
            weight: 0,
            fault: None,
        }
    }

    /// How long an entry is fresh: text (`"1h30m"`, `"forever"`), whole seconds, or a [`Duration`].
    #[must_use]
    pub fn ttl(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_ttl(s)))
    }

    /// For how long past its ttl an entry is still served while a reload runs behind (stale-while-revalidate, RFC 5861). Default: not at all. Not together with `soft`.
    #[must_use]
    pub fn stale(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_stale(s)))
    }

    /// From which age on a reload starts behind the readers, while the entry is still fresh. Default: never.
    ///
    /// A span, a share of the ttl (`0.33`), or `"auto"`: the age is sampled per entry as
    /// `ttl - cost * -ln(u)` with the measured cost of the value and `u` uniform in (0, 1], the exponential
    /// rule of Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015.
    #[must_use]
    pub fn early(self, when: impl IntoEarly) -> Self {
        self.with(when.into_early().and_then(|e| self.set_early(e)))
    }

    /// From which age on a call reloads in the foreground and falls back to the kept value if that fails; a span or a share of the ttl. Default: never. Not together with `stale`.
    #[must_use]
    pub fn soft(self, when: impl IntoEarly) -> Self {
        self.with(when.into_early().and_then(|e| self.set_soft(e)))
    }

    /// For how long past its ttl an entry is kept for the case that its source fails. Default: not past the ttl.
    #[must_use]
    pub fn fail_safe(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_fail_safe(s)))
    }

    /// For how long a saved entry is served without asking a source that just failed. Default 10 s.
    #[must_use]
    pub fn throttle(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_throttle(s)))
    }

    /// Call the source each time and keep its last good value for when it fails: for `ttl`, and for `fail_safe` longer. Default: off. Not together with `early`, `soft`,
    /// `stale`, `hits`, `refresh_hits`.
    #[must_use]
    pub fn failover(mut self) -> Self {
        self.failover = true;
        self
    }

    /// After how many hits an entry is used up and the next call loads. Default: no bound.
    #[must_use]
    pub fn hits(self, count: impl IntoHits) -> Self {
        self.with(count.into_hits().and_then(|n| self.set_hits(n)))
    }

    /// After how many hits a reload starts behind the readers; smaller than `hits`. Default: no bound.
    #[must_use]
    pub fn refresh_hits(self, count: impl IntoHits) -> Self {
        self.with(count.into_hits().and_then(|n| self.set_refresh_hits(n)))
    }

    /// By how much the life of an entry is shortened at random, so that entries written together do not expire together: `"10%"` or `0.1`, less than 100 %. Default: not.
    ///
    /// One factor in `[1 - jitter, 1]` scales all deadlines; nothing lives longer than was asked.
    #[must_use]
    pub fn jitter(self, share: impl IntoShare) -> Self {
        self.with(share.into_share().and_then(|s| self.set_jitter(s)))
    }

    /// How long a call waits for another's load of the same key before it asks the source itself. Default 30 s.
    #[must_use]
    pub fn wait(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_wait(s)))
    }

    /// How long a background load may take before it is given up. Default 60 s.
    #[must_use]
    pub fn load_limit(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_load_limit(s)))
    }

    /// How long a call waits for a load while a kept entry could stand in. Then it is given that entry, and the load finishes behind. Default: for as long as the load takes.
    ///
    /// Counted from the miss. Without a kept entry (`fail_safe`, `soft`, `failover`) it does nothing; the entry that stood in is throttled, as after a failure. What
    /// the load brings is stored under its own lease: never over an invalidation.
    #[must_use]
    pub fn timeout(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_timeout(s)))
    }

    /// How long a call waits for a load at all. Then it is given the kept entry, or [`Refused`](crate::Refused) with
    /// [`Reason::TimedOut`](crate::Reason::TimedOut). Default: for as long as the load takes.
    ///
    /// The load finishes behind if its source owns its arguments, else it is dropped. Longer than [`timeout`](Self::timeout).
    #[must_use]
    pub fn hard_timeout(self, span: impl IntoSpan) -> Self {
        self.with(span.into_span().and_then(|s| self.set_hard_timeout(s)))
    }

    /// What an entry weighs in a cache that is bounded by weight; 0 asks the cache's weigher.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// The policy itself, or what is wrong with it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidPolicy`] for a value out of range or a contradiction.
    pub fn check(self) -> Result<Self> {
        match self.fault() {
            None => Ok(self),
            Some(fault) => Err(Error::new(
                ErrorKind::InvalidPolicy,
                "policy",
                fault.message(),
            )),
        }
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault.or(self.contradiction())
    }

    /// The ttl as a span, `None` when the policy has none or it is endless.
    #[must_use]
    pub fn time_to_live(&self) -> Option<Duration> {
        self.ttl.filter(|t| *t != FOREVER).map(Duration::from_nanos)
    }

    /// The longest that an entry under this policy can be kept; `None` when that is for ever or depends on the value.
    pub(crate) fn longest_life(&self) -> Option<Duration> {
        let ttl = self.ttl.filter(|ttl| *ttl != FOREVER)?;
        let longest = ttl.saturating_add(self.stale.max(self.fail_safe));
        (longest != FOREVER).then(|| Duration::from_nanos(longest))
    }

    /// This policy where it says something, `defaults` where it does not.
    #[must_use]
    pub(crate) fn or(self, defaults: &Self) -> Self {
        if self.ttl.is_none() && defaults.ttl.is_some() {
            let mut policy = *defaults;
            policy.overlay(&self);
            return policy;
        }
        self
    }

    /// This policy where it says something, `base` where it does not.
    #[must_use]
    pub(crate) fn over(self, mut base: Self) -> Self {
        base.ttl = self.ttl.or(base.ttl);
        base.overlay(&self);
        base
    }

    fn overlay(&mut self, over: &Self) {
        const PLAIN: Policy = Policy::new();
        macro_rules! said {
            ($($field:ident),*) => {$(
                if over.$field != PLAIN.$field {
                    self.$field = over.$field;
                }
            )*};
        }
        said!(
            stale,
            early,
            soft,
            fail_safe,
            throttle,
            failover,
            hits,
            refresh_hits,
            jitter,
            wait
        );
        said!(load_limit, timeout, hard_timeout, weight, fault);
    }

    fn with(self, changed: Result<Self, Fault>) -> Self {
        match changed {
            Ok(policy) => policy,
            Err(fault) => Self {
                fault: self.fault.or(Some(fault)),
                ..self
            },
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
