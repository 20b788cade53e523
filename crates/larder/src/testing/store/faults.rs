//! What can go wrong between a cache and a store, by a seed.

use std::time::Duration;

use crate::runtime::Runtime;

/// How badly a connection behaves. Shares are from 0 to 1 of all operations; chance comes from the runtime, so a seed decides.
///
/// ```
/// use std::time::Duration;
/// use larder::testing::Faults;
///
/// let faults = Faults::none()
///     .delay(Duration::from_millis(40))
///     .lost_answers(0.02)
///     .late(0.01, Duration::from_secs(5));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults {
    delay: Duration,
    errors: f64,
    lost_requests: f64,
    lost_answers: f64,
    doubled: f64,
    late: f64,
    latest: Duration,
}

impl Faults {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A request and its answer take a random time of up to this, each.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// So many operations fail without an effect: half of them [`Unavailable`](crate::ErrorKind::Unavailable), half [`Store`](crate::ErrorKind::Store).
    #[must_use]
    pub fn errors(self, share: f64) -> Self {
        Self {
            errors: share,
            ..self
        }
    }

    /// So many requests never arrive: they have no effect and no answer.
    #[must_use]
    pub fn lost_requests(self, share: f64) -> Self {
        Self {
            lost_requests: share,
            ..self
        }
    }

    /// So many answers never arrive: the operation has its effect, and nobody is told.
    #[must_use]
    pub fn lost_answers(self, share: f64) -> Self {
        Self {
            lost_answers: share,
            ..self
        }
    }

    /// So many operations are done twice before they are answered, as by a client that tries again.
    #[must_use]
    pub fn doubled(self, share: f64) -> Self {
        Self {
            doubled: share,
            ..self
        }
    }

    /// So many operations are never answered and have their effect up to `latest` later, also when nobody waits for them any more.
    #[must_use]
    pub fn late(self, share: f64, latest: Duration) -> Self {
        Self {
            late: share,
            latest,
            ..self
        }
    }

    pub(super) fn fate(&self, runtime: &dyn Runtime) -> Fate {
        // One draw for all, so that shares add up.
        let mut draw = runtime.random() as f64 / 2.0_f64.powi(64);
        let mut falls = |share: f64| {
            draw -= share;
            draw < 0.0
        };
        if falls(self.errors / 2.0) {
            Fate::Unavailable
        } else if falls(self.errors / 2.0) {
            Fate::Error
        } else if falls(self.lost_requests) {
            Fate::LostRequest
        } else if falls(self.lost_answers) {
            Fate::LostAnswer
        } else if falls(self.doubled) {
            Fate::Doubled
        } else if falls(self.late) {
            Fate::Late(up_to(self.latest, runtime))
        } else {
            Fate::Well
        }
    }

    pub(super) fn on_the_way(&self, runtime: &dyn Runtime) -> Duration {
        up_to(self.delay, runtime)
    }
}

fn up_to(most: Duration, runtime: &dyn Runtime) -> Duration {
    match crate::runtime::nanos(most) {
        0 => Duration::ZERO,
        most => Duration::from_nanos(runtime.random() % most),
    }
}

/// What becomes of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Well,
    Unavailable,
    Error,
    LostRequest,
    LostAnswer,
    Doubled,
    Late(Duration),
}

/// Whether anything gets through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    #[default]
    Open,
    /// Nothing arrives, and nothing says so.
    Cut,
    /// Every attempt is refused at once.
    Refused,
}
