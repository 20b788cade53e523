//! The deadlines that each knob stamps, alone and together.

use std::time::Duration;

use larder::__private::{Knobs, Lit};
use larder::runtime::{Clock, Timestamp};
use larder::{Policy, Verdict};
use proptest::prelude::*;

use crate::{secs, ten_minutes};

const MINUTE: u64 = 60;
const HOUR: u64 = 3_600;
const SEED: u64 = 0x5EED;

/// The ages at which an entry becomes due for a reload behind, for a load, and for going, in seconds.
fn ages(policy: Policy) -> [f64; 3] {
    ages_with(policy, Duration::ZERO, SEED)
}

fn ages_with(policy: Policy, cost: Duration, random: u64) -> [f64; 3] {
    let now = Clock::manual().now();
    let stamped = policy.check().unwrap().stamp(now, cost, random);
    let age = |instant: Timestamp| instant.since(now).as_secs_f64();
    [
        age(stamped.refresh_at),
        age(stamped.stale_until),
        age(stamped.keep_until),
    ]
}

/// The verdict on an entry of this age.
fn verdict(policy: Policy, age: Duration) -> Verdict {
    let now = Clock::manual().now();
    let stamped = policy.check().unwrap().stamp(now, Duration::ZERO, SEED);
    stamped.verdict(now.after(age))
}

const NANO: Duration = Duration::from_nanos(1);

#[track_caller]
fn assert_near(actual: f64, expected: f64, tolerance: f64) {
    assert!(
        (actual - expected).abs() <= tolerance,
        "{actual} is not within {tolerance} of {expected}"
    );
}

#[test]
fn ttl_alone_is_one_instant() {
    assert_eq!(ages(ten_minutes()), [600.0; 3]);
    assert_eq!(verdict(ten_minutes(), Duration::ZERO), Verdict::Fresh);
    assert_eq!(verdict(ten_minutes(), secs(600) - NANO), Verdict::Fresh);
    assert_eq!(verdict(ten_minutes(), secs(600)), Verdict::Gone);
}

#[test]
fn ttl_is_text_seconds_or_a_duration() {
    for policy in [
        Policy::new().ttl("90s"),
        Policy::new().ttl("1m30s"),
        Policy::new().ttl(String::from("1.5m")),
        Policy::new().ttl(90),
        Policy::new().ttl(90_u64),
        Policy::new().ttl(secs(90)),
    ] {
        assert_eq!(ages(policy), [90.0; 3]);
        assert_eq!(policy.time_to_live(), Some(secs(90)));
    }
}

#[test]
fn forever_never_comes_and_is_not_jittered() {
    for policy in [
        Policy::new().ttl("forever"),
        Policy::new().ttl(Duration::MAX),
    ] {
        let now = Clock::manual().now();
        let stamped = policy.jitter("50%").stamp(now, secs(1), u64::MAX);
        assert_eq!(stamped.refresh_at, Timestamp::NEVER);
        assert_eq!(stamped.keep_until, Timestamp::NEVER);
        assert_eq!(policy.time_to_live(), None);
    }
}

#[test]
fn stale_serves_past_the_ttl_and_then_the_entry_is_gone() {
    let policy = ten_minutes().stale("1h");
    assert_eq!(ages(policy), [600.0, 4_200.0, 4_200.0]);
    assert_eq!(verdict(policy, secs(599)), Verdict::Fresh);
    assert_eq!(verdict(policy, secs(600)), Verdict::Refresh);
    assert_eq!(verdict(policy, secs(4_200) - NANO), Verdict::Refresh);
    assert_eq!(verdict(policy, secs(4_200)), Verdict::Gone);
}

#[test]
fn early_reloads_behind_before_the_ttl() {
    let policy = ten_minutes().early("4m");
    assert_eq!(ages(policy), [240.0, 600.0, 600.0]);
    assert_eq!(verdict(policy, secs(240) - NANO), Verdict::Fresh);
    assert_eq!(verdict(policy, secs(240)), Verdict::Refresh);
    assert_eq!(verdict(policy, secs(600)), Verdict::Gone);
}

#[test]
fn early_as_a_share_is_a_share_of_the_ttl_and_a_third_by_default() {
    assert_eq!(ages(ten_minutes().early(0.25)), [150.0, 600.0, 600.0]);
    assert_eq!(ages(ten_minutes().early("25%")), [150.0, 600.0, 600.0]);
    assert_eq!(ages(ten_minutes().early(secs(150))), [150.0, 600.0, 600.0]);
    const THIRD: Policy = Knobs::new().ttl(Lit::Text("10m")).early(Lit::Flag).finish();
    assert_near(ages(THIRD)[0], 200.0, 0.001);
}

