//! `#[background]`: one writes on an interval, many read.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod keeping;
