//! All that lies over a cache here and now.

use std::sync::Arc;

use super::{Amendment, Change, Gate, Kept, Kind, Layer, Overlay, Reading, Rights, State};
use crate::entry::Slot;
use crate::error::Result;
use crate::flight::{Flight, moment};
use crate::key::Key;
use crate::lease::{Joined, Lease};
use crate::selector::Selector;

/// The overlays of one cache, from the outermost to the innermost. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Ambient {
    layers: Vec<Arc<Overlay>>,
}

/// What lies over a cache in a scope with these layers. Those that have ended lie over nothing.
pub(crate) fn ambient(layers: &[Layer], cache: &crate::Cache) -> Option<Ambient> {
    let over = |layer: &Layer| match layer {
        Layer::Transaction(overlay) => {
            let concerns = overlay.is_of(cache) && overlay.is_open();
            concerns.then(|| Arc::clone(overlay))
        }
        Layer::Deferred(pending) => pending.over(cache),
    };
    let layers: Vec<Arc<Overlay>> = layers.iter().filter_map(over).collect();
    (!layers.is_empty()).then_some(Ambient { layers })
}

/// How a value was computed inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// By a load that found nothing.
    Loaded,
    /// By a load that was asked for, whatever was there.
    Refreshed,
    /// By `#[cache_put]`.
    Put,
}

impl Ambient {
    fn innermost(&self) -> &Arc<Overlay> {
        self.layers.last().expect("never empty")
    }

    /// The innermost transaction, which writes go to.
    pub(crate) fn transaction(&self) -> Option<&Arc<Overlay>> {
        let mut inwards = self.layers.iter().rev();
        inwards.find(|overlay| overlay.kind() == Kind::Transaction)
    }

    /// Where direct reads inside come from: once locked, from the store.
    pub(crate) fn reading(&self) -> Reading {
        let is_locked = |layer: &Arc<Overlay>| layer.reading() == Reading::Store;
        match self.layers.iter().any(is_locked) {
            true => Reading::Store,
            false => Reading::Copies,
        }
    }

    /// The entry that those inside see, if that does not depend on what the cache holds.
    pub(crate) fn decide(&self, key: &Key) -> Option<Option<Slot>> {
        for (at, layer) in self.layers.iter().enumerate().rev() {
            let bare = layer.cache.inner.bare(key.as_str());
            let decided = layer.read(|state| state.decided(key, bare)).flatten();
            if let Some(slot) = decided {
                return Some(over(&self.layers[at + 1..], key, slot));
            }
        }
        None
    }

    /// What those inside see of what the cache holds, where nothing is decided.
    pub(crate) fn through(&self, key: &Key, base: Option<Slot>) -> Option<Slot> {
        over(&self.layers, key, base)
    }

    /// Whether an entry under these tags was removed inside.
    pub(crate) fn covers_tags(&self, tags: &[Key]) -> bool {
        let covers = |layer: &Arc<Overlay>| layer.read(|state| state.covers_tags(tags));
        self.layers
            .iter()
            .any(|layer| covers(layer).unwrap_or_default())
    }

    /// Whether anything was removed by a tag inside, so that an entry's tags must be known.
    pub(crate) fn has_tags(&self) -> bool {
        let has = |layer: &Arc<Overlay>| layer.read(State::has_tags).unwrap_or_default();
        self.layers.iter().any(has)
    }

    /// The keys that are changed inside.
    pub(crate) fn keys(&self) -> Vec<Key> {
        let of = |layer: &Arc<Overlay>| {
            let keys = |state: &State| state.keys().cloned().collect::<Vec<_>>();
            layer.read(keys).unwrap_or_default()
        };
        self.layers.iter().flat_map(of).collect()
    }

    /// Takes the lock of a key, in a transaction that locks or in one inside it. The innermost one is not committed if it cannot have it, whatever
    /// becomes of the error.
    ///
    /// # Errors
    /// When another transaction holds it.
    pub(crate) async fn lock(&self, key: &Key) -> Result<()> {
        let Some(overlay) = self.transaction() else {
            return Ok(());
        };
        let mut inwards = self.layers.iter().rev();
        let Some(gate) = inwards.find_map(|layer| layer.gate()) else {
            return Ok(());
        };
        let gate: &dyn Gate = &**gate;
        gate.lock(key)
            .await
            .inspect_err(|error| overlay.doom(error.clone()))
    }

    /// Keeps a change of one key for the innermost transaction.
    pub(crate) fn write(&self, key: &Key, kept: Kept) {
        if let Some(overlay) = self.transaction() {
            overlay.put(key, Change::Written(kept));
        }
    }

    /// Changes the entry of a key a little.
    pub(crate) fn amend(&self, key: &Key, by: Amendment) {
        if let Some(overlay) = self.transaction() {
            overlay.amend(key, by);
        }
    }

    /// Begins a number anew.
    pub(crate) fn count(&self, key: &Key, slot: Slot, from: Amendment) {
        if let Some(overlay) = self.transaction() {
            overlay.put(key, Change::Counted(slot, from));
        }
    }

