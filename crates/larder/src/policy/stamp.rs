//! The timeline: three instants, stamped when an entry is written.

use std::time::Duration;

use super::{Early, FOREVER, Policy};
use crate::runtime::Timestamp;

/// Three instants that are stamped when an entry is written: `refresh_at <= stale_until <= keep_until`.
///
/// A read compares the clock with them and knows its [`Verdict`]; no strategy has other state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From here on a reload runs behind the readers.
    pub refresh_at: Timestamp,
    /// From here on a call loads in the foreground.
    pub stale_until: Timestamp,
    /// From here on the entry is gone.
    pub keep_until: Timestamp,
}

/// What the clock says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Serve it.
    Fresh,
    /// Serve it, reload behind.
    Refresh,
    /// Load; serve it only if the load fails.
    Reload,
    /// Load; there is nothing to fall back on.
    Gone,
}

impl Deadlines {
    /// What to do with the entry at `now`.
    #[must_use]
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        if now < self.refresh_at {
            Verdict::Fresh
        } else if now < self.stale_until {
            Verdict::Refresh
        } else if now < self.keep_until {
            Verdict::Reload
        } else {
            Verdict::Gone
        }
    }
}

impl Policy {
    /// The deadlines of an entry written at `now` whose value took `cost` to make.
    ///
    /// `random` is 64 random bits for jitter and the sampled early reload. A policy without a ttl keeps nothing.
    #[must_use]
    pub fn stamp(&self, now: Timestamp, cost: Duration, random: u64) -> Deadlines {
        let ttl = self.ttl.unwrap_or(0);
        if self.failover {
            let keep = self.scale(sum(ttl, self.fail_safe), random);
            return Deadlines {
                refresh_at: now,
                stale_until: now,
                keep_until: at(now, keep),
            };
        }
        let mut stale = sum(ttl, self.stale);
        let mut refresh = ttl;
        if let Some(soft) = self.soft {
            stale = soft.age(ttl);
            refresh = stale;
        }
        if let Some(early) = self.early {
            refresh = refresh.min(match early {
                Early::Auto => ttl.saturating_sub(sampled(cost, random)),
                other => other.age(ttl),
            });
        }
        let keep = sum(ttl, self.fail_safe).max(stale);
        let [refresh, stale, keep] = [refresh, stale, keep].map(|age| self.scale(age, random));
        Deadlines {
            refresh_at: at(now, refresh),
            stale_until: at(now, stale),
            keep_until: at(now, keep),
        }
    }

    /// One factor for all ages keeps their order.
    fn scale(&self, age: u64, random: u64) -> u64 {
        if self.jitter == 0 || age == FOREVER {
            return age;
        }
        let share = u128::from(self.jitter) * u128::from(random >> 32) / u128::from(u32::MAX);
        (u128::from(age) * (1_000_000 - share) / 1_000_000) as u64
    }
}

/// `cost * -ln(u)`, the exponential sample of XFetch with beta = 1.
fn sampled(cost: Duration, random: u64) -> u64 {
    let u = ((random & 0xFFFF_FFFF) as f64 + 1.0) / (f64::from(u32::MAX) + 1.0);
    (cost.as_nanos() as f64 * -u.ln()) as u64
}

fn sum(ttl: u64, more: u64) -> u64 {
    ttl.saturating_add(more)
}

fn at(now: Timestamp, age: u64) -> Timestamp {
    Timestamp(now.0.saturating_add(age))
}
