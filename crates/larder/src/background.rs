//! Values that are kept warm on an interval: one writes, many read.
//!
//! [`#[background]`](macro@crate::background) makes a function the writer of its value: `rates::start()` begins its schedule, and calls of `rates()` are hits. In this process
//! a key has one writer; between processes that share a store one writes at a time, and another takes over when that one ends.
//! [`Cache::reader`] is for those who only read.
//!
//! | word | meaning |
//! |---|---|
//! | [`Status`] | how a schedule goes: `rates::status()` |
//! | [`Reader`] | a copy of its own of what another writes |
//! | [`Cache::shutdown`], [`shutdown`] | ends schedules, and waits for runs in progress |

pub(crate) mod beat;
pub(crate) mod keeper;
mod reader;
mod shutdown;
mod tenure;
pub(crate) mod writer;

pub use crate::cache::{Phase, Status};
pub use reader::{Pull, Reader, ReaderBuilder, reader};
use shutdown::known;
pub use shutdown::{Shutdown, shutdown};

#[cfg(doc)]
use crate::Cache;
