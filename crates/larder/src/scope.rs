//! What holds for one task or one thread for a while: switched-off operations, forced misses, context values, detection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crate::detect::Recorder;
use crate::overlay::Layer;
use crate::switch::Operations;

mod overrides;

use overrides::is_masked;
pub(crate) use overrides::{Mask, Overrides, overrides};

/// A setting for all cache operations inside a future or a closure.
///
/// Scopes nest: the inner one adds to the outer one, and what was there is restored at its end, also after a panic or a
/// dropped future. A scope belongs to one task or one thread; tasks and threads started inside it do not inherit it. A load that runs behind its reader has the reader's context values, which its
/// key and its tags are made of, and nothing else.
///
/// ```
/// let cache = larder::Cache::builder().build()?;
/// let blocking = cache.blocking();
/// blocking.set("k", &1_u64).ttl("1m").wait()?;
/// larder::scope().invalidate_further().run(|| {
///     assert_eq!(blocking.get::<u64>("k").unwrap(), None);
/// });
/// larder::scope().off(larder::Operations::READ).run(|| {
///     assert_eq!(blocking.get::<u64>("k").unwrap(), None);
/// });
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a scope does nothing until something runs in it"]
pub struct Scope {
    settings: Settings,
}

#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) off: Operations,
    pub(crate) invalidate_further: bool,
    pub(crate) context: BTreeMap<String, String>,
    pub(crate) recorders: Vec<Arc<Recorder>>,
    pub(crate) cache: Option<crate::Cache>,
    pub(crate) fence: Fence,
    pub(crate) overrides: Overrides,
    /// Changes that nobody outside sees yet, from the outermost on.
    pub(crate) layers: Vec<Layer>,
}

/// The fencing number of the innermost lock.
#[derive(Clone, Copy, Default)]
pub(crate) enum Fence {
    /// What the scope outside says.
    #[default]
    Outer,
    /// There should be a lock, and there is none.
    None,
    Of(u64),
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Context values may be tenants or users: names only.
        f.debug_struct("Settings")
            .field("off", &self.off)
            .field("invalidate_further", &self.invalidate_further)
            .field("context", &self.context.keys())
            .finish_non_exhaustive()
    }
}

/// A scope that changes nothing yet.
pub fn scope() -> Scope {
    Scope::default()
}

/// How many scopes are open anywhere: while it is 0, nobody pays for looking.
static OPEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static CURRENT: RefCell<Option<Arc<Settings>>> = const { RefCell::new(None) };
}

impl Scope {
    /// Operations that do nothing inside: reads miss, writes and removals are left out.
    ///
    /// Cached functions still work; with everything off they just call their source.
    pub fn off(mut self, operations: Operations) -> Self {
        self.settings.off |= operations;
        self
    }

    /// Reads inside are misses, and what they would have found is removed, so that everything used inside is loaded anew (cashews' `invalidate_further`).
    pub fn invalidate_further(mut self) -> Self {
        self.settings.invalidate_further = true;
        self
    }

    /// A context value for keys: `{@client}` in a template.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.context.insert(name.into(), value.into());
        self
    }

    /// The cache that takes the place of the default one inside, for tests of functions that use the default.
    pub fn default_cache(mut self, cache: &crate::Cache) -> Self {
        self.settings.cache = Some(cache.clone());
        self
    }

    pub(crate) fn fenced(mut self, fence: Fence) -> Self {
        self.settings.fence = fence;
        self
    }

    pub(crate) fn record(mut self, recorder: Arc<Recorder>) -> Self {
        self.settings.recorders.push(recorder);
        self
    }

    pub(crate) fn under(mut self, layer: Layer) -> Self {
        self.settings.layers.push(layer);
        self
    }

    /// Runs a closure inside.
    pub fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let settings = Arc::new(self.settings.inside_current());
        let _open = Open::new();
        let _entered = Entered::new(Some(settings));
        f()
    }

    /// Wraps a future so that each of its polls is inside.
    ///
    /// What the outer scope is, is decided here, when the future is wrapped.
    pub fn wrap<F: Future>(self, future: F) -> Scoped<F> {
        Scoped {
            future: Box::pin(future),
            settings: Arc::new(self.settings.inside_current()),
            _open: Open::new(),
        }
    }
}

