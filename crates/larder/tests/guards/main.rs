//! Guards: what stands before the source, alone and under `#[cached]`.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod circuit_breaker;
mod locked;
mod rate_limit;
mod slow_call;
mod standing;
