//! What a scope says of the calls that are made in it, and not of what these call in their turn.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Scope, any_open, current};
use crate::entry::Slot;
use crate::policy::{Fault, IntoSpan, Policy, Span, Verdict};
use crate::runtime::Timestamp;

/// Overrides, of which each that says nothing is as if there were none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) bypass: bool,
    pub(crate) ttl: Option<Span>,
    /// How long past the instant from which it is due for a reload an entry is still served, in nanoseconds.
    pub(crate) max_stale: Option<u64>,
    pub(crate) key: Option<Arc<OneKey>>,
    /// What is wrong with a span that was said.
    pub(crate) fault: Option<Fault>,
}

/// The key of one call: of the first that asks for it, and of those with the same arguments.
pub(crate) struct OneKey {
    pub(crate) text: String,
    /// The key that the call would have had.
    taken: Mutex<Option<String>>,
}

impl OneKey {
    pub(crate) fn is_for(&self, own: &str) -> bool {
        let mut taken = self.taken.lock();
        taken.get_or_insert_with(|| own.to_owned()) == own
    }
}

impl fmt::Debug for OneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OneKey").field(&self.text).finish()
    }
}

impl Overrides {
    /// Whether an entry may be served that is due for a reload at `due`.
    pub(crate) fn allow(&self, due: u64, now: u64) -> bool {
        self.max_stale
            .is_none_or(|most| now < due.saturating_add(most))
    }

    /// Whether this entry may be served. One whose hits are used up is due too.
    pub(crate) fn allow_entry(&self, slot: &Slot, now: Timestamp) -> bool {
        let Some(most) = self.max_stale else {
            return true;
        };
        let is_due = || slot.verdict(now) == Verdict::Refresh;
        self.allow(slot.fresh_until(), now.as_nanos()) && !(most == 0 && is_due())
    }

    /// The policy of a call.
    pub(crate) fn policy(&self, policy: Policy) -> Policy {
        match self.ttl {
            Some(ttl) => policy.ttl(ttl),
            None => policy,
        }
    }

    pub(crate) fn say_nothing(&self) -> bool {
        let Self {
            bypass,
            ttl,
            max_stale,
            key,
            fault,
        } = self;
        !bypass && ttl.is_none() && max_stale.is_none() && key.is_none() && fault.is_none()
    }

    pub(super) fn over(self, outer: &Self) -> Self {
        Self {
            bypass: self.bypass || outer.bypass,
            ttl: self.ttl.or(outer.ttl),
            // A scope inside another does not allow what the outer one forbids.
            max_stale: match (self.max_stale, outer.max_stale) {
                (Some(own), Some(outer)) => Some(own.min(outer)),
                (own, outer) => own.or(outer),
            },
            key: self.key.or_else(|| outer.key.clone()),
            fault: self.fault.or(outer.fault),
        }
    }

    pub(crate) fn set_max_stale(&mut self, span: impl IntoSpan) {
        match span.into_span() {
            Ok(span) => self.max_stale = Some(span.0),
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// Overrides of calls: of those that are made in the scope itself. What their bodies call is not concerned, nor is a reload that runs behind them.
impl Scope {
    /// Calls run their bodies past the cache: nothing is read, nothing is stored.
    ///
    /// For functions and [`get_or_load`](crate::Cache::get_or_load). To have a body run and its value stored, use the handle's `refresh`.
    ///
    /// ```
    /// # #[cfg(feature = "macros")] {
    /// # use larder::cached;
    /// #[cached(key = "now:{zone}", ttl = "1m")]
    /// fn now(zone: u8) -> u8 {
    ///     zone
    /// }
    ///
    /// larder::scope().bypass().run(|| now(2));
    /// assert_eq!(now::peek(2).unwrap(), None);
    /// # }
    /// ```
    pub fn bypass(mut self) -> Self {
        self.settings.overrides.bypass = true;
        self
    }

    /// For how long what is loaded by calls in this scope is fresh, whatever else says so. An entry that is there already keeps its own.
    ///
    /// A span that cannot be is told by the event `BadPolicy`, and nothing is stored.
    pub fn ttl(mut self, span: impl IntoSpan) -> Self {
        match span.into_span() {
            Ok(span) => self.settings.overrides.ttl = Some(span),
            Err(fault) => self.settings.overrides.fault = Some(fault),
        }
        self
    }

    /// The key of one call of a cached function, without the cache's prefix: of the first call in this scope, and of further ones with the same arguments.
    ///
    /// All others keep their own keys. Two functions of the same type could otherwise be given each other's values.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.settings.overrides.key = Some(Arc::new(OneKey {
            text: key.into(),
            taken: Mutex::default(),
        }));
        self
    }

    /// Serves nothing that is overdue for longer than this: a call would rather load, wait, or fail.
    ///
    /// Counted from the instant from which an entry is due for a reload, which is the end of its `ttl`, or `early` or `soft` if one is set. It concerns what `stale` serves, what stands in for a
    /// failure or a timeout, and what is throttled.
    pub fn max_stale(mut self, span: impl IntoSpan) -> Self {
        self.settings.overrides.set_max_stale(span);
        self
    }

    /// Serves fresh entries only; for anything else the call loads in the foreground, and fails if the load does.
    ///
    /// ```
    /// # #[cfg(feature = "macros")] {
    /// # use larder::cached;
    /// #[cached(key = "stock:{item}", ttl = "1m", stale = "1h")]
    /// fn stock(item: u8) -> u8 {
    ///     item
    /// }
    ///
    /// // Before money changes hands, what is stale will not do.
    /// larder::scope().require_fresh().run(|| stock(7));
    /// # }
    /// ```
    pub fn require_fresh(mut self) -> Self {
        self.settings.overrides.max_stale = Some(0);
        self
    }

    pub(crate) fn overriding(mut self, overrides: Overrides) -> Self {
        self.settings.overrides = overrides;
        self
    }
}

thread_local! {
    /// Whether a source is being polled on this thread since the innermost scope was entered: its calls are not those of the scope.
    static MASKED: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, overrides are masked, or are not.
#[derive(Debug)]
pub(crate) struct Mask(bool);

impl Mask {
    /// A source begins to be polled.
    pub(crate) fn on() -> Self {
        Self(MASKED.replace(true))
    }

    /// A scope is entered.
    pub(super) fn off() -> Self {
        Self(MASKED.replace(false))
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        MASKED.set(self.0);
    }
}

/// Whether what the scope overrides does not hold for calls that are made here and now.
pub(super) fn is_masked() -> bool {
    MASKED.get()
}

/// What holds for a call that is made here and now.
pub(crate) fn overrides() -> Overrides {
    if !any_open() || is_masked() {
        return Overrides::default();
    }
    current().map_or_else(Overrides::default, |settings| settings.overrides.clone())
}
