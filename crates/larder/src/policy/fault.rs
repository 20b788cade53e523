//! What can be wrong with a policy, said so that it works in a compile error too.

/// A knob out of range or a contradiction between knobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A text that is no span, and why.
    Span(&'static str),
    /// A text that is no share, and why.
    Share(&'static str),
    #[doc(hidden)]
    Zero,
    #[doc(hidden)]
    Negative,
    #[doc(hidden)]
    TooLong,
    #[doc(hidden)]
    NotASpan,
    #[doc(hidden)]
    NotAShare,
    #[doc(hidden)]
    NotACount,
    #[doc(hidden)]
    NotAFlag,
    #[doc(hidden)]
    ForeverNotHere,
    #[doc(hidden)]
    NoTtl,
    #[doc(hidden)]
    EarlyPastTtl,
    #[doc(hidden)]
    SoftPastTtl,
    #[doc(hidden)]
    SoftAuto,
    #[doc(hidden)]
    EarlyPastSoft,
    #[doc(hidden)]
    SoftAndStale,
    #[doc(hidden)]
    FailoverAlone,
    #[doc(hidden)]
    ForeverNeedsNoMore,
    #[doc(hidden)]
    RefreshPastHits,
    #[doc(hidden)]
    DeadlineBeforeTtl,
    #[doc(hidden)]
    NoLockTtl,
    #[doc(hidden)]
    LockForever,
    #[doc(hidden)]
    NoCircuit,
    #[doc(hidden)]
    TimeoutPastHard,
}

impl Fault {
    /// What is wrong and how to mend it.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Span(why) | Self::Share(why) => why,
            Self::Zero => {
                "a span cannot be zero: give a longer one, or leave it out; to call the source each time there is `bypass`"
            }
            Self::Negative => "a span cannot be negative",
            Self::TooLong => "a span of more than 100 years: say \"forever\" if that is meant",
            Self::NotASpan => "a span is text like \"10m\" or \"1h30m\", or whole seconds like 60",
            Self::NotAShare => "a share is text like \"10%\" or a number between 0 and 1 like 0.1",
            Self::NotACount => "a count is a whole number from 1 to 4294967295",
            Self::NotAFlag => "this knob stands alone, without a value",
            Self::ForeverNotHere => "\"forever\" cannot stand here: give a span like \"1h\"",
            Self::DeadlineBeforeTtl => {
                "`deadline` must not be shorter than `ttl`: a lock is held for its `ttl` at least, and renewed until its `deadline`"
            }
            Self::NoLockTtl => {
                "say for how long the lock is held without a word from its holder: `#[locked(ttl = \"10s\")]`"
            }
            Self::LockForever => {
                "a lock that never ends stays with a process that was killed: say a span like \"10s\"; it is renewed while its body runs"
            }
            Self::NoCircuit => {
                "say which share of failures in how long opens the circuit, and for how long: `#[circuit_breaker(errors = \"10%\", per = \"1m\", open_for = \"30s\")]`"
            }
            Self::NoTtl => {
                "no `ttl`: say how long, like `ttl = \"10m\"` or `ttl = \"forever\"`, or give the cache a default"
            }
            Self::EarlyPastTtl => {
                "`early` must come before `ttl`: it is the age at which a reload starts behind the readers"
            }
            Self::SoftPastTtl => {
                "`soft` must be shorter than `ttl`: after `soft` a call reloads, after `ttl` the value is gone; use `fail_safe` to keep it longer"
            }
            Self::SoftAuto => "`soft` takes a span or a share of the ttl; \"auto\" is for `early`",
            Self::EarlyPastSoft => {
                "`early` must come before `soft`: a reload behind the readers has to start before calls reload themselves"
            }
            Self::SoftAndStale => {
                "`soft` and `stale` contradict each other: one reloads in the foreground, the other behind; keep one of them"
            }
            Self::FailoverAlone => {
                "`failover` calls the source each time, so `early`, `soft`, `stale`, `hits` and `refresh_hits` say nothing beside it: leave them out"
            }
            Self::ForeverNeedsNoMore => {
                "with `ttl = \"forever\"` nothing comes after the ttl: leave `stale` and `fail_safe` out, and give `early` and `soft` as spans"
            }
            Self::RefreshPastHits => {
                "`refresh_hits` must be smaller than `hits`: the reload behind has to start before the entry is used up"
            }
            Self::TimeoutPastHard => {
                "`timeout` must be shorter than `hard_timeout`: after `timeout` a kept entry stands in, after `hard_timeout` the call is refused"
            }
        }
    }
}
