//! What a source says of its own result, and what it is told of what is kept.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod checking;
mod saying;
