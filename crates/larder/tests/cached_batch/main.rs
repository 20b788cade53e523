//! `#[cached_batch]`: a function over many ids, kept id by id.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod asking;
mod handle;
mod hostile;
mod keeping;
mod shapes;
mod table;
