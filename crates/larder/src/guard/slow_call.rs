//! `slow_call`: leaves a source alone for a while when its calls have become slow.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::states::State;
use super::{Asking, Guard, Outcome, Pass, Reason, Refused};
use crate::error::Error;
use crate::event::Event;
use crate::policy::{FOREVER, Fault, IntoSpan, Lit, Span};
use crate::runtime::{BoxFuture, Timestamp};

/// Refuses calls for a while when one took much longer than those before it.
///
/// It remembers how long the last calls under a key took that succeeded, in this process. Once it knows as many as its window has, a call that takes longer than `factor` times their mean
/// ends the patience: its own result is returned, and further calls are refused for the time that is said. Then it begins anew, with nothing remembered.
///
/// A call that fails is judged, because a source that runs into its time limit is slow too, but not remembered: quick errors would make every success look slow. A call that is dropped or panics is neither.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::guard::SlowCall;
///
/// let cache = larder::Cache::builder().build()?;
/// let patience = SlowCall::new("1m").factor(3).window(20).min("50ms");
/// let ask = || async { Ok::<_, larder::Error>("answer") };
/// assert_eq!(cache.guard(&patience, "search", ask).await?, "answer");
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// [`Reason::Slow`], with how long to wait; [`Reason::Misconfigured`] for knobs out of range.
#[derive(Clone, Copy, Debug)]
pub struct SlowCall {
    factor: f64,
    window: u32,
    rest: u64,
    min: u64,
    fault: Option<&'static str>,
}

/// What is remembered of one key, in calls.
const MOST: u64 = 4_096;
/// Nanoseconds. The clock may move in steps of 10 ms, and a call of no time at all may meet one: twice that is surely no step.
const MIN: u64 = 20_000_000;
/// A key that nobody has called for so long may be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3_600);

const INCOMPLETE: &str =
    "say for how long a slow source is left alone: `#[slow_call(for = \"1m\")]`";
const BAD_FACTOR: &str = "a call is slow when it takes more than `factor` times as long as usual: a number above 1, like 2 or 1.5";
const BAD_WINDOW: &str =
    "`window` is how many calls are compared with: a whole number from 1 to 4096";

impl SlowCall {
    /// Leaves a slow source alone for so long.
    pub fn new(rest: impl IntoSpan) -> Self {
        SlowCallKnobs::new().0.r#for(rest)
    }

    /// How many times as long as usual a call must take to be slow. More than 1; default 2.
    #[must_use]
    pub fn factor(self, factor: impl Into<f64>) -> Self {
        self.with_factor(factor.into())
    }

    /// How many calls are compared with: from 1 to 4096, default 10. Nothing is refused before so many have succeeded.
    #[must_use]
    pub fn window(self, calls: u32) -> Self {
        self.with_window(calls as u64)
    }

    /// For how long a slow source is left alone: what [`new`](Self::new) says.
    #[must_use]
    pub fn r#for(mut self, rest: impl IntoSpan) -> Self {
        self.rest = self.finite(rest);
        self
    }

    /// A call that took no longer than this is never slow. Default 20 ms: the clock may move in steps of 10 ms, and quick calls would be judged by chance.
    #[must_use]
    pub fn min(mut self, span: impl IntoSpan) -> Self {
        self.min = self.finite(span);
        self
    }

    fn finite(&mut self, span: impl IntoSpan) -> u64 {
        let fault = match span.into_span() {
            Ok(Span(FOREVER)) => Fault::ForeverNotHere,
            Ok(Span(span)) => return span,
            Err(fault) => fault,
        };
        self.fault = Some(fault.message());
        0
    }

    const fn with_factor(mut self, factor: f64) -> Self {
        // Not a number is not above 1 either.
        if factor > 1.0 && factor.is_finite() {
            self.factor = factor;
        } else {
            self.fault = Some(BAD_FACTOR);
        }
        self
    }

    const fn with_window(mut self, calls: u64) -> Self {
        if calls >= 1 && calls <= MOST {
            self.window = calls as u32;
        } else {
            self.fault = Some(BAD_WINDOW);
        }
        self
    }

    const fn contradiction(&self) -> Option<&'static str> {
        if self.fault.is_some() {
            return self.fault;
        }
        if self.rest == 0 {
            return Some(INCOMPLETE);
        }
        None
    }

    async fn ask(&self, asking: &Asking) -> Result<Pass, Refused> {
        if let Some(fault) = self.contradiction() {
            let why = Error::invalid("slow_call", fault);
            return Err(asking.refuse(Reason::Misconfigured).because(why));
        }
        let now = asking.now();
        // Windows of different lengths count apart, also under one key.
        let key = format!("{}/{}", asking.key(), self.window);
        let history = asking.ground().states().of(&key, now, || History::new(now));
        let round = history.0.lock().begin(now);
        let round = round.map_err(|left| asking.refuse(Reason::Slow).retry_after(left))?;
        let (judge, of) = (*self, asking.clone());
        Ok(Pass::told(asking, move |outcome| {
            judge.hear(&history, round, outcome, &of);
            None
        }))
    }

    /// What came of a call that began in a round of the history.
    fn hear(&self, history: &Arc<History>, round: u64, outcome: Outcome, asking: &Asking) {
        let now = asking.now();
        let slow = history.0.lock().end(self, round, outcome, now);
        if let Some((took, usual)) = slow {
            asking.ground().tell(&Event::SlowCall {
                key: asking.key(),
                took,
                usual,
                rest: Duration::from_nanos(self.rest),
            });
        }
    }
}

