//! `user::warm(ids)`: loading many keys ahead of their readers.

#![cfg(feature = "macros")]

#[path = "../support/mod.rs"]
mod support;

mod hostile;
#[cfg(feature = "serde")]
mod shared;
mod warming;
