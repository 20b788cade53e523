//! `circuit_breaker`: no calls while too many fail.

use std::sync::Arc;
use std::time::Duration;

use super::knobs::finite;
use super::{Asking, Guard, Pass, Reason, Refused};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::policy::{Fault, IntoShare, IntoSpan, Lit};
use crate::runtime::BoxFuture;

mod circuit;
mod shared;

pub(crate) use circuit::Circuit;
pub use circuit::CircuitState;
use circuit::{Change, Terms};
use shared::Shared;

/// Refuses calls while too many of them fail, and tries a few after a while.
///
/// - *Closed:* calls go through, and are counted. The failure that brings the share of failures within the last `per` to `errors`, with at least `min_calls` calls counted, opens the circuit.
/// - *Open:* calls are refused as [`Reason::Open`], for `open_for`.
/// - *Half-open:* at most `half_open` calls run at a time. `successes` of them in a row close the circuit, which then counts from nothing; one failure opens it again.
///
/// A call that was dropped counts as neither. A call that began before the circuit turned says nothing of what it is now. (Nygard, *Release It!*, 2007; Fowler,
/// ["CircuitBreaker"](https://martinfowler.com/bliki/CircuitBreaker.html), 2014.)
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::guard::{CircuitBreaker, CircuitState};
///
/// let cache = larder::Cache::builder().build()?;
/// let breaker = CircuitBreaker::new("50%", "1m", "30s").min_calls(2);
/// let fails = || async { Err::<(), _>(larder::Error::new(larder::ErrorKind::Store, "call", "down")) };
/// for _ in 0..2 {
///     assert_eq!(cache.guard(&breaker, "mail", fails).await.unwrap_err().kind(), larder::ErrorKind::Store);
/// }
/// assert_eq!(CircuitBreaker::state(&cache, "mail"), CircuitState::Open);
/// assert_eq!(cache.guard(&breaker, "mail", fails).await.unwrap_err().kind(), larder::ErrorKind::Refused);
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreaker {
    terms: Terms,
    successes: Option<u64>,
    counted: Counted,
    fault: Option<Fault>,
}

/// Where calls are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    Here,
    InStore,
}

impl CircuitBreaker {
    /// Opens for `open_for` when this share of the calls within `per` has failed.
    pub fn new(errors: impl IntoShare, per: impl IntoSpan, open_for: impl IntoSpan) -> Self {
        let new = CircuitBreakerKnobs::new().0;
        new.errors(errors).per(per).open_for(open_for)
    }

