//! What is out of range or contradicts, and what is said of it.

use std::panic::catch_unwind;
use std::time::Duration;

use larder::__private::{Knobs, Lit};
use larder::{ErrorKind, Policy};

use crate::{secs, ten_minutes};

/// What is wrong with a policy.
#[track_caller]
fn refusal(policy: Policy) -> String {
    let error = policy.check().expect_err("the policy should be refused");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert_eq!(error.operation(), "policy");
    error.to_string()
}

#[test]
fn spans_out_of_range_are_errors_that_say_how_to_mend_them() {
    let ttl = |text: &str| refusal(Policy::new().ttl(text));
    assert!(refusal(Policy::new().ttl(0)).contains("cannot be zero"));
    assert!(refusal(Policy::new().ttl(Duration::ZERO)).contains("cannot be zero"));
    assert!(refusal(Policy::new().ttl(-5)).contains("cannot be negative"));
    assert!(refusal(Policy::new().ttl(secs(101 * 365 * 86_400))).contains("say \"forever\""));
    assert!(ttl("0s").contains("cannot be zero"));
    assert!(ttl("-1m").contains("remove the minus sign"));
    assert!(ttl("10").contains("needs a unit"));
    assert!(ttl("soon").contains("starts with a number"));
    assert!(ttl("1month").contains("write days or weeks"));
    assert!(ttl("5300w").contains("write `forever`"));
    assert!(ttl("").contains("empty"));
}

#[test]
fn the_longest_span_is_the_same_however_it_is_written() {
    let longest = 36_525 * 86_400;
    for policy in [
        Policy::new().ttl("36525d"),
        Policy::new().ttl(longest),
        Policy::new().ttl(secs(longest)),
    ] {
        assert_eq!(policy.check().unwrap().time_to_live(), Some(secs(longest)));
    }
    assert!(refusal(Policy::new().ttl("36526d")).contains("100 years"));
    assert!(refusal(Policy::new().ttl(longest + 1)).contains("100 years"));
    assert!(refusal(Policy::new().ttl(secs(longest + 1))).contains("100 years"));
}

#[test]
fn every_knob_refuses_what_it_cannot_follow() {
    let policy = ten_minutes;
    for (policy, message) in [
        (policy().stale("0s"), "cannot be zero"),
        (policy().fail_safe(0), "cannot be zero"),
        (policy().throttle(-1), "cannot be negative"),
        (policy().load_limit(0), "cannot be zero"),
        (policy().wait("never"), "starts with a number"),
        (policy().stale("forever"), "cannot stand here"),
        (policy().fail_safe("forever"), "cannot stand here"),
        (policy().early("forever"), "cannot stand here"),
        (policy().soft("forever"), "cannot stand here"),
        (policy().early(0.0), "between 0 and 1"),
        (policy().early(1.0), "between 0 and 1"),
        (policy().early(-0.1), "between 0 and 1"),
        (policy().early(f64::NAN), "between 0 and 1"),
        (policy().soft(2.0), "between 0 and 1"),
        (policy().jitter(0.0), "between 0 and 1"),
        (policy().jitter(1.5), "between 0 and 1"),
        (policy().jitter("0%"), "cannot be zero"),
        (policy().jitter("110%"), "cannot be more than"),
        (policy().jitter("10"), "ends with `%`"),
        (policy().hits(0), "from 1 to 4294967295"),
        (policy().hits(-1), "from 1 to 4294967295"),
        (policy().refresh_hits(0), "from 1 to 4294967295"),
        (policy().hits(1_u64 << 32), "from 1 to 4294967295"),
    ] {
        let told = refusal(policy);
        assert!(told.contains(message), "`{told}` lacks `{message}`");
    }
}

