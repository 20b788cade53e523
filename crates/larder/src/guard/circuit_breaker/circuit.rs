//! One circuit, as this process sees it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use parking_lot::Mutex;

use crate::guard::{Outcome, State};
use crate::runtime::Timestamp;

/// How finely the window rolls.
pub(super) const SLICES: u64 = 10;

/// What a circuit does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CircuitState {
    /// They go through.
    Closed,
    /// They are refused.
    Open,
    /// A few go through, to see whether it can be closed.
    HalfOpen,
}

impl fmt::Display for CircuitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        })
    }
}

/// When a circuit turns. Spans in nanoseconds, the share in parts of a million.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) errors: u32,
    pub(super) per: u64,
    pub(super) open_for: u64,
    pub(super) half_open: u64,
    pub(super) successes: u64,
    pub(super) min_calls: u64,
}

impl Terms {
    pub(super) fn open_for(&self) -> Duration {
        Duration::from_nanos(self.open_for)
    }

    /// For how long a circuit that is not closed is remembered past its open time while nobody calls.
    pub(super) fn kept(&self) -> Duration {
        Duration::from_nanos(self.open_for.saturating_add(self.per))
    }

    pub(super) fn are_reached(&self, calls: u64, failures: u64) -> bool {
        let share = u128::from(failures) * 1_000_000;
        calls >= self.min_calls && share >= u128::from(self.errors) * u128::from(calls)
    }
}

/// A circuit has turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) from: CircuitState,
    pub(super) to: CircuitState,
}

/// What a call has to show for itself when it comes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// How often the circuit had turned when the call began.
    era: u64,
    /// The place that the call has in a circuit that is half-open.
    probe: Option<u64>,
}

#[derive(Default)]
pub(crate) struct Circuit(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    phase: Phase,
    era: u64,
    window: Window,
    /// When it was asked or told last.
    asked: Option<Timestamp>,
    kept: Duration,
    probes: u64,
}

#[derive(Default)]
enum Phase {
    #[default]
    Closed,
    Open {
        until: Timestamp,
    },
    HalfOpen {
        /// The calls that run, and since when.
        running: Vec<(u64, Timestamp)>,
        succeeded: u64,
    },
}

impl Phase {
    fn state(&self) -> CircuitState {
        match self {
            Self::Closed => CircuitState::Closed,
            Self::Open { .. } => CircuitState::Open,
            Self::HalfOpen { .. } => CircuitState::HalfOpen,
        }
    }

    fn half_open() -> Self {
        Self::HalfOpen {
            running: Vec::new(),
            succeeded: 0,
        }
    }
}

impl Inner {
    /// What was counted, and who runs, is of the past.
    fn turn(&mut self, to: Phase) -> Change {
        let from = self.phase.state();
        self.phase = to;
        self.era += 1;
        self.window = Window::default();
        let to = self.phase.state();
        Change { from, to }
    }

    fn open(&mut self, now: Timestamp, terms: &Terms) -> Change {
        let until = now.after(terms.open_for());
        self.turn(Phase::Open { until })
    }
}

impl Circuit {
    /// Asks for a call: its ticket, or for how long the circuit stays open if that is known.
    pub(super) fn ask(
        &self,
        now: Timestamp,
        terms: &Terms,
    ) -> (Result<Ticket, Option<Duration>>, Option<Change>) {
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        (inner.asked, inner.kept) = (Some(now), terms.kept());
        let mut change = None;
        if let Phase::Open { until } = inner.phase {
            if now < until {
                return (Err(Some(until.since(now))), None);
            }
            change = Some(inner.turn(Phase::half_open()));
        }
        let mut ticket = Ticket {
            era: inner.era,
            probe: None,
        };
        if let Phase::HalfOpen { running, .. } = &mut inner.phase {
            // A source that never answers must not keep the circuit from being tried for ever.
            running.retain(|(_, since)| now.since(*since) < terms.open_for());
            if running.len() as u64 >= terms.half_open {
                return (Err(None), change);
            }
            inner.probes += 1;
            running.push((inner.probes, now));
            ticket.probe = Some(inner.probes);
        }
        (Ok(ticket), change)
    }

