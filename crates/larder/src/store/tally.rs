//! The arithmetic of quotas, for all stores that count in Rust.
//!
//! Instants are ticks of the store's own clock. That may be set back: by less than what is remembered, it stands still until it has caught up;
//! by more, the count begins anew.

use std::collections::VecDeque;
use std::time::Duration;

use super::quota::{Admission, Quota, Window};

/// A quota in ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) limit: u64,
    pub(crate) per: u64,
    ban: u64,
    span: fn(u64) -> Duration,
}

impl Rule {
    /// For a clock in nanoseconds.
    pub(crate) fn in_nanos(quota: &Quota) -> Self {
        Self::new(quota, 1, Duration::from_nanos)
    }

    /// For a clock in microseconds.
    #[cfg(any(feature = "file", feature = "sqlite"))]
    pub(crate) fn in_micros(quota: &Quota) -> Self {
        Self::new(quota, 1_000, Duration::from_micros)
    }

    fn new(quota: &Quota, tick: u128, span: fn(u64) -> Duration) -> Self {
        // What is longer than the clock can say lasts as long as it can; half of it, so that sums stay within.
        let ticks = |span: Duration| {
            let ticks = span.as_nanos().div_ceil(tick);
            u64::try_from(ticks)
                .unwrap_or(u64::MAX)
                .min(i64::MAX as u64 / 2)
        };
        Self {
            limit: quota.limit,
            per: ticks(quota.per).max(1),
            ban: quota.ban.map_or(0, ticks),
            span,
        }
    }
}

/// What a count says before anything is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) used: u64,
    /// Until one more fits; 0 if it does.
    pub(crate) wait: u64,
}

/// What is to be done with a call.
pub(crate) enum Ruling {
    Count(Admission),
    Refuse(Admission),
    Ban(Admission, Ban),
}

impl Look {
    pub(crate) fn rule(self, ban: Ban, rule: &Rule, now: u64) -> Ruling {
        let left = ban.left(now);
        if left > 0 {
            let wait = (rule.span)(left.max(self.wait));
            Ruling::Refuse(Admission::banned(self.used, wait))
        } else if self.wait == 0 {
            Ruling::Count(Admission::admitted(self.used.saturating_add(1)))
        } else if rule.ban > 0 {
            let wait = (rule.span)(rule.ban.max(self.wait));
            let ban = Ban {
                from: now,
                until: now.saturating_add(rule.ban),
            };
            Ruling::Ban(Admission::banned(self.used, wait), ban)
        } else {
            Ruling::Refuse(Admission::refused(self.used, (rule.span)(self.wait)))
        }
    }
}

/// From when until when a key is kept out.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ban {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Ban {
    fn left(self, now: u64) -> u64 {
        let length = self.until.saturating_sub(self.from);
        let left = self.until.saturating_sub(now);
        // Longer than all of it: the clock was set back.
        if left > length.saturating_mul(2) {
            return 0;
        }
        left.min(length)
    }
}

/// A window that starts with its first call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fixed {
    pub(crate) began: u64,
    pub(crate) per: u64,
    pub(crate) used: u64,
}

impl Fixed {
    pub(crate) fn look(&mut self, rule: &Rule, now: u64) -> Look {
        let is_over = now.saturating_sub(self.began) >= rule.per;
        let was_set_back = self.began.saturating_sub(now) > rule.per;
        if is_over || was_set_back {
            *self = Self::default();
        }
        let left = match self.used {
            0 => rule.per,
            _ => rule.per - now.saturating_sub(self.began),
        };
        Look {
            used: self.used,
            wait: if self.used < rule.limit { 0 } else { left },
        }
    }

    pub(crate) fn count(&mut self, rule: &Rule, now: u64) {
        if self.used == 0 {
            self.began = now;
        }
        self.per = self.per.max(rule.per);
        self.used = self.used.saturating_add(1);
    }

    pub(crate) fn ends(&self) -> u64 {
        self.began.saturating_add(self.per)
    }
}

/// A theoretical arrival time: `at` and so many `limit`-ths of a tick, because `per / limit` seldom is a whole number of ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gcra {
    pub(crate) at: u64,
    pub(crate) part: u64,
    pub(crate) limit: u64,
}

