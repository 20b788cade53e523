//! When a schedule runs.

use std::time::Duration;

use larder_syntax::duration::{self, DurationError};

use crate::policy::{FOREVER, Fault, IntoShare, IntoSpan, Lit};

/// How often, how exactly, and whether at once.
#[derive(Clone, Copy, Debug)]
pub struct Beat {
    /// `None`: only when it is asked for.
    every: Option<u64>,
    /// By which part, in millionths, an interval may be shorter.
    jitter: u32,
    pub(super) runs_now: bool,
    fault: Option<Fault>,
}

/// A tenth: enough that processes started together drift apart, little enough that an interval is what its name says.
const JITTER: u32 = 100_000;

#[doc(hidden)]
impl Beat {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            every: None,
            jitter: JITTER,
            runs_now: false,
            fault: None,
        }
    }

    #[must_use]
    pub fn every(mut self, span: impl IntoSpan) -> Self {
        match span.into_span() {
            Ok(span) if span.0 == FOREVER => self.fault = Some(Fault::ForeverNotHere),
            Ok(span) => self.every = Some(span.0),
            // A schedule that is configured away.
            Err(Fault::Zero) => self.every = None,
            Err(Fault::Span(why)) if why == DurationError::Zero.message() => self.every = None,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    #[must_use]
    pub fn jitter(mut self, share: impl IntoShare) -> Self {
        match share.into_share() {
            Ok(share) => self.jitter = share,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    #[must_use]
    pub(super) const fn now(mut self) -> Self {
        self.runs_now = true;
        self
    }

    /// # Errors
    /// The first knob that cannot be followed.
    pub(super) fn checked(self) -> Result<Self, Fault> {
        self.fault.map_or(Ok(self), Err)
    }

    /// The time from the beginning of a run to that of the next; `None` when nothing is scheduled.
    pub(super) fn interval(&self, random: u64) -> Option<Duration> {
        let every = self.every?;
        let share = u128::from(self.jitter) * u128::from(random >> 32) / u128::from(u32::MAX);
        let nanos = u128::from(every) * (1_000_000 - share) / 1_000_000;
        Some(Duration::from_nanos(nanos as u64))
    }

    /// The interval before jitter.
    pub(super) fn longest(&self) -> Option<Duration> {
        self.every.map(Duration::from_nanos)
    }
}

impl Default for Beat {
    fn default() -> Self {
        Self::new()
    }
}

/// The knobs of an attribute, evaluated by the compiler: a fault is a compile error at the knob.
#[derive(Clone, Copy, Debug)]
pub struct BeatKnobs(Beat);

#[doc(hidden)]
impl BeatKnobs {
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub const fn new() -> Self {
        Self(Beat::new())
    }

    #[track_caller]
    #[must_use]
    pub const fn every(mut self, value: Lit) -> Self {
        self.0.every = match interval(value) {
            Ok(every) => every,
            Err(fault) => panic!("{}", fault.message()),
        };
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn jitter(mut self, value: Lit) -> Self {
        self.0.jitter = value.part();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn run_now(mut self, value: Lit) -> Self {
        value.flag();
        self.0.runs_now = true;
        self
    }

    #[must_use]
    pub const fn finish(self) -> Beat {
        self.0
    }
}

/// An interval; `None` for zero.
const fn interval(value: Lit) -> Result<Option<u64>, Fault> {
    let span = match value {
        Lit::Text(text) => match duration::parse(text) {
            Err(DurationError::Zero) => return Ok(None),
            Err(error) => return Err(Fault::Span(error.message())),
            Ok(span) => span,
        },
        other => match other.span() {
            Err(Fault::Zero) => return Ok(None),
            Err(fault) => return Err(fault),
            Ok(span) => span.0,
        },
    };
    if span == FOREVER {
        return Err(Fault::ForeverNotHere);
    }
    Ok(Some(span))
}
