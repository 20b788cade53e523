//! Instants as nanoseconds on one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An instant on a [`Clock`], in nanoseconds since the clock's own zero.
///
/// Instants of two clocks have nothing to say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub(crate) u64);

impl Timestamp {
    /// The instant that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// Nanoseconds since the clock's zero.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This instant, `duration` later; [`NEVER`](Self::NEVER) when that is past the clock's range.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The time from `earlier` to this instant, zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A monotonic clock: the system's, or one that is moved by hand.
///
/// A concrete type, not a trait: every hit reads it.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(Arc<AtomicU64>),
}

/// The coarse clock of the system runs behind the precise one by up to one timer tick, 10 ms at
/// the slowest configured tick rate (100 Hz). Twice that is taken as the distance within which the precise clock is asked.
const COARSE_LAG: u64 = 20_000_000;

/// Past this an instant is taken for one that never comes: the low bits of a deadline may have been used for something else.
const FAR: u64 = u64::MAX - 16;

impl Clock {
    /// The system's monotonic clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`advance`](Self::advance) moves it. Clones move together.
    #[must_use]
    pub fn manual() -> Self {
        // Not zero: an entry that was written "now" must differ from one that was never written.
        Self(Source::Manual(Arc::new(AtomicU64::new(1_000_000_000))))
    }

    /// The present instant.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Timestamp {
        Timestamp(match &self.0 {
            Source::System => system::precise(),
            Source::Manual(now) => now.load(Ordering::Acquire),
        })
    }

    /// Moves a manual clock forward.
    ///
    /// # Panics
    /// On the system clock, which nobody moves.
    pub fn advance(&self, by: Duration) {
        match &self.0 {
            Source::System => panic!("the system clock cannot be moved: use `Clock::manual()`"),
            Source::Manual(now) => {
                now.fetch_add(nanos(by), Ordering::AcqRel);
            }
        }
    }

    /// Milliseconds since 1970-01-01 UTC. On a manual clock: since its zero, as if that had been 2023-11-14T22:13:20Z.
    pub(crate) fn unix_millis(&self) -> u64 {
        self.unix_micros() / 1_000
    }

    /// [`unix_millis`](Self::unix_millis) in microseconds.
    pub(crate) fn unix_micros(&self) -> u64 {
        match &self.0 {
            Source::System => {
                let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
                since.map_or(0, |since| {
                    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
                })
            }
            Source::Manual(now) => 1_700_000_000_000_000 + now.load(Ordering::Acquire) / 1_000,
        }
    }

    /// An instant of this clock in milliseconds since 1970-01-01 UTC, for those who share it with other machines; [`Timestamp::NEVER`] is `u64::MAX`.
    pub(crate) fn to_unix(&self, instant: Timestamp) -> u64 {
        if instant.0 >= FAR {
            return u64::MAX;
        }
        let (now, unix) = (self.now().0, self.unix_millis());
        match instant.0.checked_sub(now) {
            Some(ahead) => unix.saturating_add(ahead / 1_000_000),
            None => unix.saturating_sub((now - instant.0).div_ceil(1_000_000)),
        }
    }

    /// The reverse of [`to_unix`](Self::to_unix), for several by one look at both clocks.
    pub(crate) fn all_from_unix<const N: usize>(&self, all: [u64; N]) -> [Timestamp; N] {
        let (now, unix) = (self.now().0, self.unix_millis());
        all.map(|millis| match millis.checked_sub(unix) {
            _ if millis == u64::MAX => Timestamp::NEVER,
            Some(ahead) => Timestamp(now.saturating_add(ahead.saturating_mul(1_000_000))),
            None => Timestamp(now.saturating_sub((unix - millis).saturating_mul(1_000_000))),
        })
    }

    /// Whether `instant` is still to come.
    ///
    /// Exact, but cheaper than `now() < instant`: far from the instant the coarse clock decides
    /// (4 ns against 21 ns measured), near to it the precise one.
    #[inline]
    pub(crate) fn is_before(&self, instant: u64) -> bool {
        match &self.0 {
            Source::System => {
                system::coarse().saturating_add(COARSE_LAG) < instant || system::precise() < instant
            }
            Source::Manual(now) => now.load(Ordering::Acquire) < instant,
        }
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod system {
    //! `clock_gettime`, because `std` has no coarse clock and both must read the same clock.

    fn read(clock: libc::clockid_t) -> u64 {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid place for one timespec; both clocks exist on every Linux that
        // Rust supports, so the call cannot fail and fills it.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
    }

    #[inline]
    pub(super) fn precise() -> u64 {
        read(libc::CLOCK_MONOTONIC)
    }

    #[inline]
    pub(super) fn coarse() -> u64 {
        read(libc::CLOCK_MONOTONIC_COARSE)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::sync::LazyLock;
    use std::time::Instant;

    static ZERO: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn precise() -> u64 {
        super::nanos(ZERO.elapsed()).saturating_add(1_000_000_000)
    }

    // No cheap coarse clock here: always ask the precise one.
    pub(super) fn coarse() -> u64 {
        u64::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_before_agrees_with_now_near_and_far() {
        let clock = Clock::system();
        let now = clock.now().0;
        assert!(!clock.is_before(now));
        assert!(!clock.is_before(0));
        assert!(clock.is_before(now + 3_600_000_000_000));
        assert!(clock.is_before(u64::MAX));
    }

    #[test]
    fn a_manual_clock_moves_only_by_hand() {
        let clock = Clock::manual();
        let before = clock.now();
        assert!(clock.is_before(before.0 + 1));
        clock.clone().advance(Duration::from_secs(1));
        assert_eq!(clock.now().since(before), Duration::from_secs(1));
    }
}
