//! What a scope has changed in a cache and nobody outside sees yet.
//!
//! An overlay lies over a cache, or over another overlay. Reads inside go through it from the innermost to the cache; changes stay in it until they
//! are committed. It never touches the cache itself.

use std::any::Any;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::entry::Slot;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::lease::{Lease, Leases};
use crate::runtime::BoxFuture;
use crate::selector::Selector;

mod ambient;
mod change;
mod state;

pub(crate) use ambient::{Ambient, Came, ambient};
pub(crate) use change::{Added, Amendment, Change, Kept, Rights, Touched};
pub(crate) use state::{State, covers};

/// What lies over the caches that are used in a scope.
#[derive(Clone, Debug)]
pub(crate) enum Layer {
    /// One cache's.
    Transaction(Arc<Overlay>),
    /// Of all caches, as they are used.
    Deferred(Arc<Pending>),
}

/// What becomes of changes inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All are kept until the commit.
    Transaction,
    /// Removals are kept until the commit; writes go past it.
    Deferred,
}

/// Where direct reads inside come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// From memory if it has a copy of what the store holds.
    Copies,
    /// From the store: a copy may be older than the lock that was taken.
    Store,
}

/// Takes the lock of a key for whoever is inside.
pub(crate) trait Gate: std::fmt::Debug + Send + Sync {
    /// Takes it, unless it is held already.
    ///
    /// # Errors
    /// When another holds it for too long.
    fn lock<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<()>>;
}

/// The changes of one scope to one cache.
#[derive(Debug)]
pub(crate) struct Overlay {
    cache: crate::Cache,
    kind: Kind,
    reading: Reading,
    gate: Option<Arc<dyn Gate>>,
    /// The locks of a transaction, as it alone knows them; shared by those inside it.
    held: Option<Arc<dyn Any + Send + Sync>>,
    /// `None` once it was committed or dropped.
    state: Mutex<Option<State>>,
    /// Loads of those inside: nobody outside joins them, for they may see what is not committed.
    flights: Arc<Leases>,
    /// Why it cannot be committed.
    doom: Mutex<Option<Error>>,
}

impl Overlay {
    /// What lies over a cache in a transaction.
    pub(crate) fn transaction(
        cache: &crate::Cache,
        reading: Reading,
        gate: Option<Arc<dyn Gate>>,
        held: Arc<dyn Any + Send + Sync>,
    ) -> Arc<Self> {
        Self::new(cache, Kind::Transaction, reading, gate, Some(held))
    }

