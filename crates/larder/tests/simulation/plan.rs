//! How one key's function is declared: a policy, tags, what is kept.

use std::time::Duration;

use larder::Policy;

use crate::scene::Chance;

// Each of its switches is drawn by itself.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) policy: Policy,
    /// The longest time that a value may be served after it was made.
    pub(crate) keep: u64,
    /// The longest time that it may be served without a reason.
    pub(crate) serve: u64,
    pub(crate) argument_tags: bool,
    pub(crate) value_tags: bool,
    /// `errors = ..`
    pub(crate) errors: Option<Duration>,
    /// `when`: values read at odd ticks are not kept.
    pub(crate) only_even: bool,
    pub(crate) share_errors: bool,
}

const FOREVER: u64 = u64::MAX;

impl Plan {
    pub(crate) fn new(chance: &Chance<'_>, observed: bool, argument_tags: bool) -> Self {
        let ttl = chance.millis(&[5, 20, 40, 100]);
        let (mut policy, mut keep, serve) = strategy(chance, ttl);
        if chance.one_in(4) && !matches!(keep, FOREVER) {
            let more = chance.millis(&[20, 80]);
            policy = policy.fail_safe(more).throttle(chance.millis(&[3, 30]));
            keep = keep.max(nanos(ttl + more));
        }
        if chance.one_in(5) {
            policy = policy.jitter("40%");
        }
        // Only an observer sees that a call waited too long, and may load beside the flight.
        if observed && chance.one_in(3) {
            policy = policy.wait(chance.millis(&[1, 8]));
        } else {
            // A lost wake-up must not be mended by the time limit.
            policy = policy.wait("forever");
        }
        if chance.one_in(4) {
            policy = policy.load_limit(chance.millis(&[2, 15]));
        }
        // Only an observer sees that an entry stood in for a load that took too long.
        if observed && chance.one_in(3) {
            policy = policy.timeout(chance.millis(&[2, 10]));
        }
        if observed && chance.one_in(3) {
            policy = policy.hard_timeout(chance.millis(&[11, 35]));
        }
        policy.check().expect("a policy without contradictions");
        Self {
            policy,
            keep,
            serve,
            argument_tags,
            value_tags: chance.one_in(3),
            errors: chance.one_in(4).then(|| chance.millis(&[5, 30])),
            only_even: chance.one_in(6),
            share_errors: !chance.one_in(3),
        }
    }

    pub(crate) fn tags_of_arguments(&self, key: usize) -> Vec<String> {
        if self.argument_tags {
            vec!["every".into(), format!("argument:{}", key % 2)]
        } else {
            Vec::new()
        }
    }

    pub(crate) fn tags_of_value(&self, read: u64) -> Vec<String> {
        if self.value_tags {
            vec![format!("value:{}", read % 2)]
        } else {
            Vec::new()
        }
    }

    pub(crate) fn tags(&self, key: usize, read: u64) -> Vec<String> {
        let mut tags = self.tags_of_arguments(key);
        tags.extend(self.tags_of_value(read));
        tags
    }

    pub(crate) fn keeps(&self, read: u64) -> bool {
        !self.only_even || read.is_multiple_of(2)
    }
}

pub(crate) const TAGS: [&str; 5] = ["every", "argument:0", "argument:1", "value:0", "value:1"];

/// A policy, how long it keeps an entry, and how long it serves one.
fn strategy(chance: &Chance<'_>, ttl: Duration) -> (Policy, u64, u64) {
    let policy = Policy::new().ttl(ttl);
    let stale = chance.millis(&[20, 60]);
    let plain = nanos(ttl);
    let longer = nanos(ttl + stale);
    match chance.below(9) {
        0 => (policy.stale(stale), longer, longer),
        1 => (policy.early(0.4), plain, plain),
        2 => (policy.early("auto"), plain, plain),
        3 => (policy.early(0.3).stale(stale), longer, longer),
        4 => (policy.soft(0.5), plain, plain / 2),
        5 => (policy.failover(), plain, 0),
        6 => (policy.hits(3).refresh_hits(1), plain, plain),
        7 => {
            let policy = Policy::new().ttl("forever").refresh_hits(2);
            (policy, FOREVER, FOREVER)
        }
        _ => (policy, plain, plain),
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).expect("a short time")
}
