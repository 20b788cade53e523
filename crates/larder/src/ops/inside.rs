//! The direct operations in a scope that keeps changes to itself.

use crate::cache::{Cache, Inner};
use crate::codec::Portable;
use crate::engine::{Cacheable, refused};
use crate::entry::{Slot, Terms, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, KeyBuf};
use crate::overlay::{Added, Ambient, Amendment, Reading, Touched};
use crate::policy::{Fault, Policy};
use crate::switch::Operations;

use super::looking;

/// A number that is to be added to.
pub(super) struct Adding<'a> {
    pub(super) key: &'a Key,
    pub(super) by: i64,
    pub(super) policy: Policy,
}

impl Cache {
    /// Takes the locks of keys that are read, in a transaction that locks.
    ///
    /// # Errors
    /// When another transaction holds one.
    pub(super) async fn lock_inside(&self, operation: &'static str, keys: &[KeyBuf]) -> Result<()> {
        let Some(ambient) = self.inner.ambient_transaction() else {
            return Ok(());
        };
        for key in keys {
            let key = key.to_key();
            let locked = ambient.lock(&key).await;
            locked.map_err(|error| error.during(operation).at(&key))?;
        }
        Ok(())
    }

    /// Whether a direct read goes past a copy in memory, which may be older than a lock that was taken.
    pub(super) fn reads_store<V: Cacheable + Portable>(&self, key: &KeyBuf) -> bool {
        let inner = &self.inner;
        inner.outside_for(&V::wire()).is_some()
            && inner.ambient_transaction().is_some_and(|ambient| {
                ambient.reading() == Reading::Store && ambient.decide(&key.to_key()).is_none()
            })
    }

    /// The entry that those inside see, if this is inside and it is there to be served.
    ///
    /// # Errors
    /// What the store says; what a lock says.
    pub(super) async fn served_inside(
        &self,
        operation: &'static str,
        ambient: &Ambient,
        key: &Key,
    ) -> Result<Option<Slot>> {
        let inner = &self.inner;
        let locked = ambient.lock(key).await;
        locked.map_err(|error| error.during(operation).at(key))?;
        let seen = inner.visible(ambient, key).await;
        let seen = seen.map_err(|error| error.during(operation).at(key))?;
        Ok(seen.filter(|slot| inner.is_current(slot)))
    }

    /// Gives an entry a new life for those inside; false when they see none.
    ///
    /// # Errors
    /// What the store says; what a lock says.
    pub(super) async fn touch_inside(
        &self,
        ambient: &Ambient,
        key: &Key,
        ttl: u64,
    ) -> Result<bool> {
        if self.inner.is_off(Operations::WRITE) {
            return Ok(false);
        }
        let Some(seen) = self.served_inside("touch", ambient, key).await? else {
            return Ok(false);
        };
        let at = self.inner.clock.now();
        let amendment = Amendment {
            touched: Some(Touched { ttl, at }),
            tags: seen.tags().into(),
            ..Amendment::default()
        };
        ambient.amend(key, amendment);
        Ok(true)
    }

    /// Adds to a number for those inside; the number that they see then.
    ///
    /// # Errors
    /// As `increment` outside; what a lock says.
    pub(super) async fn add_inside(&self, ambient: &Ambient, adding: Adding<'_>) -> Result<i64> {
        let inner = &self.inner;
        let Adding { key, by, policy } = adding;
        let locked = ambient.lock(key).await;
        locked.map_err(|error| error.during("increment").at(key))?;
        let decided = ambient.decide(key);
        let is_anew = decided.is_some();
        let (base, seen) = match decided {
            Some(seen) => (None, seen),
            None => {
                let base = number_beneath(inner, key).await?;
                (base.clone(), ambient.through(key, base))
            }
        };
        let seen = seen.filter(|slot| inner.is_current(slot));
        if is_anew && seen.is_some() && inner.outside.is_some() && !ambient.is_counted(key) {
            // In a store a value is no number to be counted on, so that is not to work here only.
            return Err(no_number(key));
        }
        let sum = sum(key, seen.as_ref(), by, policy)?;
        let amendment = Amendment {
            add: Some(Added {
                by,
                policy,
                at: inner.clock.now(),
            }),
            tags: seen.as_ref().map_or(&[][..], Slot::tags).into(),
            ..Amendment::default()
        };
        // What is beneath was removed inside: the number begins anew.
        if seen.is_none() && (is_anew || base.is_some()) {
            let terms = Terms {
                policy,
                tags: Vec::new(),
                as_of: inner.tags.epoch(),
                cost: std::time::Duration::ZERO,
                weight: policy.weight,
            };
            let slot = inner.slot(key, Value::new(sum), size_of::<i64>(), terms);
            ambient.count(key, slot, amendment);
        } else {
            ambient.amend(key, amendment);
        }
        Ok(sum)
    }
}

impl Inner {
    /// Those of the keys of memory and the store that are seen inside, and those that are there only inside; keys and pattern as they are kept, without
    /// the cache's prefix.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn scan_inside(
        &self,
        ambient: &Ambient,
        pattern: &str,
        mut keys: Vec<String>,
    ) -> Result<Vec<String>> {
        let changed = ambient.keys();
        let bare = changed.iter().map(|key| self.bare(key.as_str()));
        let matching = bare.filter(|key| larder_syntax::glob::matches(pattern, key));
        keys.extend(matching.map(str::to_owned));
        keys.sort_unstable();
        keys.dedup();
        let mut seen = Vec::with_capacity(keys.len());
        for key in keys {
            let full = Key::from(format!("{}{key}", self.prefix));
            let is_seen = match ambient.decide(&full) {
                Some(slot) => slot.is_some_and(|slot| slot.keep_until() > self.clock.now()),
                // The tags of an entry stand in it, and a key that is changed a little must be there.
                None if ambient.has_tags() || changed.contains(&full) => {
                    self.visible(ambient, &full).await?.is_some()
                }
                None => true,
            };
            if is_seen {
                seen.push(key);
            }
        }
        Ok(seen)
    }
}

/// The number that the cache holds: in its store if it has one, where numbers stand without a head.
async fn number_beneath(inner: &Inner, key: &Key) -> Result<Option<Slot>> {
    let wire = i64::wire();
    let Some(outside) = inner.outside_for(&wire) else {
        return Ok(inner.memory.peek(key).filter(|slot| inner.is_served(slot)));
    };
    let looked = inner.look(outside, looking(inner, key, &wire)).await;
    if let Some(error) = looked.error {
        return Err(error.during("increment").at(key));
    }
    match looked.slot {
        Some(_) if !looked.is_bare => Err(no_number(key)),
        found => Ok(found),
    }
}

fn no_number(key: &Key) -> Error {
    let message = "the entry is no `i64`: use another key, or delete it";
    Error::new(ErrorKind::WrongType, "increment", message).at(key)
}

/// The number once `by` is added to it.
///
/// # Errors
/// When it is no number, or would be out of range, or is new and has no ttl.
pub(super) fn sum(key: &Key, found: Option<&Slot>, by: i64, policy: Policy) -> Result<i64> {
    let before = match found {
        Some(slot) => slot.value::<i64>().ok_or_else(|| no_number(key))?,
        None if policy.ttl.is_none() => {
            return Err(refused("increment", key, Fault::NoTtl));
        }
        None => 0,
    };
    before.checked_add(by).ok_or_else(|| {
        let message = format!("{before} + {by} is out of the range of an `i64`");
        Error::new(ErrorKind::InvalidPolicy, "increment", message).at(key)
    })
}