    fn new(
        cache: &crate::Cache,
        kind: Kind,
        reading: Reading,
        gate: Option<Arc<dyn Gate>>,
        held: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            cache: cache.clone(),
            kind,
            reading,
            gate,
            held,
            state: Mutex::new(Some(State::default())),
            flights: Leases::new(),
            doom: Mutex::default(),
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn reading(&self) -> Reading {
        self.reading
    }

    pub(crate) fn gate(&self) -> Option<&Arc<dyn Gate>> {
        self.gate.as_ref()
    }

    pub(crate) fn held_by<H: Any + Send + Sync>(&self) -> Option<Arc<H>> {
        Arc::clone(self.held.as_ref()?).downcast().ok()
    }

    fn is_of(&self, cache: &crate::Cache) -> bool {
        Arc::ptr_eq(&self.cache.inner, &cache.inner)
    }

    fn is_open(&self) -> bool {
        self.state.lock().is_some()
    }

    /// Ends it: what it has changed. `None` when it has ended before.
    pub(crate) fn close(&self) -> Option<State> {
        self.state.lock().take()
    }

    /// From now on it cannot be committed.
    pub(crate) fn doom(&self, why: Error) {
        let mut doom = self.doom.lock();
        doom.get_or_insert(why);
    }

    pub(crate) fn doomed(&self) -> Option<Error> {
        self.doom.lock().clone()
    }

    /// How many keys and selectors it has changed.
    pub(crate) fn len(&self) -> usize {
        self.state.lock().as_ref().map_or(0, State::len)
    }

    /// Changes what is kept; `None` when it has ended. What was replaced is dropped after the lock is gone: it may hold values of the user's.
    fn change<R>(&self, change: impl FnOnce(&mut State) -> (R, Vec<Change>)) -> Option<R> {
        let mut state = self.state.lock();
        let (result, dropped) = change(state.as_mut()?);
        drop(state);
        drop(dropped);
        Some(result)
    }

    fn read<R>(&self, read: impl FnOnce(&State) -> R) -> Option<R> {
        self.state.lock().as_ref().map(read)
    }

    /// Keeps a change of one key; false when this has ended. Loads of the key that are under way inside will not replace it.
    pub(crate) fn put(&self, key: &Key, change: Change) -> bool {
        self.flights.lock(key).revoke(key);
        let put = |state: &mut State| ((), Vec::from_iter(state.put(key, change)));
        self.change(put).is_some()
    }

    /// Changes one key by what it was changed to before.
    fn replace(&self, key: &Key, with: impl FnOnce(Option<Change>) -> Option<Change>) {
        self.flights.lock(key).revoke(key);
        // The closure keeps what it was given, or it is a small amendment: nothing of the user's is dropped under the lock.
        self.change(|state| {
            let before = state.take(key);
            let after = with(before);
            (
                (),
                Vec::from_iter(after.and_then(|after| state.put(key, after))),
            )
        });
    }

    /// Keeps an invalidation of all but keys; false when this has ended. Loads that it covers and that are under way inside are not kept.
    pub(crate) fn forget(&self, selector: &Selector) -> bool {
        let inner = &self.cache.inner;
        // Middleware is asked here and not under the lock.
        let kept = inner.kept_selector(selector);
        let matches = |key: &Key| covers(&kept, inner.bare(key.as_str()));
        self.flights.revoke(matches);
        let forget = |state: &mut State| ((), state.forget((selector, &kept), matches));
        self.change(forget).is_some()
    }

    /// Keeps what a source gave inside, if nobody inside has changed its key or tags since `turn` was taken.
    fn keep(
        &self,
        turn: &Lease,
        slot: &Slot,
        change: impl FnOnce(Option<&Change>) -> Option<Change>,
    ) {
        let locked = self.flights.lock(&turn.key);
        let holds = locked.holds(turn);
        drop(locked);
        self.change(|state| {
            let stands = holds && state.tags_stand_since(slot.tags(), turn.as_of);
            let new = stands.then(|| change(state.at(&turn.key))).flatten();
            (
                (),
                Vec::from_iter(new.and_then(|new| state.put(&turn.key, new))),
            )
        });
    }

    /// A key that is not there beneath, and is with what was added.
    fn sum_of_nothing(&self, key: &Key) -> Option<Slot> {
        let added = self.read(|state| state.added(key).cloned()).flatten()?;
        let inner = &self.cache.inner;
        let zero = added.zero(inner.tags.epoch(), inner.runtime.random())?;
        Some(added.of(zero))
    }

    /// Whether this scope has kept anything of a key, or of an entry under these tags, since a [`moment`](crate::flight::moment).
    fn is_changed_since(&self, key: &Key, tags: &[Key], since: u64) -> bool {
        let bare = self.cache.inner.bare(key.as_str());
        let changed = |state: &State| {
            state.is_changed_since(key, bare, since) || !state.tags_stand_since(tags, since)
        };
        self.read(changed).unwrap_or_default()
    }

    /// Takes over what a scope inside has committed; gives back what is not kept here.
    fn absorb(&self, state: State) -> Option<State> {
        let (selectors, mut changes) = state.into_parts();
        // What was loaded inside does not stand against what came here since its load began.
        changes.retain(|(key, change)| match change {
            Change::Loaded(kept, _, since) => !self.is_changed_since(key, kept.slot.tags(), *since),
            _ => true,
        });
        for selector in &selectors {
            self.forget(selector);
        }
        if self.kind == Kind::Transaction {
            for (key, change) in changes {
                match change {
                    Change::Amended(by) => self.amend(&key, by),
                    change => drop(self.put(&key, change)),
                }
            }
            return None;
        }
        let (removed, mut left): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|(_, change)| change.removes());
        for (key, _) in &removed {
            self.put(key, Change::Removed);
        }
        // It may come from what the database has not committed.
        left.retain(|(_, change)| !matches!(change, Change::Loaded(..)));
        Some(State::of(left))
    }

    /// Changes the entry of a key a little.
    fn amend(&self, key: &Key, by: Amendment) {
        self.replace(key, |before| {
            Some(match before {
                Some(before) => before.amended(by),
                None => Change::Amended(by),
            })
        });
    }

    /// When the last invalidation by tags was kept inside.
    fn epoch(&self) -> u64 {
        self.read(State::epoch).unwrap_or_default()
    }
}

/// An invalidation that has waited.
#[derive(Debug)]
pub(crate) enum Forgotten {
    /// As they are kept, with the prefix of the cache: there may be no way back to what the user wrote.
    Keys(Vec<Key>),
    /// Anything else.
    Selected(Selector),
}

/// Invalidations that wait for somebody to say that they are due.
#[derive(Debug)]
pub(crate) struct Pending(Mutex<Option<OfCaches>>);

type OfCaches = Vec<(crate::Cache, Arc<Overlay>)>;

impl Default for Pending {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

impl Pending {
    /// What lies over a cache; made with its first use. `None` once all were taken.
    fn over(&self, cache: &crate::Cache) -> Option<Arc<Overlay>> {
        let mut all = self.0.lock();
        let all = all.as_mut()?;
        if let Some((_, overlay)) = all.iter().find(|(_, overlay)| overlay.is_of(cache)) {
            return Some(Arc::clone(overlay));
        }
        let overlay = Overlay::new(cache, Kind::Deferred, Reading::Copies, None, None);
        all.push((cache.clone(), Arc::clone(&overlay)));
        Some(overlay)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        let all = self.0.lock();
        let all = all.iter().flatten();
        all.map(|(_, overlay)| overlay.len()).sum()
    }

    /// Takes all of them. What is invalidated inside from now on waits for nobody: there is none who could say that it is due.
    pub(crate) fn take(&self) -> Vec<(crate::Cache, Forgotten)> {
        let all = self.0.lock().take().unwrap_or_default();
        let forgotten = |(cache, overlay): (crate::Cache, Arc<Overlay>)| {
            let all = overlay.close().map(State::into_forgotten);
            let of_cache = move |forgotten| (cache.clone(), forgotten);
            all.into_iter().flatten().map(of_cache)
        };
        all.into_iter().flat_map(forgotten).collect()
    }
}
