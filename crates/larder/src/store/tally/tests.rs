//! The arithmetic against what it must come to, under chance.

use std::time::Duration;

use super::{Rule, Tally};
use crate::runtime::mix;
use crate::store::{Admission, Quota, Window};

const WINDOWS: [Window; 3] = [Window::Fixed, Window::Sliding, Window::Gcra];

struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0) % most.max(1)
    }
}

fn rule(limit: u64, per: u64) -> Rule {
    Rule::in_nanos(&Quota::new(limit, Duration::from_nanos(per)))
}

/// Calls at random; when those that were admitted came.
fn admitted(window: Window, limit: u64, per: u64, seed: u64) -> Vec<u64> {
    let (rule, mut chance) = (rule(limit, per), Chance(seed));
    let (mut tally, mut now, mut at) = (Tally::default(), chance.below(1_000), Vec::new());
    for _ in 0..400 {
        now += chance.below(2 * per / limit);
        let admission = tally.clone().admit(window, &rule, now);
        let wait = u64::try_from(admission.retry_after.as_nanos()).unwrap();
        if !admission.admitted {
            assert!(wait > 0, "{window:?}: refused for no time");
            let before = tally.clone().admit(window, &rule, now + wait - 1);
            assert!(!before.admitted, "{window:?}: not before it was told");
            let then = tally.clone().admit(window, &rule, now + wait);
            assert!(then.admitted, "{window:?}: as it was told");
        }
        if tally.admit(window, &rule, now).admitted {
            at.push(now);
        }
    }
    assert!(at.len() > 100 && at.len() < 400, "{window:?}: {}", at.len());
    at
}

#[test]
fn no_sliding_window_holds_more_than_the_limit_and_none_is_refused_without_need() {
    for seed in 0..40 {
        let (limit, per) = (1 + seed % 9, 1_000 + 77 * seed);
        let at = admitted(Window::Sliding, limit, per, seed);
        for (place, end) in at.iter().enumerate() {
            let within = at[..=place].iter().filter(|at| end - *at < per);
            assert!(within.count() as u64 <= limit);
        }
    }
}

#[test]
fn fixed_windows_lie_behind_each_other_and_hold_the_limit_each() {
    for seed in 0..40 {
        let (limit, per) = (1 + seed % 9, 1_000 + 77 * seed);
        let at = admitted(Window::Fixed, limit, per, seed);
        let mut rest = &at[..];
        while let Some(began) = rest.first() {
            let within = rest.partition_point(|at| at - began < per);
            assert!(within as u64 <= limit);
            rest = &rest[within..];
        }
    }
}

/// In any time, at most the limit and what came back meanwhile.
#[test]
fn gcra_gives_no_more_than_the_limit_and_its_rate() {
    for seed in 0..40 {
        let (limit, per) = (1 + seed % 9, 1_000 + 77 * seed);
        let at = admitted(Window::Gcra, limit, per, seed);
        for (from, began) in at.iter().enumerate() {
            for (count, end) in at[from..].iter().enumerate() {
                let most = u128::from(limit) * u128::from(per)
                    + u128::from(end - began) * u128::from(limit);
                assert!((count as u128 + 1) * u128::from(per) <= most);
            }
        }
    }
}

#[test]
fn a_limit_that_changes_goes_on_where_it_was() {
    for window in WINDOWS {
        let mut tally = Tally::default();
        for _ in 0..4 {
            assert!(tally.admit(window, &rule(4, 1_000), 5_000).admitted);
        }
        // Of 4 all are gone, and half of 8; GCRA counts in time, and that is all of it.
        let more = tally.clone().admit(window, &rule(8, 1_000), 5_000);
        assert_eq!(more.admitted, window != Window::Gcra, "{window:?}");
        assert!(!tally.clone().admit(window, &rule(2, 1_000), 5_000).admitted);
        let half = tally.admit(window, &rule(8, 1_000), 5_500);
        assert!(half.admitted, "{window:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_a_little_gives_nothing_away() {
    for window in WINDOWS {
        let mut tally = Tally::default();
        let rule = rule(2, 1_000);
        for _ in 0..2 {
            assert!(tally.admit(window, &rule, 9_000).admitted, "{window:?}");
        }
        let refused = tally.admit(window, &rule, 8_980);
        assert!(!refused.admitted, "{window:?}");
        assert!(refused.retry_after <= Duration::from_nanos(1_000));
        assert!(tally.admit(window, &rule, 10_000).admitted, "{window:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_far_keeps_nobody_out_for_long() {
    for window in WINDOWS {
        let quota = Quota::new(1, Duration::from_nanos(1_000)).ban(Duration::from_nanos(5_000));
        let rule = Rule::in_nanos(&quota);
        let mut tally = Tally::default();
        assert!(tally.admit(window, &rule, 1_000_000).admitted);
        assert!(tally.admit(window, &rule, 1_000_000).banned);
        let lenient = self::rule(1, 1_000);
        let after = tally.admit(window, &lenient, 10);
        assert!(!after.banned, "{window:?}");
        assert!(after.admitted, "{window:?}: the count begins anew");
    }
}

#[test]
fn no_number_is_too_large_or_too_small() {
    let numbers = [0, 1, 2, 1_000, u64::MAX / 2, u64::MAX - 1, u64::MAX];
    let mut chance = Chance(1);
    let mut any = || numbers[chance.below(numbers.len() as u64) as usize];
    for _ in 0..30_000 {
        let mut tally = Tally::default();
        for _ in 0..4 {
            let mut quota = Quota::new(any(), Duration::from_nanos(any()));
            if any() > 2 {
                quota = quota.ban(Duration::from_nanos(any()));
            }
            for window in WINDOWS {
                let admission = tally.admit(window, &Rule::in_nanos(&quota), any());
                let waits = !admission.retry_after.is_zero();
                assert_ne!(admission.admitted, waits, "{quota:?} {admission:?}");
                assert!(tally.ends() > 0 || !admission.admitted);
            }
        }
    }
}

#[test]
fn what_is_over_says_no_more_than_nothing() {
    for window in WINDOWS {
        let mut chance = Chance(7);
        let rule = rule(3, 1_000);
        let (mut tally, mut now) = (Tally::default(), 0);
        for _ in 0..300 {
            now += chance.below(500);
            tally.admit(window, &rule, now);
            let over = tally.ends();
            assert!(over > now && over <= now + 1_001, "{window:?}");
            let first = tally.clone().admit(window, &rule, over);
            assert_eq!(first, Admission::admitted(1), "{window:?}");
        }
    }
}

#[test]
fn a_log_gives_back_the_room_of_a_rush() {
    let (mut tally, rule) = (Tally::default(), rule(60_000, 1_000));
    for _ in 0..60_000 {
        assert!(tally.admit(Window::Sliding, &rule, 0).admitted);
    }
    assert!(tally.admit(Window::Sliding, &rule, 1_000).admitted);
    assert!(tally.log.calls.capacity() < 1_000);
}