impl Guard for SlowCall {
    fn name(&self) -> &'static str {
        "slow_call"
    }

    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>> {
        Box::pin(self.ask(asking))
    }
}

/// How calls under one key went in this process.
struct History(Mutex<Past>);

struct Past {
    /// How long calls took, in nanoseconds.
    took: VecDeque<u64>,
    sum: u64,
    /// Calls are refused until then.
    until: Timestamp,
    /// Moves when the history begins anew: what began before says nothing about what comes after.
    round: u64,
    latest: Timestamp,
}

impl History {
    fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Past {
            took: VecDeque::new(),
            sum: 0,
            until: now,
            round: 0,
            latest: now,
        }))
    }
}

impl State for History {
    fn is_idle(&self, now: Timestamp) -> bool {
        let past = self.0.lock();
        past.until <= now && (past.took.is_empty() || now.since(past.latest) > FORGOTTEN_AFTER)
    }
}

impl Past {
    /// The round in which a call begins, or how long it is too early.
    fn begin(&mut self, now: Timestamp) -> Result<u64, Duration> {
        if now < self.until {
            return Err(self.until.since(now));
        }
        self.latest = now;
        Ok(self.round)
    }

    /// How long a call took and how long was usual, if it was slow.
    fn end(
        &mut self,
        judge: &SlowCall,
        round: u64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Option<(Duration, Duration)> {
        let (took, has_succeeded) = match outcome {
            Outcome::Succeeded { took } => (took, true),
            Outcome::Failed { took } => (took, false),
            Outcome::Dropped => return None,
        };
        if round != self.round {
            return None;
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let count = self.took.len() as u64;
        if count >= u64::from(judge.window) {
            let mean = self.sum / count.max(1);
            let most = (mean as f64 * judge.factor).max(judge.min as f64);
            if nanos as f64 > most {
                self.took = VecDeque::new();
                self.sum = 0;
                self.round += 1;
                self.until = now.after(Duration::from_nanos(judge.rest));
                return Some((took, Duration::from_nanos(mean)));
            }
        }
        if has_succeeded {
            self.remember(nanos, judge.window as usize);
        }
        None
    }

    fn remember(&mut self, nanos: u64, window: usize) {
        // Bounded, so that the sum of all stays within a number.
        let nanos = nanos.min(u64::MAX / (2 * MOST));
        while self.took.len() >= window
            && let Some(oldest) = self.took.pop_front()
        {
            self.sum -= oldest;
        }
        self.took.push_back(nanos);
        self.sum += nanos;
    }
}

/// The knobs of `#[slow_call]`, evaluated by the compiler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct SlowCallKnobs(SlowCall);

#[doc(hidden)]
#[allow(clippy::new_without_default)]
impl SlowCallKnobs {
    #[must_use]
    pub const fn new() -> Self {
        Self(SlowCall {
            factor: 2.0,
            window: 10,
            rest: 0,
            min: MIN,
            fault: None,
        })
    }

    #[track_caller]
    #[must_use]
    pub const fn factor(self, value: Lit) -> Self {
        Self::checked(self.0.with_factor(value.number()))
    }

    #[track_caller]
    #[must_use]
    pub const fn window(self, value: Lit) -> Self {
        Self::checked(self.0.with_window(value.count()))
    }

    #[track_caller]
    #[must_use]
    pub const fn r#for(mut self, value: Lit) -> Self {
        self.0.rest = value.finite();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn min(mut self, value: Lit) -> Self {
        self.0.min = value.finite();
        self
    }

    #[track_caller]
    const fn checked(call: SlowCall) -> Self {
        if let Some(fault) = call.fault {
            panic!("{}", fault);
        }
        Self(call)
    }

    #[track_caller]
    #[must_use]
    pub const fn finish(self) -> SlowCall {
        if let Some(fault) = self.0.contradiction() {
            panic!("{}", fault);
        }
        self.0
    }

    /// Some knobs are expressions and come later.
    #[must_use]
    pub const fn finish_open(self) -> SlowCall {
        self.0
    }
}