    /// A ticket for a call that another let through.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket {
            era: self.0.lock().era,
            probe: None,
        }
    }

    /// What a call came to.
    pub(super) fn settle(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        now: Timestamp,
        terms: &Terms,
    ) -> Option<Change> {
        if self.count(ticket, outcome, now, terms) {
            return match outcome {
                Outcome::Failed { .. } => self.judge(ticket, now, terms),
                _ => None,
            };
        }
        self.settle_probe(ticket, outcome, now, terms)
    }

    /// Counts a call of a closed circuit; false when it is not closed, or was another one when the call began.
    pub(super) fn count(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        now: Timestamp,
        terms: &Terms,
    ) -> bool {
        let mut inner = self.0.lock();
        if inner.era != ticket.era || !matches!(inner.phase, Phase::Closed) {
            return false;
        }
        (inner.asked, inner.kept) = (Some(now), terms.kept());
        match outcome {
            Outcome::Succeeded { .. } => inner.window.count(now, terms.per, 0),
            Outcome::Failed { .. } => inner.window.count(now, terms.per, 1),
            Outcome::Dropped => {}
        }
        true
    }

    /// Opens a closed circuit if too many of the calls that it has counted have failed.
    pub(super) fn judge(&self, ticket: Ticket, now: Timestamp, terms: &Terms) -> Option<Change> {
        let mut inner = self.0.lock();
        if inner.era != ticket.era || !matches!(inner.phase, Phase::Closed) {
            return None;
        }
        let (calls, failures) = inner.window.sums(now, terms.per);
        terms
            .are_reached(calls, failures)
            .then(|| inner.open(now, terms))
    }

    /// What a call came to that was tried in a half-open circuit.
    pub(super) fn settle_probe(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        now: Timestamp,
        terms: &Terms,
    ) -> Option<Change> {
        let mut inner = self.0.lock();
        if inner.era != ticket.era {
            return None;
        }
        let Phase::HalfOpen { running, succeeded } = &mut inner.phase else {
            return None;
        };
        running.retain(|(probe, _)| Some(*probe) != ticket.probe);
        match outcome {
            Outcome::Dropped => None,
            Outcome::Failed { .. } => Some(inner.open(now, terms)),
            Outcome::Succeeded { .. } => {
                *succeeded += 1;
                let closes = *succeeded >= terms.successes;
                closes.then(|| inner.turn(Phase::Closed))
            }
        }
    }

    /// Goes by what others have seen: open for so long, half-open, or closed.
    pub(super) fn follow(
        &self,
        state: CircuitState,
        left: Duration,
        now: Timestamp,
        terms: &Terms,
    ) -> Option<Change> {
        let mut inner = self.0.lock();
        (inner.asked, inner.kept) = (Some(now), terms.kept());
        if let (Phase::Open { until }, CircuitState::Open) = (&mut inner.phase, state) {
            *until = now.after(left);
            return None;
        }
        let is_new = inner.phase.state() != state;
        is_new.then(|| {
            inner.turn(match state {
                CircuitState::Closed => Phase::Closed,
                CircuitState::HalfOpen => Phase::half_open(),
                CircuitState::Open => Phase::Open {
                    until: now.after(left),
                },
            })
        })
    }

    pub(crate) fn state(&self, now: Timestamp) -> CircuitState {
        match self.0.lock().phase {
            Phase::Open { until } if until <= now => CircuitState::HalfOpen,
            ref phase => phase.state(),
        }
    }
}

impl State for Circuit {
    fn is_idle(&self, now: Timestamp) -> bool {
        let inner = self.0.lock();
        let last = match inner.phase {
            Phase::Open { until } => Some(until),
            Phase::Closed | Phase::HalfOpen { .. } => inner.asked,
        };
        // Past what `per` asks for: whoever follows the circuit of a store tells of its turns once.
        last.is_none_or(|last| last <= now && now.since(last) >= inner.kept)
    }
}

/// The calls of the last while, in slices, the oldest first.
///
/// Functions that share a circuit may look back by different times, and so cut slices of different widths.
#[derive(Default)]
struct Window(VecDeque<Slice>);

struct Slice {
    from: Timestamp,
    calls: u64,
    failures: u64,
}

impl Window {
    fn count(&mut self, now: Timestamp, per: u64, failures: u64) {
        self.roll(now, per);
        let width = (per / SLICES).max(1);
        match self.0.back_mut() {
            Some(slice) if now.0.saturating_sub(slice.from.0) < width => {
                slice.calls += 1;
                slice.failures += failures;
            }
            _ => self.0.push_back(Slice {
                from: Timestamp(now.0 - now.0 % width),
                calls: 1,
                failures,
            }),
        }
    }

    fn sums(&mut self, now: Timestamp, per: u64) -> (u64, u64) {
        self.roll(now, per);
        let slices = self.0.iter();
        slices.fold((0, 0), |(calls, failures), slice| {
            (calls + slice.calls, failures + slice.failures)
        })
    }

    /// Forgets what is too old.
    fn roll(&mut self, now: Timestamp, per: u64) {
        let is_old = |slice: &Slice| slice.from.0.saturating_add(per) <= now.0;
        while self.0.front().is_some_and(is_old) {
            self.0.pop_front();
        }
    }
}
