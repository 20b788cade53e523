//! Bloom filters: no call for what is certainly not there.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod asking;
