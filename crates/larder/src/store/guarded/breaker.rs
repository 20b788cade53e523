//! Whether a store is asked at all.

use std::time::Duration;

use super::Knobs;

/// What the breaker of a [`Guarded`](super::Guarded) store does at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// The store is asked.
    Closed,
    /// The store is not asked.
    Open,
    /// One probe asks the store; nobody else does.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Breaker {
    state: BreakerState,
    in_a_row: u32,
    /// The latest outcomes, the last one lowest; 1 is a failure.
    recent: u64,
    seen: u32,
    /// How long it was open last: doubled if it opens again before an operation succeeded.
    span: Option<Duration>,
}

/// So few outcomes say nothing about a share.
const FEWEST: u32 = 20;

impl Breaker {
    pub(super) fn new() -> Self {
        Self {
            state: BreakerState::Closed,
            in_a_row: 0,
            recent: 0,
            seen: 0,
            span: None,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        self.state
    }

    /// An operation of a user succeeded.
    pub(super) fn success(&mut self) {
        if self.state == BreakerState::Closed {
            self.in_a_row = 0;
            self.span = None;
            self.record(0);
        }
    }

    /// An operation of a user failed; how long the breaker is open if that opens it.
    pub(super) fn failure(&mut self, how: Failure, knobs: &Knobs) -> Option<Duration> {
        if self.state != BreakerState::Closed {
            return None;
        }
        self.record(1);
        if how == Failure::Unreachable {
            self.in_a_row += 1;
        }
        let share = f64::from(self.recent.count_ones()) / f64::from(self.seen);
        // Right after it closed, the first failure is enough.
        let is_on_trial = self.span.is_some() && how == Failure::Unreachable;
        let is_many = self.seen >= FEWEST && share >= knobs.share;
        let opens = is_on_trial || is_many || self.in_a_row >= knobs.failures;
        opens.then(|| self.open(knobs))
    }

    /// Opens, or stays open for longer.
    pub(super) fn open(&mut self, knobs: &Knobs) -> Duration {
        let span = match self.span {
            None => knobs.open_for,
            Some(span) => span.saturating_mul(2).min(knobs.open_at_most),
        };
        self.state = BreakerState::Open;
        self.span = Some(span);
        span
    }

    pub(super) fn half_open(&mut self) {
        self.state = BreakerState::HalfOpen;
    }

    pub(super) fn close(&mut self) {
        self.state = BreakerState::Closed;
        (self.in_a_row, self.recent, self.seen) = (0, 0, 0);
    }

    fn record(&mut self, failed: u64) {
        self.recent = self.recent << 1 | failed;
        self.seen = (self.seen + 1).min(u64::BITS);
    }
}

/// How an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer, or no connection.
    Unreachable,
    /// It answered with an error.
    Answered,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(1);

    fn fail(breaker: &mut Breaker, times: u32, how: Failure) -> Option<Duration> {
        let knobs = Knobs::default();
        (0..times).find_map(|_| breaker.failure(how, &knobs))
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = Breaker::new();
        assert_eq!(fail(&mut breaker, 4, Failure::Unreachable), None);
        breaker.success();
        assert_eq!(fail(&mut breaker, 4, Failure::Unreachable), None);
        assert_eq!(fail(&mut breaker, 1, Failure::Unreachable), Some(OPEN_FOR));
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_share_of_errors_opens_it() {
        let mut breaker = Breaker::new();
        let mut opened = None;
        for _ in 0..FEWEST {
            breaker.success();
            opened = opened.or(fail(&mut breaker, 1, Failure::Answered));
        }
        assert_eq!(opened, Some(OPEN_FOR));
        let mut breaker = Breaker::new();
        for _ in 0..100 {
            breaker.success();
            breaker.success();
            assert_eq!(fail(&mut breaker, 1, Failure::Answered), None);
        }
    }

    #[test]
    fn it_stays_open_twice_as_long_each_time_up_to_a_bound() {
        let (mut breaker, knobs) = (Breaker::new(), Knobs::default());
        let spans: Vec<u64> = (0..7).map(|_| breaker.open(&knobs).as_secs()).collect();
        assert_eq!(spans, [1, 2, 4, 8, 16, 30, 30]);
        breaker.close();
        let again = fail(&mut breaker, 1, Failure::Unreachable);
        assert_eq!(again, Some(knobs.open_at_most), "one failure on trial");
        breaker.close();
        breaker.success();
        assert_eq!(fail(&mut breaker, 4, Failure::Unreachable), None);
    }
}