/// Evenly spread chance, so that means are those of the distribution.
fn spread(n: u64, of: u64) -> u64 {
    let low = (u64::from(u32::MAX) * n) / of;
    low | low << 32
}

#[test]
fn early_auto_comes_before_the_ttl_by_the_cost_on_average() {
    let cost = secs(10);
    let policy = Policy::new().ttl("1h").early("auto");
    let samples = 100_000;
    let leads: Vec<f64> = (0..samples)
        .map(|n| 3_600.0 - ages_with(policy, cost, spread(n, samples))[0])
        .collect();
    let mean = leads.iter().sum::<f64>() / samples as f64;
    assert_near(mean, 10.0, 0.02);
    // The exponential distribution: half of them before ln 2, one in e past its mean.
    let before_median = leads.iter().filter(|l| **l < 10.0 * 2_f64.ln()).count();
    assert_near(before_median as f64 / samples as f64, 0.5, 0.001);
    let past_mean = leads.iter().filter(|l| **l > 10.0).count();
    assert_near(past_mean as f64 / samples as f64, (-1_f64).exp(), 0.001);
    assert!(leads.iter().all(|lead| *lead >= 0.0), "never after the ttl");
}

#[test]
fn early_auto_of_a_value_that_cost_nothing_is_the_ttl() {
    let policy = ten_minutes().early("auto");
    for random in [0, SEED, u64::MAX] {
        assert_eq!(ages_with(policy, Duration::ZERO, random), [600.0; 3]);
    }
}

#[test]
fn early_auto_of_a_value_that_cost_more_than_its_ttl_is_at_once() {
    let policy = Policy::new().ttl("1s").early("auto");
    assert_eq!(ages_with(policy, secs(100), SEED)[0], 0.0);
}

#[test]
fn soft_reloads_in_the_foreground_and_keeps_until_the_ttl() {
    let policy = ten_minutes().soft("4m");
    assert_eq!(ages(policy), [240.0, 240.0, 600.0]);
    assert_eq!(verdict(policy, secs(240) - NANO), Verdict::Fresh);
    assert_eq!(verdict(policy, secs(240)), Verdict::Reload);
    assert_eq!(verdict(policy, secs(600) - NANO), Verdict::Reload);
    assert_eq!(verdict(policy, secs(600)), Verdict::Gone);
    assert_eq!(ages(ten_minutes().soft(0.5))[0], 300.0);
}

#[test]
fn fail_safe_keeps_past_the_ttl() {
    let policy = ten_minutes().fail_safe("1h");
    assert_eq!(ages(policy), [600.0, 600.0, 4_200.0]);
    assert_eq!(verdict(policy, secs(600)), Verdict::Reload);
    assert_eq!(verdict(policy, secs(4_200)), Verdict::Gone);
}

#[test]
fn failover_is_never_fresh_and_kept_until_the_ttl() {
    let policy = ten_minutes().failover();
    assert_eq!(ages(policy), [0.0, 0.0, 600.0]);
    assert_eq!(verdict(policy, Duration::ZERO), Verdict::Reload);
    assert_eq!(verdict(policy, secs(600) - NANO), Verdict::Reload);
    assert_eq!(verdict(policy, secs(600)), Verdict::Gone);
}

#[test]
fn hit_budgets_do_not_move_the_deadlines() {
    assert_eq!(ages(ten_minutes().hits(3).refresh_hits(1)), [600.0; 3]);
}

#[test]
fn knobs_compose_into_one_timeline() {
    let policy = ten_minutes;
    for (policy, expected) in [
        (policy().stale("1h").fail_safe("2h"), [600, 4_200, 7_800]),
        (policy().stale("2h").fail_safe("1h"), [600, 7_800, 7_800]),
        (policy().early("4m").stale("1h"), [240, 4_200, 4_200]),
        (policy().early("2m").soft("4m"), [120, 240, 600]),
        (policy().soft("4m").fail_safe("1h"), [240, 240, 4_200]),
        (policy().early("4m").fail_safe("1h"), [240, 600, 4_200]),
        (
            policy().early("2m").soft("4m").fail_safe("1h"),
            [120, 240, 4_200],
        ),
        (
            policy().early("4m").stale("1h").fail_safe("2h"),
            [240, 4_200, 7_800],
        ),
        (policy().failover().fail_safe("1h"), [0, 0, 4_200]),
        (
            policy().hits(9).refresh_hits(3).stale("1h"),
            [600, 4_200, 4_200],
        ),
    ] {
        assert_eq!(ages(policy), expected.map(f64::from), "{policy:?}");
    }
}

