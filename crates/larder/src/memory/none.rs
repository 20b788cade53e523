//! The tier of a library that was built without one: it holds nothing.

use crate::entry::Slot;
use crate::error::Result;
use crate::key::Key;

use super::{Bound, Pushed};

/// Holds nothing.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) bound: Bound,
}

impl Memory {
    pub(crate) fn new(bound: Bound) -> Result<Self> {
        Ok(Self { bound })
    }

    pub(crate) fn find<Q: ?Sized>(&self, _key: &Q) -> Option<Slot> {
        None
    }

    pub(crate) fn peek<Q: ?Sized>(&self, _key: &Q) -> Option<Slot> {
        None
    }

    /// Gives the entry back, so that its value is dropped where all values are.
    pub(crate) fn insert(&self, key: Key, slot: Slot) -> Pushed {
        Pushed {
            out: vec![(key, slot)],
        }
    }

    pub(crate) fn remove(&self, _key: &Key) -> Option<(Key, Slot)> {
        None
    }

    pub(crate) fn remove_write<Q: ?Sized>(&self, _key: &Q, _slot: &Slot) -> Option<(Key, Slot)> {
        None
    }

    pub(crate) fn matching(&self, _matches: impl Fn(&Key, &Slot) -> bool) -> Vec<Key> {
        Vec::new()
    }

    pub(crate) fn drain(&self) -> impl Iterator<Item = (Key, Slot)> + '_ {
        std::iter::empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Slot)> + Send + '_ {
        std::iter::empty()
    }

    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn weight(&self) -> u64 {
        0
    }
}
