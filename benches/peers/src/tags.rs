//! The tag cases: what every subject that has tags does.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How many entries the common tag covers. Fewer in a quick run, which says so.
static COVERED: AtomicU64 = AtomicU64::new(1_000_000);

/// The tag that every entry has.
pub const COMMON: &str = "users";

pub fn entries() -> u64 {
    COVERED.load(Relaxed)
}

pub fn cover(entries: u64) {
    COVERED.store(entries, Relaxed);
}

/// The tag that only one entry has.
pub fn own(id: u64) -> String {
    format!("org:{id}")
}
