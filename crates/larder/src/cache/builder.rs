//! Building a cache.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use larder_syntax::size;

use super::{
    Background, Book, Cache, Callbacks, Inner, Outside, Relay, Schedules, Sweeper, Weighers,
};
use crate::codec::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Observer, Observers};
use crate::guard::{Here, States};
use crate::key::Template;
use crate::lease::Leases;
use crate::lock::Locks;
use crate::memory::{Bound, DEFAULT_ENTRIES, Memory};
use crate::middleware::{Chain, Middleware};
use crate::policy::{IntoSpan, Policy, Span};
use crate::runtime::{Runtime, default_runtime};
use crate::stats::{Counters, Templates};
use crate::store::Store;
use crate::switch::{Operations, Switch};
use crate::tag::Tags;

/// What the keys of a cache with a store begin with, unless it has a prefix of its own.
const OWN_PREFIX: &str = "larder:";

/// What a [`Cache`] is made of.
///
/// Nothing is checked before [`build`](Self::build), which reports the first thing that is wrong.
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    name: String,
    prefix: String,
    entries: u64,
    weight: Option<u64>,
    weighers: Weighers,
    defaults: Policy,
    observers: Observers,
    middleware: Chain,
    templates: Vec<Template>,
    runtime: Option<Arc<dyn Runtime>>,
    background: usize,
    off: Operations,
    store: Option<Arc<dyn Store>>,
    codec: Codec,
    memory_ttl: Option<u64>,
    is_strict: bool,
    relay: Arc<Relay>,
    advice: Vec<(&'static str, String)>,
    fault: Option<Error>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            name: "unnamed".into(),
            prefix: String::new(),
            entries: DEFAULT_ENTRIES,
            weight: None,
            weighers: Weighers::default(),
            defaults: Policy::new(),
            observers: Observers::default(),
            middleware: Chain::default(),
            templates: Vec::new(),
            runtime: None,
            background: 64,
            off: Operations::NONE,
            store: None,
            codec: Codec::default(),
            memory_ttl: None,
            is_strict: false,
            relay: Arc::default(),
            advice: Vec::new(),
            fault: None,
        }
    }

    /// Reads all that URLs can say, set apart by spaces: memory, stores, chains, `off://`; see [`config`](crate::config). Stores are opened; nothing is connected to.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for an unknown scheme, an unknown parameter, a bad value or a secret that cannot be read, each with what would be right; what a store says when it
    /// is opened.
    pub fn url(self, url: &str) -> Result<Self> {
        crate::config::apply(self, url)
    }

    /// A name for messages and statistics. Default `"unnamed"`. [`named`](crate::named) finds the cache only after [`register`](crate::register).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What all keys of this cache begin with. Default: nothing in memory, `larder:` with a store.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many entries it holds at most. Default 10 000.
    pub fn size(mut self, entries: u64) -> Self {
        self.entries = entries;
        self
    }

    /// Bounds the cache by weight instead: bytes, or text like `"64mb"`.
    ///
    /// An entry weighs what its policy says, else what its type's [`weigher`](Self::weigher) says, else the size of its type plus its key.
    /// `size` then guesses how many entries that is. An entry heavier than about the weight divided by the number of cores is not kept.
    pub fn weight(mut self, weight: impl IntoWeight) -> Self {
        match weight.into_weight() {
            Ok(weight) => self.weight = Some(weight),
            Err(error) => self.fault = self.fault.or(Some(error)),
        }
        self
    }

    /// How the weight of a `T`, or of an `Arc<T>`, is found. Called once per write, outside all locks.
    pub fn weigher<T: Any>(mut self, weigh: impl Fn(&T) -> u32 + Send + Sync + 'static) -> Self {
        let weigh = Arc::new(move |value: &dyn Any| {
            let arc = value.downcast_ref::<Arc<T>>().map(|arc| &**arc);
            value.downcast_ref::<T>().or(arc).map(&weigh)
        });
        self.weighers.0.insert(TypeId::of::<T>(), weigh.clone());
        self.weighers.0.insert(TypeId::of::<Arc<T>>(), weigh);
        self
    }

    /// The policy of calls that give no ttl of their own (in an attribute: `ttl = "default"`).
    ///
    /// It needs a `ttl` to count at all. A call with its own ttl takes nothing from it; a call without one takes all of it, with its own other knobs on top.
    pub fn defaults(mut self, policy: Policy) -> Self {
        self.defaults = policy;
        self
    }

    /// Who is told what happens. Hits cost more when somebody listens.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.0.push(Arc::new(observer));
        self
    }

    /// What stands around all operations; the first one is the outermost. See [`middleware`](crate::middleware).
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.middleware.add(middleware);
        self
    }

    /// Counts direct operations on the keys of a template by themselves, for [`stats_by_template`](Cache::stats_by_template). A key that several could have rendered counts for the
    /// first.
    pub fn template(mut self, template: Template) -> Self {
        self.templates.push(template);
        self
    }

    /// Where time and tasks come from. Default: [`SystemRuntime`](crate::runtime::SystemRuntime).
    pub fn runtime(mut self, runtime: Arc<dyn Runtime>) -> Self {
        self.runtime = Some(runtime);
        self
    }

    pub(crate) fn runtime_so_far(&self) -> Arc<dyn Runtime> {
        self.runtime.clone().unwrap_or_else(default_runtime)
    }

    /// How many loads may run behind at once. Default 64; past that stale entries are served without a reload and an event says so.
    pub fn background_loads(mut self, limit: usize) -> Self {
        self.background = limit;
        self
    }

    /// Where values are kept outside this process. Memory then holds only what cannot leave it; see [`memory_ttl`](Self::memory_ttl).
    ///
    /// Without a [`prefix`](Self::prefix) of its own the cache gets `larder:`, so that it never meets what others keep there.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Keeps a copy in memory of what the store holds, for at most so long.
    ///
    /// What another process invalidates is seen here when that time is over, or at once if the store tells of changes (Redis with `client_side=1`).
    pub fn memory_ttl(mut self, span: impl IntoSpan) -> Self {
        match span.into_span() {
            Ok(Span(span)) => self.memory_ttl = Some(span),
            Err(fault) => {
                let error = Error::new(ErrorKind::Config, "memory_ttl", fault.message());
                self.fault = self.fault.or(Some(error));
            }
        }
        self
    }

    /// How values become bytes in the store. Default: MessagePack, neither compressed nor sealed.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Makes an error of the store an error of [`get_or_load`](Cache::get_or_load) too, which otherwise goes to its source.
    ///
    /// A cached function says `strict` itself: its own error type has to take the store's.
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Who is told what befalls the stores that are opened for this cache.
    pub(crate) fn relay(&self) -> Arc<Relay> {
        Arc::clone(&self.relay)
    }

    /// What is to be told once it is built.
    pub(crate) fn advise(mut self, id: &'static str, message: String) -> Self {
        self.advice.push((id, message));
        self
    }

    /// Starts with operations switched off.
    pub fn off(mut self, operations: Operations) -> Self {
        self.off |= operations;
        self
    }

    /// The cache.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] or [`ErrorKind::InvalidPolicy`] for what was given wrong.
    pub fn build(self) -> Result<Cache> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if cfg!(not(feature = "memory"))
            && self.store.is_none()
            && !self.off.contains(Operations::ALL)
        {
            return Err(Error::new(
                ErrorKind::Config,
                "build",
                "there is no place to keep values: give the cache a store, or enable the feature `memory`",
            ));
        }
        let defaults = self.defaults.check()?;
        let bound = match self.weight {
            Some(total) => Bound::Weight {
                total,
                entries: self.entries,
            },
            None => Bound::Entries(self.entries),
        };
        let prefix = match self.store {
            Some(_) if self.prefix.is_empty() => OWN_PREFIX.to_owned(),
            _ => self.prefix,
        };
        let runtime = self.runtime.unwrap_or_else(default_runtime);
        let switch = Switch::new(self.observers.are_any() || !self.middleware.is_empty());
        switch.turn_off(self.off);
        let cache = Cache::of(Arc::new(Inner {
            name: self.name.into(),
            prefix: prefix.into(),
            middleware: self.middleware,
            memory: Memory::new(bound)?,
            sweeper: Sweeper::default(),
            tags: Tags::default(),
            leases: Leases::new(),
            locks: Locks::default(),
            here: Here::new(runtime.clock()),
            states: States::default(),
            clock: runtime.clock(),
            runtime,
            defaults,
            stats: Counters::new(),
            templates: Templates::new(self.templates),
            observers: self.observers,
            callbacks: Callbacks::default(),
            book: Book::default(),
            switch,
            background: Background::new(self.background),
            schedules: Schedules::default(),
            weighers: self.weighers,
            closed: AtomicBool::new(false),
            is_strict: self.is_strict,
            outside: self
                .store
                .map(|store| Outside::new(store, self.codec, self.memory_ttl)),
        }));
        self.relay.connect(&cache.inner);
        cache.inner.listen();
        for (id, message) in &self.advice {
            cache.inner.tell(|| Event::Advice { id, message });
        }
        Ok(cache)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("size", &self.entries)
            .field("weight", &self.weight)
            .field("defaults", &self.defaults)
            .finish_non_exhaustive()
    }
}

/// Bytes, or text like `"64mb"`: `kb`, `mb`, `gb`, `tb` are powers of 1000, `kib`, `mib`, `gib`, `tib` of 1024.
pub trait IntoWeight {
    /// The weight.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for text that is no size.
    fn into_weight(self) -> Result<u64>;
}

impl IntoWeight for u64 {
    fn into_weight(self) -> Result<u64> {
        Ok(self)
    }
}

impl IntoWeight for &str {
    fn into_weight(self) -> Result<u64> {
        size::parse(self).map_err(|e| Error::new(ErrorKind::Config, "weight", e))
    }
}
