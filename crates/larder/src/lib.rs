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
//! - **Attributes.** [`cached`] reads or computes, [`cache_put`] always computes and stores, [`invalidates`] forgets after success,
//!   [`cached_batch`] keeps a function over many ids id by id, [`cached_stream`] what a stream or an iterator yields.
//!   They work on `fn` and `async fn`, free functions and methods. A cached function has a typed handle of the same name:
//!   `square::{key, peek, put, refresh, invalidate, explain, inspect, warm, stats, uncached}`; a method `user` has `svc.user_cache()`.
//! - **Freshness.** All knobs are in [`Policy`]; what they do to an entry's life is in [`Deadlines`] and [`Verdict`].
//! - **Keys.** Templates like `"user:{id}"` are readable and injective; [`Template`] does the same at run time, [`KeyPart`] lets your own types
//!   stand in them, [`escape`] makes any text safe.
//! - **Direct use.** [`cache()`] is the default [`Cache`], [`Cache::builder`] makes others: `get`, `get_or_load`, `set`, `increment`, `lock`, and so on; [`Cache::blocking`] is the same
//!   for threads.
//! - **Stores.** [`setup`] takes a URL: memory, Redis, Memcached, SQLite, files, object stores, or a chain of them. What each promises stands in [`store`], which is
//!   also what a store of your own implements; [`conformance`] proves it.
//! - **Codecs.** [`Codec`] turns values into bytes: formats, compression, signing, encryption. [`Portable`] and [`Wire`] say how a type does it, [`local!`](crate::local) that it stays in this process.
//! - **Configuration.** [`config`] says what URLs, files and `LARDER_*` variables may say; [`setup_from_file`], [`setup_from_env`].
//! - **Looking inside.** [`Explain`] says why the next call would hit or miss, [`Stats`] and [`FunctionStats`] count, [`Observer`] is told, [`detect`] collects what was read.
//! - **Around operations.** [`middleware`] renames keys, leaves operations out, sees how they end.
//! - **Rules.** [`rules`] say what is forgotten when something happens in the program.
//! - **Scopes.** [`scope()`] switches operations off, forces misses or sets context values for one task or thread, and overrides single calls: their ttl, their key, how stale they may be.
//! - **One load.** [`Policy::timeout`] and [`Policy::hard_timeout`] bound the wait for it, [`Loaded`] says more of its result, [`kept`] shows it what is there, [`Cached`] tells how a value came.
//! - **Guards.** [`locked`], [`rate_limit`], [`circuit_breaker`], [`slow_call`], [`bloom`] refuse, delay or bound calls of a source; see [`guard`].
//! - **Kept warm.** [`macro@background`] runs a function on an interval; see [`mod@background`].
//! - **Transactions.** [`transactional`] and [`transaction`] show changes all together; [`deferred()`] holds invalidations back until a database has committed.
//! - **Runtime.** [`runtime`] is where time and tasks come from.
//! - **Tests.** [`testing`] runs cached functions in virtual time under a seed.
//!
//! # What holds always
//!
//! A value that was invalidated while it was being computed is returned to its caller and not stored; between processes, where the store's leases reach them
//! ([`LeaseLevel`](store::LeaseLevel)). In a process at most one load runs per key, unless a call has waited longer than `wait` or the key was invalidated meanwhile. A cached function returns what it
//! returned before, and what goes wrong in the cache is an [`Event`], not an error of the function; direct operations return [`Result`].
//!
//! # Features
//!
//! | feature | what it brings | default |
//! |---|---|---|
//! | `macros` | the attributes | yes |
//! | `memory` | the tier in this process | yes |
//! | `tokio` | background loads of async sources run on the Tokio runtime that is current; without it they get a thread | yes |
//! | `stream` | `#[cached_stream]` for functions that return a `Stream` (of `futures-core`); for iterators it needs nothing | |
//! | `jwt` | the `{token:jwt(claim)}` transform of keys | |
//! | `redis`, `memcached`, `sqlite`, `file`, `s3`, `gcs`, `azure` | a store each, and `serde` | |
//! | `serde` | values become bytes: any serde type, as MessagePack | |
//! | `json`, `postcard` | more formats | |
//! | `zstd`, `lz4`, `gzip` | compression | |
//! | `sign`, `encrypt` | entries that only those with the secret can write, or read | |
//! | `yaml`, `toml` | configuration in files | |

