//! Setting knobs, the same code at compile time and at run time.

use super::fault::Fault;
use super::value::{EarlyPoint, Span, hits, share_number, share_text};
use super::{Early, FOREVER, Policy};

impl Policy {
    pub(super) const fn set_ttl(mut self, span: Span) -> Result<Self, Fault> {
        self.ttl = Some(span.0);
        Ok(self)
    }

    pub(super) const fn set_early(mut self, when: EarlyPoint) -> Result<Self, Fault> {
        self.early = Some(when.0);
        Ok(self)
    }

    pub(super) const fn set_soft(mut self, when: EarlyPoint) -> Result<Self, Fault> {
        if matches!(when.0, Early::Auto) {
            return Err(Fault::SoftAuto);
        }
        self.soft = Some(when.0);
        Ok(self)
    }

    pub(super) const fn set_hits(mut self, count: u32) -> Result<Self, Fault> {
        self.hits = count;
        Ok(self)
    }

    pub(super) const fn set_refresh_hits(mut self, count: u32) -> Result<Self, Fault> {
        self.refresh_hits = count;
        Ok(self)
    }

    pub(super) const fn set_jitter(mut self, share: u32) -> Result<Self, Fault> {
        // All of it would leave nothing of an entry's life.
        if share >= 1_000_000 {
            return Err(Fault::NotAShare);
        }
        self.jitter = share;
        Ok(self)
    }
}

macro_rules! finite_spans {
    ($($set:ident => $field:ident),*) => {
        impl Policy {$(
            pub(super) const fn $set(mut self, span: Span) -> Result<Self, Fault> {
                if span.0 == FOREVER {
                    return Err(Fault::ForeverNotHere);
                }
                self.$field = span.0;
                Ok(self)
            }
        )*}
    };
}

finite_spans!(
    set_stale => stale,
    set_fail_safe => fail_safe,
    set_throttle => throttle,
    set_load_limit => load_limit,
    set_timeout => timeout,
    set_hard_timeout => hard_timeout
);

impl Policy {
    pub(super) const fn set_wait(mut self, span: Span) -> Result<Self, Fault> {
        self.wait = span.0;
        Ok(self)
    }

    /// The first contradiction between knobs.
    pub(super) const fn contradiction(&self) -> Option<Fault> {
        if self.timeout != FOREVER && self.timeout >= self.hard_timeout {
            return Some(Fault::TimeoutPastHard);
        }
        if self.failover {
            let more = self.early.is_some()
                || self.soft.is_some()
                || self.stale > 0
                || self.hits > 0
                || self.refresh_hits > 0;
            return if more {
                Some(Fault::FailoverAlone)
            } else {
                None
            };
        }
        if self.refresh_hits > 0 && self.hits > 0 && self.refresh_hits >= self.hits {
            return Some(Fault::RefreshPastHits);
        }
        if self.soft.is_some() && self.stale > 0 {
            return Some(Fault::SoftAndStale);
        }
        match self.ttl {
            Some(ttl) => self.out_of_order(ttl),
            None => None,
        }
    }

    const fn out_of_order(&self, ttl: u64) -> Option<Fault> {
        if ttl == FOREVER {
            let relative = matches!(self.early, Some(Early::Share(_) | Early::Auto))
                || matches!(self.soft, Some(Early::Share(_)));
            if relative || self.stale > 0 || self.fail_safe > 0 {
                return Some(Fault::ForeverNeedsNoMore);
            }
        }
        let early = match self.early {
            Some(early) => early.age(ttl),
            None => 0,
        };
        let soft = match self.soft {
            Some(soft) => soft.age(ttl),
            None => 0,
        };
        if self.early.is_some() && early >= ttl && !matches!(self.early, Some(Early::Auto)) {
            return Some(Fault::EarlyPastTtl);
        }
        if self.soft.is_some() && soft >= ttl {
            return Some(Fault::SoftPastTtl);
        }
        let both = self.soft.is_some() && self.early.is_some();
        if both && !matches!(self.early, Some(Early::Auto)) && early >= soft {
            return Some(Fault::EarlyPastSoft);
        }
        None
    }
}

impl Early {
    /// The age it means for a ttl; the latest possible one when it is sampled.
    pub(super) const fn age(self, ttl: u64) -> u64 {
        match self {
            Self::At(age) => age,
            Self::Share(share) => (ttl as u128 * share as u128 / 1_000_000) as u64,
            Self::Auto => ttl,
        }
    }
}