/// A future inside a [`Scope`]. Dropping it drops the future; the scope ends with it.
#[derive(Debug)]
pub struct Scoped<F> {
    future: Pin<Box<F>>,
    settings: Arc<Settings>,
    _open: Open,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let _entered = Entered::new(Some(Arc::clone(&self.settings)));
        self.future.as_mut().poll(context)
    }
}

/// Counts as open while it lives.
#[derive(Debug)]
struct Open;

impl Open {
    fn new() -> Self {
        OPEN.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The settings are current on this thread while it lives; then what was there before is.
struct Entered {
    before: Option<Arc<Settings>>,
    _unmasked: Mask,
}

impl Entered {
    fn new(settings: Option<Arc<Settings>>) -> Self {
        Self {
            before: CURRENT.replace(settings),
            _unmasked: Mask::off(),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.before.take());
    }
}

impl Settings {
    fn inside_current(self) -> Self {
        let Some(outer) = current() else {
            return self;
        };
        let mut merged = (*outer).clone();
        merged.off |= self.off;
        merged.invalidate_further |= self.invalidate_further;
        merged.context.extend(self.context);
        merged.recorders.extend(self.recorders);
        merged.overrides = self.overrides.over(&overrides());
        merged.layers.extend(self.layers);
        merged.cache = self.cache.or(merged.cache);
        if !matches!(self.fence, Fence::Outer) {
            merged.fence = self.fence;
        }
        merged
    }
}

/// Runs something that is in no scope, though it runs on this thread meanwhile.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(None);
    f()
}

/// Runs something in which calls have the keys that they have without any scope.
pub(crate) fn with_own_keys<R>(f: impl FnOnce() -> R) -> R {
    if overrides().key.is_none() {
        return f();
    }
    let mut settings = current().map_or_else(Settings::default, |settings| (*settings).clone());
    settings.overrides.key = None;
    let _entered = Entered::new(Some(Arc::new(settings)));
    f()
}

/// The context values of a task or thread, for a load that goes on without it.
#[derive(Debug)]
pub(crate) struct Context(Option<(Arc<Settings>, Open)>);

impl Context {
    /// Those of this task or thread.
    pub(crate) fn here() -> Self {
        let settings = current().filter(|settings| !settings.context.is_empty());
        Self(settings.map(|settings| {
            let own = Settings {
                context: settings.context.clone(),
                ..Settings::default()
            };
            (Arc::new(own), Open::new())
        }))
    }

    /// Runs something with these values and no other scope.
    pub(crate) fn enter<R>(&self, f: impl FnOnce() -> R) -> R {
        within(self.0.as_ref().map(|(settings, _)| Arc::clone(settings)), f)
    }
}

/// Runs something in the scope of another thread.
pub(crate) fn within<R>(settings: Option<Arc<Settings>>, f: impl FnOnce() -> R) -> R {
    let _entered = Entered::new(settings);
    f()
}

/// Takes the current scope along to where a future or a closure goes on. It holds there until that ends, whatever becomes of the scope itself.
pub(crate) struct Along {
    settings: Option<Arc<Settings>>,
    open: Option<Open>,
}

impl Along {
    pub(crate) fn new() -> Self {
        let settings = current().map(|settings| match is_masked() {
            // Of a call that a source makes: what it runs is no call of the scope either.
            true => Arc::new(Settings {
                overrides: Overrides::default(),
                ..(*settings).clone()
            }),
            false => settings,
        });
        Self {
            open: settings.as_ref().map(|_| Open::new()),
            settings,
        }
    }

    pub(crate) fn run<R>(self, f: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(self.settings);
        let _open = self.open;
        f()
    }

    pub(crate) async fn wrap<F: Future + Unpin>(self, mut future: F) -> F::Output {
        let _open = self.open;
        std::future::poll_fn(|context| {
            let _entered = Entered::new(self.settings.clone());
            Pin::new(&mut future).poll(context)
        })
        .await
    }
}

/// Whether any scope is open in the process; if not, there is none here either.
#[inline]
pub(crate) fn any_open() -> bool {
    OPEN.load(Ordering::Relaxed) != 0
}

/// The settings of this task or thread.
pub(crate) fn current() -> Option<Arc<Settings>> {
    if !any_open() {
        return None;
    }
    CURRENT.with_borrow(Clone::clone)
}

/// A context value of this task or thread.
pub(crate) fn context_value(name: &str) -> Option<String> {
    current()?.context.get(name).cloned()
}