pub mod background;
pub mod runtime;
pub mod testing;

mod blocking;
mod cache;
mod codec;
pub mod config;
pub mod conformance;
mod deferred;
mod detect;
mod engine;
mod entry;
mod error;
mod event;
mod explain;
mod flight;
pub mod guard;
mod handle;
mod inspect;
mod key;
mod lease;
mod loaded;
mod lock;
mod memory;
pub mod middleware;
mod ops;
mod overlay;
mod policy;
pub mod rules;
mod scope;
mod selector;
mod shim;
mod stats;
pub mod store;
mod switch;
mod tag;
pub mod transaction;
mod warmed;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use background::reader;
pub use blocking::Blocking;
pub use cache::{
    Builder, Cache, IntoWeight, Rules, Subscription, Told, cache, named, register, set_default,
    setup,
};
#[cfg(any(feature = "sign", feature = "encrypt"))]
pub use codec::SealKey;
#[cfg(feature = "sign")]
pub use codec::Signature;
pub use codec::{Codec, CodecBuilder, Compression, Format, Portable, Unreadable, Wire};
pub use config::{setup_from_env, setup_from_file};
pub use deferred::{CommitDeferred, Deferred, deferred};
pub use detect::{Detected, Read, Removal, Source, Write, detect, detect_async};
pub use engine::Cacheable;
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{Event, Observer, Unrecorded};
pub use explain::{Entry, Explain, Next};
pub use guard::{Reason, Refused};
pub use handle::{AsyncHandle, SyncHandle};
pub use inspect::Cached;

pub use key::{Key, KeyPart, PartWriter, Template, escape};
pub use loaded::{Kept, Loaded, kept};

#[cfg(feature = "macros")]
#[doc = include_str!("docs/background.md")]
pub use larder_macros::background;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/bloom.md")]
pub use larder_macros::bloom;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/cache_put.md")]
pub use larder_macros::cache_put;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/cached.md")]
pub use larder_macros::cached;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/cached_batch.md")]
pub use larder_macros::cached_batch;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/cached_stream.md")]
pub use larder_macros::cached_stream;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/circuit_breaker.md")]
pub use larder_macros::circuit_breaker;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/invalidates.md")]
pub use larder_macros::invalidates;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/locked.md")]
pub use larder_macros::locked;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/rate_limit.md")]
pub use larder_macros::rate_limit;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/slow_call.md")]
pub use larder_macros::slow_call;
#[cfg(feature = "macros")]
#[doc = include_str!("docs/transactional.md")]
pub use larder_macros::transactional;
pub use ops::{
    AcquireLock, AsyncBloom, BloomCall, GetOrLoad, GetOrLoadMany, Guarded, Increment, Loading,
    Local, Lock, Remaining, RenewLock, Set, SetMany, SyncBloom, Warm, Warming,
};
pub use policy::{
    Deadlines, EarlyPoint, Fault, IntoEarly, IntoHits, IntoShare, IntoSpan, Policy, Span, Strategy,
    Verdict,
};
pub use scope::{Scope, Scoped, scope};
pub use selector::Selector;
pub use stats::{FunctionStats, Stats, TemplateStats};
pub use switch::Operations;
pub use warmed::Warmed;

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The guide: its code is compiled where everything that it speaks of is there.
#[cfg(all(
    doctest,
    feature = "file",
    feature = "json",
    feature = "macros",
    feature = "memory",
    feature = "redis",
    feature = "sqlite"
))]
mod guide {
    #[doc = include_str!("../../../docs/middleware.md")]
    struct Middleware;

