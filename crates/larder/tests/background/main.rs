//! `#[background]`: one writes on an interval, many read.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod hostile;
mod keeping;
mod odd_locks;
mod readers;
mod runtimes;
#[cfg(feature = "serde")]
mod shared;
