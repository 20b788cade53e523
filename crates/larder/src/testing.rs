//! A seeded, single-threaded world with virtual time, for tests of cached functions.
//!
//! A [`Simulation`] is a [`Runtime`](crate::runtime::Runtime): the real engine runs in it, but time passes only when nobody has
//! anything to do, and a seed decides who goes next. What a seed does once it does each time, so a race that was
//! found stays found. [`explore`] tries many seeds.
//!
//! ```
//! use std::time::Duration;
//! use larder::testing::explore;
//!
//! async fn price(of: u32) -> Result<u32, std::io::Error> {
//!     Ok(of * 100)
//! }
//!
//! explore(0..100, |simulation| {
//!     let cache = simulation.cache_builder().build().unwrap();
//!     for _ in 0..3 {
//!         let (cache, world) = (cache.clone(), simulation.clone());
//!         simulation.spawn(async move {
//!             let loaded = cache.get_or_load("price:7", || async {
//!                 world.sleep(Duration::from_millis(20)).await;
//!                 price(7).await
//!             });
//!             assert_eq!(loaded.ttl("10m").await.unwrap(), 700);
//!         });
//!     }
//!     simulation.run();
//!     // Three asked at the same time: one load.
//!     assert_eq!(cache.stats().loads, 1);
//! });
//! ```
//!
//! Functions that use the default cache find the simulated one inside a scope:
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use std::time::Duration;
//! use larder::cached;
//! use larder::testing::Simulation;
//!
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//!
//! #[cached(key = "price:{of}", ttl = "10m")]
//! async fn price(of: u32) -> u32 {
//!     CALLS.fetch_add(1, Ordering::Relaxed);
//!     of * 100
//! }
//!
//! let simulation = Simulation::new(7);
//! let cache = simulation.cache_builder().build().unwrap();
//! let ask = || larder::scope().default_cache(&cache).wrap(price(7));
//!
//! simulation.block_on(ask());
//! simulation.advance(Duration::from_secs(599));
//! simulation.block_on(ask());
//! assert_eq!(CALLS.load(Ordering::Relaxed), 1);
//!
//! simulation.advance(Duration::from_secs(1));
//! simulation.block_on(ask());
//! assert_eq!(CALLS.load(Ordering::Relaxed), 2);
//! # }
//! ```

mod blocking;
mod explore;
mod simulation;
mod sleep;
mod state;
mod store;
mod under_way;
mod world;
mod yielding;

pub use explore::explore;
pub use simulation::{Simulation, Spawned};
pub use store::{Faults, MemoryStore};
pub use under_way::{UnderWay, under_way};
pub use world::Stuck;
pub use yielding::{YieldNow, yield_now};
