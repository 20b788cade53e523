//! `#[cached_stream]`: what a stream or an iterator yields is recorded once and replayed.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod iterators;
#[cfg(feature = "stream")]
mod policies;
mod source;
#[cfg(feature = "stream")]
mod streams;
