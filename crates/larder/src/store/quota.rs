//! Limits of calls: what is asked of a store, and what it answers.

use std::time::Duration;

use super::StoreFuture;

/// Calls counted against limits.
///
/// # Contract
/// Atomic for all who share the store, in one step; counted on the store's own clock; two calls in one tick count twice; a refused call does not count.
///
/// Windows of different kinds count apart, also under one key. Quotas that share a key and a kind share their counts, and should name one `per`: what is older than the shorter may be forgotten.
/// A ban is the key's: while it lasts, nothing under the key is admitted, whatever the quota says.
pub trait Windows: Send + Sync {
    /// Counts a call if it fits into the quota.
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission>;
}

/// So many calls in a time.
///
/// ```
/// use std::time::Duration;
/// use larder::store::{Quota, Window};
///
/// let quota = Quota::new(10, Duration::from_secs(60)).window(Window::Gcra).ban(Duration::from_secs(600));
/// assert_eq!(quota.limit, 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Quota {
    /// How many calls; with 0 none is ever admitted.
    pub limit: u64,
    /// In how long; less than a tick of the store's clock is a tick.
    pub per: Duration,
    /// How calls are counted.
    pub window: Window,
    /// For how long a key is kept out from its first call over the limit on. Refused calls do not make it longer.
    pub ban: Option<Duration>,
}

impl Quota {
    /// A sliding window without a ban.
    #[must_use]
    pub const fn new(limit: u64, per: Duration) -> Self {
        Self {
            limit,
            per,
            window: Window::Sliding,
            ban: None,
        }
    }

    /// Counted so.
    #[must_use]
    pub const fn window(self, window: Window) -> Self {
        Self { window, ..self }
    }

    /// With a ban of so long.
    #[must_use]
    pub const fn ban(self, ban: Duration) -> Self {
        Self {
            ban: Some(ban),
            ..self
        }
    }
}

/// How calls are counted against a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Window {
    /// A window starts with the first call and then stands for its time. Costs one number; up to twice the limit may pass around its end.
    Fixed,
    /// Never more than the limit in any window of the time. Exact, and remembers the instant of each call that counts. The default.
    #[default]
    Sliding,
    /// The [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm) (ITU-T I.371), as in
    /// [governor](https://docs.rs/governor/latest/governor/_guide/index.html): the limit at once, then one each `per / limit`. Costs one instant.
    Gcra,
}

/// What a store says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// Whether it may go on.
    pub admitted: bool,
    /// How many were counted in the window, this one included if it was admitted; with [`Window::Gcra`] how much of the limit is used up at present.
    pub used: u64,
    /// When refused: how long until one more fits, and no longer.
    pub retry_after: Duration,
    /// When refused: whether the key is kept out.
    pub banned: bool,
}

impl Admission {
    /// It may go on, as the so many-th.
    #[must_use]
    pub const fn admitted(used: u64) -> Self {
        Self {
            admitted: true,
            used,
            retry_after: Duration::ZERO,
            banned: false,
        }
    }

    /// So many were counted, and one more fits after this time.
    #[must_use]
    pub const fn refused(used: u64, retry_after: Duration) -> Self {
        Self {
            admitted: false,
            used,
            retry_after,
            banned: false,
        }
    }

    /// The key is kept out, and one more fits after this time.
    #[must_use]
    pub const fn banned(used: u64, retry_after: Duration) -> Self {
        Self {
            banned: true,
            ..Self::refused(used, retry_after)
        }
    }
}