    #[doc = include_str!("../../../docs/observing.md")]
    struct Observing;

    #[doc = include_str!("../../../docs/rules.md")]
    struct Rules;

    #[doc = include_str!("../../../docs/bloom.md")]
    struct Bloom;

    #[doc = include_str!("../../../docs/scoped.md")]
    struct Scoped;

    #[doc = include_str!("../../../docs/stores.md")]
    struct Stores;

    #[doc = include_str!("../../../docs/tiers.md")]
    struct Tiers;

    #[doc = include_str!("../../../docs/codecs.md")]
    struct Codecs;

    #[doc = include_str!("../../../docs/configuration.md")]
    struct Configuration;

    #[doc = include_str!("../../../docs/loaded.md")]
    struct LoadedPage;

    #[doc = include_str!("../../../docs/overrides.md")]
    struct Overrides;

    #[doc = include_str!("../../../docs/timeouts.md")]
    struct Timeouts;

    #[doc = include_str!("../../../docs/outages.md")]
    struct Outages;

    #[doc = include_str!("../../../docs/batches.md")]
    struct Batches;

    #[doc = include_str!("../../../docs/streams.md")]
    struct Streams;

    #[doc = include_str!("../../../docs/own-store.md")]
    struct OwnStore;

    #[doc = include_str!("../../../docs/start.md")]
    struct Start;

    #[doc = include_str!("../../../docs/timeline.md")]
    struct Timeline;

    #[doc = include_str!("../../../docs/kept.md")]
    struct Kept;

    #[doc = include_str!("../../../docs/keys.md")]
    struct Keys;

    #[doc = include_str!("../../../docs/invalidation.md")]
    struct Invalidation;

    #[doc = include_str!("../../../docs/direct.md")]
    struct Direct;

    #[doc = include_str!("../../../docs/loads.md")]
    struct Loads;

    #[doc = include_str!("../../../docs/handles.md")]
    struct Handles;

    #[doc = include_str!("../../../docs/choosing.md")]
    struct Choosing;

    #[doc = include_str!("../../../docs/testing.md")]
    struct Testing;

    #[doc = include_str!("../../../docs/operating.md")]
    struct Operating;

    #[doc = include_str!("../../../docs/security.md")]
    struct Security;

    #[doc = include_str!("../../../docs/performance.md")]
    struct Performance;

    #[doc = include_str!("../../../docs/guards.md")]
    struct Guards;

    #[doc = include_str!("../../../docs/from-pyfly.md")]
    struct FromPyfly;

    #[doc = include_str!("../../../docs/from-privex.md")]
    struct FromPrivex;

    #[doc = include_str!("../../../docs/from-easy-cache.md")]
    struct FromEasyCache;

    #[doc = include_str!("../../../docs/from-advanced-caching.md")]
    struct FromAdvancedCaching;

    #[doc = include_str!("../../../docs/from-cashews.md")]
    struct FromCashews;

    #[doc = include_str!("../../../docs/from-cached.md")]
    struct FromCached;

    #[doc = include_str!("../../../docs/from-moka.md")]
    struct FromMoka;

    #[doc = include_str!("../../../docs/from-hitbox.md")]
    struct FromHitbox;

    #[doc = include_str!("../../../docs/service.md")]
    struct Service;

    #[doc = include_str!("../../../docs/background.md")]
    struct Background;

    #[doc = include_str!("../../../docs/warming.md")]
    struct Warming;

    #[doc = include_str!("../../../docs/rate-limits.md")]
    struct RateLimits;

    #[doc = include_str!("../../../docs/slow-calls.md")]
    struct SlowCalls;

    #[doc = include_str!("../../../docs/locks.md")]
    struct Locks;

    #[doc = include_str!("../../../docs/transactions.md")]
    struct Transactions;

    #[doc = include_str!("../../../docs/circuit-breaker.md")]
    struct CircuitBreaker;
}
