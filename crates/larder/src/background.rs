//! Values that are kept warm on an interval: one writes, many read.
//!
//! [`#[background]`](macro@crate::background) makes a function the writer of its value: `rates::start()` begins its schedule, and calls of `rates()` are hits. In this process
//! a key has one writer; between processes that share a store one writes at a time, and another takes over when that one ends.
//! [`Cache::reader`] is for those who only read.
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use std::time::Duration;
//! use larder::background::Phase;
//! use larder::testing::Simulation;
//! use larder::{Cache, background};
//!
//! #[background(cache = cache, key = "rates", every = "30s")]
//! async fn rates(cache: &Cache) -> u64 {
//!     7
//! }
//!
//! let simulation = Simulation::new(1);
//! let cache = simulation.cache_builder().build()?;
//! rates::start(&cache)?;
//! let reader = rates::reader(&cache).every("5s").start()?;
//! simulation.advance(Duration::from_secs(60));
//! assert_eq!(reader.value(), Some(7));
//! let status = rates::status(&cache).unwrap();
//! assert_eq!(status.phase, Phase::Waiting);
//! assert!(status.runs >= 2);
//! # }
//! # Ok::<(), larder::Error>(())
//! ```
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