#[test]
fn contradictions_are_errors_that_name_both_knobs() {
    let policy = ten_minutes;
    let forever = || Policy::new().ttl("forever");
    for (policy, message) in [
        (policy().early("10m"), "`early` must come before `ttl`"),
        (policy().early("100%"), "`early` must come before `ttl`"),
        (policy().soft("10m"), "`soft` must be shorter than `ttl`"),
        (policy().soft("1h"), "`soft` must be shorter than `ttl`"),
        (policy().soft("auto"), "\"auto\" is for `early`"),
        (
            policy().early("4m").soft("4m"),
            "`early` must come before `soft`",
        ),
        (
            policy().early("5m").soft("4m"),
            "`early` must come before `soft`",
        ),
        (
            policy().soft("4m").stale("1h"),
            "`soft` and `stale` contradict",
        ),
        (
            policy().failover().early("4m"),
            "`failover` calls the source each time",
        ),
        (
            policy().failover().soft("4m"),
            "`failover` calls the source each time",
        ),
        (
            policy().failover().stale("4m"),
            "`failover` calls the source each time",
        ),
        (
            policy().failover().hits(3),
            "`failover` calls the source each time",
        ),
        (
            policy().failover().refresh_hits(3),
            "`failover` calls the source each time",
        ),
        (
            policy().hits(3).refresh_hits(3),
            "`refresh_hits` must be smaller than `hits`",
        ),
        (forever().stale("1h"), "nothing comes after the ttl"),
        (forever().fail_safe("1h"), "nothing comes after the ttl"),
        (forever().early("auto"), "nothing comes after the ttl"),
        (forever().early(0.3), "nothing comes after the ttl"),
        (forever().soft("30%"), "nothing comes after the ttl"),
    ] {
        let told = refusal(policy);
        assert!(told.contains(message), "`{told}` lacks `{message}`");
    }
}

#[test]
fn knobs_that_do_compose_are_not_refused() {
    let forever = || Policy::new().ttl("forever");
    for policy in [
        ten_minutes().early("9m59s"),
        ten_minutes().early("auto").soft("4m"),
        ten_minutes()
            .early("auto")
            .stale("1h")
            .fail_safe("2h")
            .jitter("10%"),
        ten_minutes().hits(3).refresh_hits(2),
        ten_minutes().failover().fail_safe("1h").throttle("1s"),
        forever().early("1h"),
        forever().early("1h").soft("2h"),
        forever().hits(3),
        Policy::new().stale("1h").fail_safe("2h"),
    ] {
        assert!(policy.check().is_ok(), "{:?}", policy.check());
    }
}

#[test]
fn a_later_knob_does_not_hide_an_earlier_mistake() {
    assert!(refusal(Policy::new().ttl("0s").ttl("10m")).contains("cannot be zero"));
    assert!(refusal(Policy::new().ttl("10").stale("0s")).contains("needs a unit"));
}

#[test]
fn an_attribute_refuses_with_the_same_message_as_code() {
    let told = |knobs: fn() -> Knobs| {
        let panic = catch_unwind(knobs).expect_err("it should be refused");
        panic.downcast_ref::<String>().cloned().unwrap()
    };
    for (knobs, policy) in [
        (
            (|| Knobs::new().ttl(Lit::Text("0s"))) as fn() -> Knobs,
            Policy::new().ttl("0s"),
        ),
        (
            || Knobs::new().ttl(Lit::Text("10m")).soft(Lit::Text("1h")),
            ten_minutes().soft("1h"),
        ),
        (
            || Knobs::new().ttl(Lit::Text("10m")).early(Lit::Float(1.5)),
            ten_minutes().early(1.5),
        ),
        (
            || Knobs::new().soft(Lit::Text("1m")).stale(Lit::Text("1h")),
            Policy::new().soft("1m").stale("1h"),
        ),
        (
            || Knobs::new().failover(Lit::Flag).hits(Lit::Int(2)),
            Policy::new().failover().hits(2),
        ),
    ] {
        assert_eq!(format!("policy: {}", told(knobs)), refusal(policy));
    }
}