/// A literal in an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Lit {
    /// `"10m"`
    Text(&'static str),
    /// `60`
    Int(i128),
    /// `0.33`
    Float(f64),
    /// A knob that stands alone.
    Flag,
}

impl Lit {
    pub(crate) const fn span(self) -> Result<Span, Fault> {
        match self {
            Self::Text(text) => Span::text(text),
            Self::Int(seconds) => Span::seconds(seconds),
            Self::Float(_) | Self::Flag => Err(Fault::NotASpan),
        }
    }

    const fn early(self) -> Result<EarlyPoint, Fault> {
        match self {
            Self::Text(text) => EarlyPoint::text(text),
            Self::Float(share) => EarlyPoint::share(share),
            Self::Int(seconds) => match Span::seconds(seconds) {
                Ok(span) => EarlyPoint::span(span),
                Err(fault) => Err(fault),
            },
            // A third, as cashews has it: late enough to be worth it, early enough for slow sources.
            Self::Flag => Ok(EarlyPoint(Early::Share(333_333))),
        }
    }

    pub(crate) const fn share(self) -> Result<u32, Fault> {
        match self {
            Self::Text(text) => share_text(text),
            Self::Float(share) => share_number(share),
            Self::Int(_) | Self::Flag => Err(Fault::NotAShare),
        }
    }

    const fn hits(self) -> Result<u32, Fault> {
        match self {
            Self::Int(count) => hits(count),
            _ => Err(Fault::NotACount),
        }
    }
}

/// The knobs of an attribute, evaluated by the compiler: a fault is a compile error at the knob.
#[derive(Clone, Copy, Debug)]
pub struct Knobs(Policy);

macro_rules! knobs {
    ($($knob:ident: $read:ident => $set:ident),* $(,)?) => {
        impl Knobs {$(
            #[track_caller]
            #[must_use]
            #[doc(hidden)]
            pub const fn $knob(self, value: Lit) -> Self {
                match value.$read() {
                    Ok(value) => self.checked(self.0.$set(value)),
                    Err(fault) => panic!("{}", fault.message()),
                }
            }
        )*}
    };
}

knobs!(
    stale: span => set_stale,
    early: early => set_early,
    soft: early => set_soft,
    fail_safe: span => set_fail_safe,
    throttle: span => set_throttle,
    hits: hits => set_hits,
    refresh_hits: hits => set_refresh_hits,
    jitter: share => set_jitter,
    wait: span => set_wait,
    load_limit: span => set_load_limit,
    timeout: span => set_timeout,
    hard_timeout: span => set_hard_timeout,
);

#[doc(hidden)]
impl Knobs {
    #[must_use]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self(Policy::new())
    }

    #[track_caller]
    #[must_use]
    pub const fn ttl(mut self, value: Lit) -> Self {
        if let Lit::Text(text) = value
            && let b"default" = text.as_bytes()
        {
            self.0.ttl = None;
            return self;
        }
        match value.span() {
            Ok(span) => self.checked(self.0.set_ttl(span)),
            Err(fault) => panic!("{}", fault.message()),
        }
    }

    /// The ttl of what is loaded each so often: twice the interval, unless another is given.
    #[track_caller]
    #[must_use]
    pub const fn __every(mut self, value: Lit) -> Self {
        if self.0.ttl.is_none()
            && let Ok(span) = value.span()
            && let Ok(policy) = self.0.set_ttl(Span(span.0.saturating_mul(2)))
        {
            self.0 = policy;
        }
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn failover(mut self, value: Lit) -> Self {
        if !matches!(value, Lit::Flag) {
            panic!("{}", Fault::NotAFlag.message());
        }
        self.0.failover = true;
        self.checked(Ok(self.0))
    }

    #[track_caller]
    #[must_use]
    pub const fn weight(mut self, value: Lit) -> Self {
        match value.hits() {
            Ok(weight) => self.0.weight = weight,
            Err(_) => panic!("a weight is a whole number from 1 to 4294967295"),
        }
        self
    }

    /// Each knob is checked against those before it, so that the error points at the one that contradicts.
    #[track_caller]
    const fn checked(self, changed: Result<Policy, Fault>) -> Self {
        let policy = match changed {
            Ok(policy) => policy,
            Err(fault) => panic!("{}", fault.message()),
        };
        if let Some(fault) = policy.contradiction() {
            panic!("{}", fault.message());
        }
        Self(policy)
    }

    #[must_use]
    pub const fn finish(self) -> Policy {
        self.0
    }

    #[must_use]
    pub const fn finish_open(self) -> Policy {
        self.0
    }
}
