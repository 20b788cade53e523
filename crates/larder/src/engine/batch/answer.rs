//! What a function over many ids takes and gives.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

/// A map from ids to what was found for them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which value belongs to which id",
    note = "return a `HashMap<Id, Value>` or a `BTreeMap<Id, Value>`, or a `Result` of one; under another name of `Result` add `result` to the attribute"
)]
pub trait Answer: Sized {
    #[doc(hidden)]
    type Id;
    #[doc(hidden)]
    type Value;
    #[doc(hidden)]
    fn with_room_for(count: usize) -> Self;
    #[doc(hidden)]
    fn take(&mut self, id: &Self::Id) -> Option<Self::Value>;
    #[doc(hidden)]
    fn give(&mut self, id: Self::Id, value: Self::Value);
}

impl<K: Eq + Hash, V, H: BuildHasher + Default> Answer for HashMap<K, V, H> {
    type Id = K;
    type Value = V;

    fn with_room_for(count: usize) -> Self {
        Self::with_capacity_and_hasher(count, H::default())
    }

    fn take(&mut self, id: &K) -> Option<V> {
        self.remove(id)
    }

    fn give(&mut self, id: K, value: V) {
        self.insert(id, value);
    }
}

impl<K: Ord, V> Answer for BTreeMap<K, V> {
    type Id = K;
    type Value = V;

    fn with_room_for(_: usize) -> Self {
        Self::new()
    }

    fn take(&mut self, id: &K) -> Option<V> {
        self.remove(id)
    }

    fn give(&mut self, id: K, value: V) {
        self.insert(id, value);
    }
}

/// An id as it is asked for, when the answer's ids are `K`.
#[diagnostic::on_unimplemented(
    message = "the function is asked for ids of type `{Self}` and answers with ids of type `{K}`",
    note = "both must be the same type, and `Clone`; only `&str` may be answered by `String`"
)]
pub trait AskedFor<K> {
    #[doc(hidden)]
    fn answered_as(&self) -> K;
}

impl<K: Clone> AskedFor<K> for K {
    fn answered_as(&self) -> K {
        self.clone()
    }
}

impl AskedFor<String> for &str {
    fn answered_as(&self) -> String {
        (*self).to_owned()
    }
}

/// How an entry of one id tells what was found: all entries are values, or `None` tells of absence.
pub trait EntryOf<V>: Sized {
    #[doc(hidden)]
    fn of(found: Option<V>) -> Option<Self>;
    #[doc(hidden)]
    fn found(self) -> Option<V>;
}

impl<V> EntryOf<V> for V {
    fn of(found: Option<V>) -> Option<V> {
        found
    }

    fn found(self) -> Option<V> {
        Some(self)
    }
}

impl<V> EntryOf<V> for Option<V> {
    fn of(found: Option<V>) -> Option<Self> {
        Some(found)
    }

    fn found(self) -> Option<V> {
        self
    }
}