impl Gcra {
    /// How far the arrival time lies ahead, in `limit`-ths of a tick. Never more than the whole limit takes, also when the clock was set back a little.
    fn debt(&self, rule: &Rule, now: u64) -> u128 {
        let (limit, per) = (u128::from(rule.limit), u128::from(rule.per));
        let Some(ahead) = self.at.checked_sub(now) else {
            return 0;
        };
        // The whole limit lies one `per` ahead, and the clock was set back by more than another.
        if ahead > rule.per.saturating_mul(2) {
            return 0;
        }
        let part = u128::from(self.part) * limit;
        let part = part.div_ceil(u128::from(self.limit.max(1)));
        (u128::from(ahead) * limit + part).min(per * limit)
    }

    pub(crate) fn look(&self, rule: &Rule, now: u64) -> Look {
        let (limit, per) = (u128::from(rule.limit), u128::from(rule.per));
        let debt = self.debt(rule, now);
        let over = (debt + per).saturating_sub(per * limit);
        let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        Look {
            used: whole(debt.div_ceil(per)),
            wait: match rule.limit {
                0 => rule.per,
                _ => whole(over.div_ceil(limit)),
            },
        }
    }

    /// Only what fits: with a limit of 0 nothing does.
    pub(crate) fn count(&mut self, rule: &Rule, now: u64) {
        let limit = u128::from(rule.limit.max(1));
        let debt = self.debt(rule, now) + u128::from(rule.per);
        *self = Self {
            at: now.saturating_add(u64::try_from(debt / limit).unwrap_or(u64::MAX)),
            part: u64::try_from(debt % limit).unwrap_or(0),
            limit: rule.limit,
        };
    }
}

/// The instants of the calls that count, rising.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// The longest window that was asked for: others may count the same calls in a shorter one.
    pub(crate) longest: u64,
    pub(crate) calls: VecDeque<u64>,
}

impl Log {
    fn now(&mut self, now: u64) -> u64 {
        let latest = self.calls.back().copied().unwrap_or(0);
        if latest.saturating_sub(now) > self.longest {
            self.calls.clear();
            return now;
        }
        now.max(latest)
    }

    fn look(&mut self, rule: &Rule, now: u64) -> Look {
        let now = self.now(now);
        self.longest = self.longest.max(rule.per);
        let gone = self.calls.partition_point(|at| now - at >= self.longest);
        self.calls.drain(..gone);
        // After a rush, room for what is left is enough.
        if self.calls.len() < self.calls.capacity() / 4 {
            self.calls.shrink_to(self.calls.len() * 2);
        }
        let outside = self.calls.partition_point(|at| now - at >= rule.per);
        let used = (self.calls.len() - outside) as u64;
        if used < rule.limit {
            return Look { used, wait: 0 };
        }
        // The one that has to leave so that fewer than the limit stay; with a limit of 0 nothing ever fits.
        let last = usize::try_from(rule.limit).ok();
        let leaves = last.filter(|limit| *limit > 0).and_then(|limit| {
            let place = self.calls.len().checked_sub(limit)?;
            self.calls.get(place)
        });
        Look {
            used,
            wait: leaves.map_or(rule.per, |at| rule.per - (now - at)),
        }
    }

    fn count(&mut self, now: u64) {
        let now = self.now(now);
        self.calls.push_back(now);
    }

    fn ends(&self) -> u64 {
        let last = self.calls.back();
        last.map_or(0, |last| last.saturating_add(self.longest))
    }
}

/// All that is known of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) ban: Ban,
    pub(crate) fixed: Fixed,
    pub(crate) gcra: Gcra,
    pub(crate) log: Log,
}

impl Tally {
    pub(crate) fn admit(&mut self, window: Window, rule: &Rule, now: u64) -> Admission {
        let look = match window {
            Window::Fixed => self.fixed.look(rule, now),
            Window::Sliding => self.log.look(rule, now),
            Window::Gcra => self.gcra.look(rule, now),
        };
        match look.rule(self.ban, rule, now) {
            Ruling::Refuse(admission) => admission,
            Ruling::Ban(admission, ban) => {
                self.ban = ban;
                admission
            }
            Ruling::Count(admission) => {
                match window {
                    Window::Fixed => self.fixed.count(rule, now),
                    Window::Sliding => self.log.count(now),
                    Window::Gcra => self.gcra.count(rule, now),
                }
                admission
            }
        }
    }

    /// From this instant on it says no more than a new one would.
    pub(crate) fn ends(&self) -> u64 {
        let ends = [
            self.fixed.ends(),
            self.gcra.at.saturating_add(1),
            self.log.ends(),
        ];
        ends.into_iter().fold(self.ban.until, u64::max)
    }
}

#[cfg(test)]
mod tests;