    /// The share of failures that opens it: `"10%"`, or `0.1`.
    #[must_use]
    pub fn errors(mut self, share: impl IntoShare) -> Self {
        match share.into_share() {
            Ok(share) => self.terms.errors = share,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// How far back calls are counted. They are counted in ten slices of it, and the oldest is forgotten as a whole.
    ///
    /// Functions that share a key should say the same: what is older than the shorter may be forgotten.
    #[must_use]
    pub fn per(mut self, span: impl IntoSpan) -> Self {
        match finite(span) {
            Ok(span) => self.terms.per = span,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// For how long it stays open before calls are tried. A tried call that is not back after the same time gives up its place.
    #[must_use]
    pub fn open_for(mut self, span: impl IntoSpan) -> Self {
        match finite(span) {
            Ok(span) => self.terms.open_for = span,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// How many calls run at a time while it is half-open. Default 1.
    #[must_use]
    pub fn half_open(mut self, calls: u64) -> Self {
        self.terms.half_open = self.counts(calls);
        self
    }

    /// How many of them have to succeed in a row for it to close. Default: as many as run at a time.
    #[must_use]
    pub fn successes(mut self, calls: u64) -> Self {
        self.successes = Some(self.counts(calls));
        self
    }

    /// With fewer calls within `per` it stays closed, however many of them have failed. Default 10.
    #[must_use]
    pub fn min_calls(mut self, calls: u64) -> Self {
        self.terms.min_calls = self.counts(calls);
        self
    }

    /// One circuit for all processes that use the store of the cache, in place of one for each. While the store cannot be asked each process goes by what it has
    /// seen itself, and tells [`Event::GuardFailed`](crate::Event::GuardFailed).
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.counted = Counted::InStore;
        self
    }

    fn counts(&mut self, calls: u64) -> u64 {
        if calls == 0 {
            self.fault = Some(Fault::NotACount);
        }
        calls
    }

    const fn fault(&self) -> Option<Fault> {
        match self.fault {
            None if self.terms.errors == 0 || self.terms.per == 0 || self.terms.open_for == 0 => {
                Some(Fault::NoCircuit)
            }
            fault => fault,
        }
    }

    fn terms(&self) -> Terms {
        let mut terms = self.terms;
        terms.successes = self.successes.unwrap_or(terms.half_open);
        terms
    }
}

impl Guard for CircuitBreaker {
    fn name(&self) -> &'static str {
        "circuit_breaker"
    }

    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>> {
        Box::pin(async move {
            if let Some(fault) = self.fault() {
                let why = Error::invalid("circuit_breaker", fault.message());
                return Err(asking.refuse(Reason::Misconfigured).because(why));
            }
            let states = asking.ground().states();
            let circuit = states.of(asking.key(), asking.now(), Circuit::default);
            match (self.counted, asking.ground().store()) {
                (Counted::InStore, Some(_)) => {
                    Shared::new(asking, circuit, self.terms())?.admit().await
                }
                _ => admit(asking, &circuit, self.terms()),
            }
        })
    }
}

/// Asks the circuit of this process.
fn admit(asking: &Asking, circuit: &Arc<Circuit>, terms: Terms) -> Result<Pass, Refused> {
    let (answer, change) = circuit.ask(asking.now(), &terms);
    tell(asking, change);
    match answer {
        Ok(ticket) => {
            let (own, circuit) = (asking.clone(), Arc::clone(circuit));
            Ok(Pass::told(asking, move |outcome| {
                tell(&own, circuit.settle(ticket, outcome, own.now(), &terms));
                None
            }))
        }
        Err(left) => Err(refuse(asking, left)),
    }
}

fn refuse(asking: &Asking, left: Option<Duration>) -> Refused {
    let refused = asking.refuse(Reason::Open);
    match left {
        Some(left) => refused.retry_after(left),
        None => refused,
    }
}

fn tell(asking: &Asking, change: Option<Change>) {
    if let Some(Change { from, to }) = change {
        let key = asking.key();
        let ground = asking.ground();
        ground.tell(&Event::CircuitChanged { key, from, to });
    }
}

/// The knobs of `#[circuit_breaker]`, evaluated by the compiler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreakerKnobs(CircuitBreaker);

#[doc(hidden)]
#[allow(clippy::new_without_default)]
impl CircuitBreakerKnobs {
    #[must_use]
    pub const fn new() -> Self {
        Self(CircuitBreaker {
            terms: Terms {
                errors: 0,
                per: 0,
                open_for: 0,
                half_open: 1,
                successes: 1,
                min_calls: 10,
            },
            successes: None,
            counted: Counted::Here,
            fault: None,
        })
    }

    #[track_caller]
    #[must_use]
    pub const fn errors(mut self, value: Lit) -> Self {
        self.0.terms.errors = match value.share() {
            Ok(share) => share,
            Err(_) => panic!(
                "`errors` is the share of failed calls that opens the circuit, like \"10%\" or 0.1: more than nothing and at most \"100%\""
            ),
        };
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn per(mut self, value: Lit) -> Self {
        self.0.terms.per = value.finite();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn open_for(mut self, value: Lit) -> Self {
        self.0.terms.open_for = value.finite();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn half_open(mut self, value: Lit) -> Self {
        self.0.terms.half_open = value.count();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn successes(mut self, value: Lit) -> Self {
        self.0.successes = Some(value.count());
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn min_calls(mut self, value: Lit) -> Self {
        self.0.terms.min_calls = value.count();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn shared(mut self, value: Lit) -> Self {
        value.flag();
        self.0.counted = Counted::InStore;
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn finish(self) -> CircuitBreaker {
        if let Some(fault) = self.0.fault() {
            panic!("{}", fault.message());
        }
        self.0
    }

    /// Some knobs are expressions and come later.
    #[must_use]
    pub const fn finish_open(self) -> CircuitBreaker {
        self.0
    }
}
