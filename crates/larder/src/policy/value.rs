//! What a knob may be given at run time.

use std::time::Duration;

use larder_syntax::{duration, percent};

use super::fault::Fault;
use super::{Early, FOREVER};

/// The longest span that is not a slip: 100 years.
const LONGEST: u64 = duration::LONGEST;

/// A checked span of time, or forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub(crate) u64);

impl Span {
    pub(crate) const fn text(text: &str) -> Result<Self, Fault> {
        match duration::parse(text) {
            Ok(nanos) => Ok(Self(nanos)),
            Err(error) => Err(Fault::Span(error.message())),
        }
    }

    pub(crate) const fn seconds(seconds: i128) -> Result<Self, Fault> {
        if seconds == 0 {
            Err(Fault::Zero)
        } else if seconds < 0 {
            Err(Fault::Negative)
        } else if seconds > (LONGEST / 1_000_000_000) as i128 {
            Err(Fault::TooLong)
        } else {
            Ok(Self(seconds as u64 * 1_000_000_000))
        }
    }

    pub(crate) const fn duration(span: Duration) -> Result<Self, Fault> {
        if span.is_zero() {
            Err(Fault::Zero)
        } else if span.as_nanos() == Duration::MAX.as_nanos() {
            Ok(Self(FOREVER))
        } else if span.as_nanos() > LONGEST as u128 {
            Err(Fault::TooLong)
        } else {
            Ok(Self(span.as_nanos() as u64))
        }
    }

    /// The span, or `None` for forever.
    #[must_use]
    pub const fn as_duration(self) -> Option<Duration> {
        if self.0 == FOREVER {
            None
        } else {
            Some(Duration::from_nanos(self.0))
        }
    }
}

/// Text like `"1h30m"` (`w`, `d`, `h`, `m`, `s`, `ms`, `us`, `ns`, from large to small) or `"forever"`, whole seconds, or a [`Duration`] ([`Duration::MAX`] is forever). Not zero,
/// at most 100 years.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a span of time",
    label = "give text like \"10m\", whole seconds, or a `std::time::Duration`"
)]
pub trait IntoSpan {
    /// The span, or what is wrong with it.
    ///
    /// # Errors
    /// A [`Fault`] that says how to mend it.
    fn into_span(self) -> Result<Span, Fault>;
}

impl IntoSpan for Span {
    fn into_span(self) -> Result<Span, Fault> {
        Ok(self)
    }
}

impl IntoSpan for &str {
    fn into_span(self) -> Result<Span, Fault> {
        Span::text(self)
    }
}

impl IntoSpan for &String {
    fn into_span(self) -> Result<Span, Fault> {
        Span::text(self)
    }
}

impl IntoSpan for String {
    fn into_span(self) -> Result<Span, Fault> {
        Span::text(&self)
    }
}

impl IntoSpan for Duration {
    fn into_span(self) -> Result<Span, Fault> {
        Span::duration(self)
    }
}

macro_rules! seconds {
    ($($int:ty),*) => {$(
        impl IntoSpan for $int {
            fn into_span(self) -> Result<Span, Fault> {
                Span::seconds(self as i128)
            }
        }

        impl IntoHits for $int {
            fn into_hits(self) -> Result<u32, Fault> {
                hits(self as i128)
            }
        }
    )*};
}

seconds!(i32, u32, i64, u64, usize);

/// A span as text or [`Duration`], a share of the ttl (`0.33`, `"33%"`), and for `early` also `"auto"`. Whole seconds are taken in attributes only.
pub trait IntoEarly {
    /// The point in an entry's life.
    ///
    /// # Errors
    /// A [`Fault`] that says how to mend it.
    fn into_early(self) -> Result<EarlyPoint, Fault>;
}

/// A point in an entry's life: an age, a share of its ttl, or sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyPoint(pub(crate) Early);

impl EarlyPoint {
    pub(crate) const fn text(text: &str) -> Result<Self, Fault> {
        if let b"auto" = text.as_bytes() {
            return Ok(Self(Early::Auto));
        }
        if let Some(b'%') = text.as_bytes().last() {
            return match share_text(text) {
                Ok(share) => Ok(Self(Early::Share(share))),
                Err(fault) => Err(fault),
            };
        }
        match Span::text(text) {
            Ok(span) => Self::span(span),
            Err(fault) => Err(fault),
        }
    }

    pub(crate) const fn span(span: Span) -> Result<Self, Fault> {
        if span.0 == FOREVER {
            Err(Fault::ForeverNotHere)
        } else {
            Ok(Self(Early::At(span.0)))
        }
    }

    pub(crate) const fn share(share: f64) -> Result<Self, Fault> {
        match share_number(share) {
            Ok(share) => Ok(Self(Early::Share(share))),
            Err(fault) => Err(fault),
        }
    }
}

impl IntoEarly for &str {
    fn into_early(self) -> Result<EarlyPoint, Fault> {
        EarlyPoint::text(self)
    }
}

impl IntoEarly for f64 {
    fn into_early(self) -> Result<EarlyPoint, Fault> {
        EarlyPoint::share(self)
    }
}

impl IntoEarly for Duration {
    fn into_early(self) -> Result<EarlyPoint, Fault> {
        EarlyPoint::span(Span::duration(self)?)
    }
}

/// A share above 0 and at most 1, as `"10%"`, or below 1 as `0.1`.
pub trait IntoShare {
    /// Parts per million.
    ///
    /// # Errors
    /// A [`Fault`] that says how to mend it.
    fn into_share(self) -> Result<u32, Fault>;
}

impl IntoShare for &str {
    fn into_share(self) -> Result<u32, Fault> {
        share_text(self)
    }
}

impl IntoShare for f64 {
    fn into_share(self) -> Result<u32, Fault> {
        share_number(self)
    }
}

pub(crate) const fn share_text(text: &str) -> Result<u32, Fault> {
    match percent::parse(text) {
        Ok(share) => Ok(share),
        Err(why) => Err(Fault::Share(why)),
    }
}

pub(crate) const fn share_number(share: f64) -> Result<u32, Fault> {
    // Below a millionth nothing is left of it.
    if share >= 0.000_001 && share < 1.0 {
        Ok((share * 1_000_000.0) as u32)
    } else {
        Err(Fault::NotAShare)
    }
}

/// A count of hits, at least 1.
pub trait IntoHits {
    /// The count.
    ///
    /// # Errors
    /// A [`Fault`] that says how to mend it.
    fn into_hits(self) -> Result<u32, Fault>;
}

pub(crate) const fn hits(count: i128) -> Result<u32, Fault> {
    if count < 1 || count > u32::MAX as i128 {
        Err(Fault::NotACount)
    } else {
        Ok(count as u32)
    }
}
