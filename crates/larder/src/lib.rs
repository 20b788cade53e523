//! Declarative caching: an attribute on a function keeps its results, for as long as a policy says, and forgets them when told.
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use larder::{cached, invalidates};
//!
//! #[cached(key = "square:{n}", ttl = "10m", tags = ["squares"])]
//! fn square(n: u64) -> u64 {
//!     n * n
//! }
//!
//! #[invalidates(square(n = n))]
//! fn forget_square(n: u64) {}
//!
//! assert_eq!(square(7), 49); // runs the body
//! assert_eq!(square(7), 49); // a hit
//! forget_square(7);
//! assert_eq!(square::explain(7)?.why(), "load: nothing is stored");
//! # }
//! # Ok::<(), larder::Error>(())
//! ```
//!
//! # Where to go
//!
//! - **Attributes.** [`cached`] reads or computes, [`cache_put`] always computes and stores, [`invalidates`] forgets after success.
//!   They work on `fn` and `async fn`, free functions and methods. A cached function has a typed handle of the same name:
//!   `square::{key, peek, put, refresh, invalidate, explain, stats, uncached}`; a method `user` has `svc.user_cache()`.
//! - **Freshness.** All knobs are in [`Policy`]; what they do to an entry's life is in [`Deadlines`] and [`Verdict`].
//! - **Keys.** Templates like `"user:{id}"` are readable and injective; [`Template`] does the same at run time, [`KeyPart`] lets your own types
//!   stand in them, [`escape`] makes any text safe.
//! - **Direct use.** [`cache()`] is the default [`Cache`], [`Cache::builder`] makes others: `get`, `get_or_load`, `set`, `increment`, `lock`, and so on; [`Cache::blocking`] is the same
//!   for threads.
//! - **Looking inside.** [`Explain`] says why the next call would hit or miss, [`Stats`] and [`FunctionStats`] count, [`Observer`] is told, [`detect`] collects what was read.
//! - **Scopes.** [`scope()`] switches operations off, forces misses or sets context values for one task or thread.
//! - **Tests.** [`testing`] runs cached functions in virtual time under a seed.
//!
//! # What holds always
//!
//! A value that was invalidated while it was being computed is returned to its caller and not stored. At most one load runs per key. A cached function returns what it
//! returned before, and what goes wrong in the cache is an [`Event`], not an error of the function; direct operations return [`Result`].
//!
//! # Features
//!
//! `macros`, `memory` and `tokio` are on by default. `tokio` lets background loads of async sources run on the Tokio runtime that is current; without it they get a thread.
//! `jwt` adds the `{token:jwt(claim)}` transform.

pub mod runtime;
pub mod testing;

mod blocking;
mod cache;
mod codec;
mod config;
pub mod conformance;
mod detect;
mod engine;
mod entry;
mod error;
mod event;
mod explain;
mod flight;
mod handle;
mod key;
mod lease;
mod lock;
mod memory;
mod ops;
mod policy;
mod scope;
mod selector;
mod shim;
mod stats;
pub mod store;
mod switch;
mod tag;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use blocking::Blocking;
pub use cache::{Builder, Cache, IntoWeight, cache, named, register, set_default, setup};
pub use codec::{Codec, Format, Portable, Unreadable, Wire};
pub use detect::{Read, Source, detect, detect_async};
pub use engine::{Cacheable, FunctionStats};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{Event, Observer};
pub use explain::{Entry, Explain, Next};
pub use handle::{AsyncHandle, SyncHandle};

pub use key::{Key, KeyPart, PartWriter, Template, escape};
#[cfg(feature = "macros")]
#[doc = include_str!("docs/cache_put.md")]
pub use larder_macros::cache_put;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/cached.md")]
pub use larder_macros::cached;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/invalidates.md")]
pub use larder_macros::invalidates;
pub use ops::{
    AcquireLock, GetOrLoad, GetOrLoadMany, Increment, Loading, Lock, Remaining, RenewLock, Set,
    SetMany,
};
pub use policy::{
    Deadlines, EarlyPoint, Fault, IntoEarly, IntoHits, IntoShare, IntoSpan, Policy, Span, Verdict,
};
pub use scope::{Scope, Scoped, scope};
pub use selector::Selector;
pub use stats::Stats;
pub use switch::Operations;

#[cfg(not(feature = "memory"))]
compile_error!(
    "larder needs a place to keep values: enable the feature `memory`, the only one so far"
);

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
