//! Declarative caching for Rust.

pub mod runtime;

mod blocking;
mod cache;
mod config;
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
mod stats;
mod switch;
mod tag;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;

pub use blocking::Blocking;
pub use cache::{Builder, Cache, IntoWeight, cache, named, register, set_default, setup};
pub use detect::{Read, Source, detect, detect_async};
pub use engine::{Cacheable, FunctionStats};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{Event, Observer};
pub use explain::{Entry, Explain, Next};
pub use handle::{AsyncHandle, SyncHandle};

pub use key::{Key, KeyPart, PartWriter, Template, escape};
#[cfg(feature = "macros")]
pub use larder_macros::{cache_put, cached, invalidates};
pub use ops::{
    AcquireLock, GetOrLoad, GetOrLoadMany, Increment, Loading, Lock, Remaining, Set, SetMany,
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