#[test]
fn jitter_only_shortens_and_by_no_more_than_was_said() {
    let policy = ten_minutes().jitter("10%");
    assert_near(ages_with(policy, Duration::ZERO, 0)[0], 600.0, 1e-6);
    assert_near(ages_with(policy, Duration::ZERO, u64::MAX)[0], 540.0, 1e-6);
    let samples = 10_000;
    let lives: Vec<f64> = (0..samples)
        .map(|n| ages_with(policy, Duration::ZERO, spread(n, samples))[0])
        .collect();
    assert!(lives.iter().all(|life| (540.0..=600.0).contains(life)));
    let mean = lives.iter().sum::<f64>() / samples as f64;
    assert_near(mean, 570.0, 0.1);
}

#[test]
fn jitter_is_a_share_as_text_or_number() {
    let by_text = ages_with(ten_minutes().jitter("25%"), Duration::ZERO, u64::MAX);
    let by_number = ages_with(ten_minutes().jitter(0.25), Duration::ZERO, u64::MAX);
    assert_eq!(by_text, by_number);
    assert_near(by_text[0], 450.0, 1e-6);
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let more = (
        proptest::option::of(1..HOUR),
        proptest::option::of(1..HOUR),
        proptest::option::of(1..HOUR),
        proptest::option::of(1..HOUR),
        any::<bool>(),
    );
    (MINUTE..HOUR, more).prop_map(|(ttl, (stale, early, soft, fail_safe, failover))| {
        let mut policy = Policy::new().ttl(ttl);
        if let Some(stale) = stale {
            policy = policy.stale(stale);
        }
        if let Some(early) = early {
            policy = policy.early(secs(early));
        }
        if let Some(soft) = soft {
            policy = policy.soft(secs(soft));
        }
        if let Some(fail_safe) = fail_safe {
            policy = policy.fail_safe(fail_safe);
        }
        if failover { policy.failover() } else { policy }
    })
}

proptest! {
    #[test]
    fn deadlines_of_every_policy_are_in_order_and_jitter_scales_them_alike(
        policy in any_policy(),
        cost in 0..100_u64,
        random in any::<u64>(),
    ) {
        prop_assume!(policy.check().is_ok());
        let plain = ages_with(policy, secs(cost), random);
        prop_assert!(plain[0] <= plain[1] && plain[1] <= plain[2], "{plain:?}");
        let jittered = ages_with(policy.jitter("30%"), secs(cost), random);
        prop_assert!(jittered[0] <= jittered[1] && jittered[1] <= jittered[2], "{jittered:?}");
        let factor = jittered[2] / plain[2];
        prop_assert!((0.7 - 1e-9..=1.0).contains(&factor));
        for (plain, jittered) in plain.into_iter().zip(jittered) {
            prop_assert!((plain * factor - jittered).abs() < 1e-6);
        }
    }
}

#[test]
fn an_attribute_stamps_what_the_same_policy_in_code_stamps() {
    const ATTRIBUTE: Policy = Knobs::new()
        .ttl(Lit::Text("10m"))
        .stale(Lit::Text("1h"))
        .early(Lit::Float(0.5))
        .fail_safe(Lit::Int(7_200))
        .hits(Lit::Int(9))
        .refresh_hits(Lit::Int(3))
        .jitter(Lit::Text("10%"))
        .throttle(Lit::Text("5s"))
        .wait(Lit::Text("2s"))
        .load_limit(Lit::Text("3s"))
        .finish();
    let code = ten_minutes()
        .stale("1h")
        .early(0.5)
        .fail_safe(7_200)
        .hits(9)
        .refresh_hits(3)
        .jitter("10%")
        .throttle("5s")
        .wait("2s")
        .load_limit("3s");
    assert_eq!(ATTRIBUTE, code);
    const FAILOVER: Policy = Knobs::new().ttl(Lit::Int(60)).failover(Lit::Flag).finish();
    assert_eq!(FAILOVER, Policy::new().ttl("1m").failover());
}
