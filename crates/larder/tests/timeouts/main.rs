//! Calls that do not wait for ever: `timeout` and `hard_timeout`.

#[path = "../support/mod.rs"]
mod support;

mod hard;
mod soft;
mod sync;
