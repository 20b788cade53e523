//! The timeline table: what each knob stamps, alone and together, and what contradicts.

mod refusals;
mod stamps;

use std::time::Duration;

use larder::Policy;

pub(crate) fn ten_minutes() -> Policy {
    Policy::new().ttl("10m")
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}