    /// Whether what is decided of a key is a number that began anew inside.
    pub(crate) fn is_counted(&self, key: &Key) -> bool {
        let decides = |layer: &Arc<Overlay>| {
            let counted = |state: &State| match state.at(key) {
                Some(change) if change.decided().is_some() => {
                    Some(matches!(change, Change::Counted(..)))
                }
                _ => None,
            };
            layer.read(counted).flatten()
        };
        let mut inwards = self.layers.iter().rev();
        inwards.find_map(decides).unwrap_or_default()
    }

    /// Keeps an invalidation; false when there is nobody left to keep it for.
    pub(crate) fn forget(&self, selector: &Selector) -> bool {
        self.removes(|layer| layer.forget(selector))
    }

    /// Removes a key, with the prefix of the cache; false when there is nobody left to remove it for.
    pub(crate) fn remove(&self, key: &Key) -> bool {
        self.removes(|layer| layer.put(key, Change::Removed))
    }

    /// Gives a removal to the innermost layer. One that waits for others may have ended since this was made, and then it is for those around it; one of a
    /// transaction ends with it.
    fn removes(&self, remove: impl Fn(&Arc<Overlay>) -> bool) -> bool {
        let mut inwards = self.layers.iter().rev();
        inwards.any(|layer| remove(layer) || layer.kind() == Kind::Transaction)
    }

    /// Removes a key, with the prefix of the cache, where writes go.
    pub(crate) fn remove_written(&self, key: &Key) {
        self.keeper(Came::Put).put(key, Change::Removed);
    }

    /// Where what is computed so is kept. A put goes to the transaction as a write does, wherever it was made.
    fn keeper(&self, came: Came) -> &Arc<Overlay> {
        let transaction = self.transaction().filter(|_| came == Came::Put);
        transaction.unwrap_or_else(|| self.innermost())
    }

    /// Joins a load of a key inside, or begins one.
    pub(crate) fn join(&self, key: &Key) -> Joined {
        let overlay = self.keeper(Came::Loaded);
        let now = moment();
        let epoch = overlay.epoch();
        let joins = |flight: &Flight| flight.as_of >= epoch;
        overlay.flights.join(key, now, joins)
    }

    /// The right to keep what is computed from now on, without a flight.
    pub(crate) fn turn(&self, key: &Key, came: Came) -> Lease {
        let overlay = self.keeper(came);
        if came == Came::Refreshed {
            // Who asked for a new value must not have it overwritten by an older load that is under way.
            overlay.flights.lock(key).revoke(key);
        }
        overlay.flights.take(key, moment())
    }

    /// Whether those inside have changed what an entry of this key would be.
    fn is_changed(&self, key: &Key, tags: &[Key]) -> bool {
        self.decide(key).is_some() || self.covers_tags(tags)
    }

    /// Whether what is loaded inside is kept at all.
    pub(crate) fn keeps_loads(&self) -> bool {
        self.innermost().kind() == Kind::Transaction
    }

    /// Keeps what was computed inside.
    pub(crate) fn keep(&self, turn: &Lease, kept: Kept, rights: Rights, came: Came) {
        let key = &turn.key;
        let slot = kept.slot.clone();
        let changed = self.is_changed(key, slot.tags());
        let overlay = self.keeper(came);
        if overlay.kind() == Kind::Deferred {
            return;
        }
        let change = |before: Option<&Change>| match (came, before) {
            // The rights were lost to what this scope did itself, and nobody knows better than it.
            (Came::Put, _) if changed => Some(Change::Written(kept)),
            (Came::Put, _) => Some(Change::Put(kept, rights)),
            (Came::Refreshed, Some(Change::Written(_) | Change::Put(..) | Change::Counted(..))) => {
                Some(Change::Written(kept))
            }
            (Came::Loaded, Some(Change::Written(_) | Change::Put(..) | Change::Counted(..))) => {
                None
            }
            _ if changed => Some(Change::Loaded(kept, None, turn.as_of)),
            _ => Some(Change::Loaded(kept, Some(rights), turn.as_of)),
        };
        overlay.keep(turn, &slot, change);
    }

    /// Takes over what a scope inside has committed; gives back what none of these layers keeps.
    pub(crate) fn absorb(&self, state: State) -> Option<State> {
        let mut left = state;
        for layer in self.layers.iter().rev() {
            left = layer.absorb(left)?;
        }
        Some(left)
    }
}

fn over(layers: &[Arc<Overlay>], key: &Key, beneath: Option<Slot>) -> Option<Slot> {
    let above = |slot: Option<Slot>, layer: &Arc<Overlay>| match layer
        .read(|state| state.over(key, slot.clone()))
    {
        Some(Some(seen)) => Some(seen),
        Some(None) if slot.is_none() => layer.sum_of_nothing(key),
        Some(None) => None,
        None => slot,
    };
    layers.iter().fold(beneath, above)
}
