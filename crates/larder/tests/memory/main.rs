//! The in-process tier: bounded, typed, and never dropping a user's value under a lock.

#[path = "../support/mod.rs"]
mod support;

mod bounds;
mod drops;
mod expiry;
mod values;
