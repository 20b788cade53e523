//! What a scope says of the calls that are made in it.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod age;
mod calls;
mod reach;
