//! Telling of operations on some keys, for as long as somebody wants to hear.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Weak};

use larder_syntax::glob;
use parking_lot::RwLock;

use super::{Cache, Inner};
use crate::event::Event;
use crate::selector::Selector;
use crate::switch::Operations;

type Call = dyn Fn(&Told<'_>) + Send + Sync;

/// What a callback is told: an [`Event`], and what it means for a key.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Told<'a> {
    /// Whether something was read, written or removed.
    pub operation: Operations,
    /// The key as it was asked for, without the cache's prefix; `None` when a prefix, a pattern or tags were removed, or all.
    pub key: Option<&'a str>,
    /// The name of the cache.
    pub cache: &'a str,
    /// What happened.
    pub event: &'a Event<'a>,
}

/// A callback goes on being told until this is dropped.
///
/// Dropping it does not wait: a call that is running on another thread comes to its end.
#[must_use = "the callback is told nothing more once this is dropped: keep it, or say `keep()`"]
pub struct Subscription {
    inner: Weak<Inner>,
    id: u64,
}

#[derive(Default)]
pub(crate) struct Callbacks(RwLock<Listed>);

#[derive(Default)]
struct Listed {
    /// Replaced as a whole, so that calls run outside of the lock.
    all: Arc<Vec<Callback>>,
    last: u64,
}

#[derive(Clone)]
struct Callback {
    id: u64,
    operations: Operations,
    pattern: Arc<str>,
    /// What all keys of the pattern begin with.
    beginning: Arc<str>,
    call: Arc<Call>,
}

thread_local! {
    static CALLING: Cell<bool> = const { Cell::new(false) };
}

/// This thread is in a callback while it lives.
struct Calling;

impl Calling {
    fn begin() -> Option<Self> {
        (!CALLING.replace(true)).then_some(Self)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        CALLING.set(false);
    }
}

impl Cache {
    /// Tells a callback of operations on the keys that match a pattern, by Redis' rules, until the subscription is dropped.
    ///
    /// A READ is a hit or a miss, in memory or in the store; a WRITE is an entry that was stored, also a copy that memory takes of what the store holds; a REMOVE is an invalidation, and an entry that was evicted or
    /// whose time was over. Of a prefix, a pattern, tags or a `clear` nobody knows the keys: the callback is told once if some of its own may have been meant, with
    /// `key: None`.
    ///
    /// On a view ([`scoped`](Self::scoped)) the pattern is the view's own; what is told names the whole key, as always.
    ///
    /// It is called as an [`Observer`](crate::Observer) is: on the thread where it happened, after the fact, outside of locks. It must not block and must not panic. What it does to a cache itself is told to no callback, so
    /// that it cannot call itself for ever; observers hear of it. While a callback is there, hits cost what they cost with an observer.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use larder::Operations;
    ///
    /// let cache = larder::Cache::builder().build()?;
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let log = Arc::clone(&seen);
    /// let subscription = cache.on(Operations::WRITE, "user:*", move |told| {
    ///     log.lock().unwrap().extend(told.key.map(str::to_owned));
    /// });
    /// cache.blocking().set("user:7", &1_u64).ttl("1m").wait()?;
    /// cache.blocking().set("order:7", &1_u64).ttl("1m").wait()?;
    /// drop(subscription);
    /// cache.blocking().set("user:8", &1_u64).ttl("1m").wait()?;
    /// assert_eq!(*seen.lock().unwrap(), ["user:7"]);
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn on(
        &self,
        operations: Operations,
        pattern: &str,
        call: impl Fn(&Told<'_>) + Send + Sync + 'static,
    ) -> Subscription {
        let pattern = &*self.within_view(pattern);
        let mut listed = self.inner.callbacks.0.write();
        listed.last += 1;
        let id = listed.last;
        Arc::make_mut(&mut listed.all).push(Callback {
            id,
            operations,
            pattern: pattern.into(),
            beginning: glob::literal_prefix(pattern).into(),
            call: Arc::new(call),
        });
        self.inner.switch.set_called(true);
        Subscription {
            inner: Arc::downgrade(&self.inner),
            id,
        }
    }
}

impl Subscription {
    /// Leaves the callback there for as long as the cache lives.
    pub fn keep(mut self) {
        self.inner = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        let mut listed = inner.callbacks.0.write();
        let kept = listed.all.iter().filter(|callback| callback.id != self.id);
        let before = Arc::new(kept.cloned().collect::<Vec<_>>());
        let before = std::mem::replace(&mut listed.all, before);
        if listed.all.is_empty() {
            inner.switch.set_called(false);
        }
        drop(listed);
        // What the callback owns is the user's: not under the lock.
        drop(before);
    }
}

impl Inner {
    pub(super) fn call_back(&self, event: &Event<'_>) {
        let Some((operation, meant)) = meant(event) else {
            return;
        };
        let Some(_calling) = Calling::begin() else {
            return;
        };
        let all = Arc::clone(&self.callbacks.0.read().all);
        let asked =
            |callback: &&Callback| !operation.is_empty() && callback.operations.contains(operation);
        for callback in all.iter().filter(asked) {
            let tell = |key| {
                (callback.call)(&Told {
                    operation,
                    key,
                    cache: &self.name,
                    event,
                });
            };
            match meant {
                Meant::Key(key) => {
                    let key = self.original(key);
                    if glob::matches(&callback.pattern, &key) {
                        tell(Some(&key));
                    }
                }
                Meant::Selected(Selector::Keys(keys)) => keys
                    .iter()
                    .filter(|key| glob::matches(&callback.pattern, key.as_str()))
                    .for_each(|key| tell(Some(key.as_str()))),
                Meant::Selected(selector) if callback.may_be_meant(selector) => tell(None),
                Meant::Selected(_) => {}
            }
        }
    }
}

impl Callback {
    /// Whether a key of its own may be among those that a selector means.
    fn may_be_meant(&self, selector: &Selector) -> bool {
        let overlaps =
            |other: &str| other.starts_with(&*self.beginning) || self.beginning.starts_with(other);
        match selector {
            Selector::Prefix(prefix) => overlaps(prefix),
            Selector::Pattern(pattern) => overlaps(&glob::literal_prefix(pattern)),
            _ => true,
        }
    }
}

/// What an event is about.
#[derive(Clone, Copy)]
enum Meant<'a> {
    Key(&'a str),
    Selected(&'a Selector),
}

fn meant<'a>(event: &Event<'a>) -> Option<(Operations, Meant<'a>)> {
    Some(match event {
        Event::Hit { key, .. } | Event::Miss { key } | Event::StoreHit { key, .. } => {
            (Operations::READ, Meant::Key(key))
        }
        Event::Stored { key } => (Operations::WRITE, Meant::Key(key)),
        Event::Evicted { key } | Event::Expired { key } => (Operations::REMOVE, Meant::Key(key)),
        Event::Invalidated { selector } => (Operations::REMOVE, Meant::Selected(selector)),
        _ => return None,
    })
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} callbacks", self.0.read().all.len())
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}
