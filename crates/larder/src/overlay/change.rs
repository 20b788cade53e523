//! One change of one key.

use std::time::Duration;

use crate::codec::Wire;
use crate::entry::{Slot, Terms, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::lease::{Lease, StoreLease};
use crate::policy::Policy;
use crate::runtime::Timestamp;

/// What a scope has made of a key.
#[derive(Debug)]
pub(crate) enum Change {
    /// True from the commit on.
    Written(Kept),
    /// What `#[cache_put]` computed: true, unless somebody has changed its key since its body began.
    Put(Kept, Rights),
    /// What a source gave, and the moment before it was asked. Without rights the scope had removed the key before, and so does the commit.
    Loaded(Kept, Option<Rights>, u64),
    Removed,
    /// A number that begins anew, whatever is beneath: what is seen, and what is added.
    Counted(Slot, Amendment),
    /// The entry beneath, a little different.
    Amended(Amendment),
}

/// A value, and how it becomes bytes.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) slot: Slot,
    pub(crate) wire: Wire,
}

/// The rights to fill a key, from before its value was computed.
#[derive(Debug)]
pub(crate) struct Rights {
    pub(crate) lease: Lease,
    pub(crate) store: Option<StoreLease>,
}

/// What is added to a number, and a new life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amendment {
    pub(crate) add: Option<Added>,
    pub(crate) touched: Option<Touched>,
    /// The tags of the entry beneath, by which it may be removed.
    pub(crate) tags: Box<[Key]>,
}

/// What is added to a number; under which policy, from when on, if the key is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Added {
    pub(crate) by: i64,
    pub(crate) policy: Policy,
    pub(crate) at: Timestamp,
}

/// A new life, counted from when it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Touched {
    pub(crate) ttl: u64,
    pub(crate) at: Timestamp,
}

impl Touched {
    /// When the new life ends.
    pub(crate) fn end(self) -> Timestamp {
        Timestamp(self.at.0.saturating_add(self.ttl))
    }
}

impl Change {
    /// The entry that those inside see, if this decides it.
    pub(super) fn decided(&self) -> Option<Option<&Slot>> {
        match self {
            Self::Written(kept) | Self::Put(kept, _) | Self::Loaded(kept, ..) => {
                Some(Some(&kept.slot))
            }
            Self::Counted(slot, _) => Some(Some(slot)),
            Self::Removed => Some(None),
            Self::Amended(_) => None,
        }
    }

    /// Whether the commit removes the key.
    pub(crate) fn removes(&self) -> bool {
        matches!(self, Self::Removed | Self::Loaded(_, None, _))
    }

    /// The tags by which it may be removed.
    pub(super) fn tags(&self) -> &[Key] {
        match self {
            Self::Amended(amendment) => &amendment.tags,
            other => other.decided().flatten().map_or(&[], Slot::tags),
        }
    }

    /// This change with another on top of it.
    pub(super) fn amended(self, by: Amendment) -> Self {
        match self {
            Self::Written(kept) => Self::Written(kept.amended(&by)),
            Self::Put(kept, rights) => Self::Put(kept.amended(&by), rights),
            // What is changed by hand is true, whatever it was loaded under.
            Self::Loaded(kept, rights, since) => match by.add {
                Some(_) => Self::Written(kept.amended(&by)),
                None => Self::Loaded(kept.amended(&by), rights, since),
            },
            Self::Removed => Self::Removed,
            Self::Counted(slot, before) => Self::Counted(by.of(slot), before.and(by)),
            Self::Amended(before) => Self::Amended(before.and(by)),
        }
    }
}

impl Kept {
    fn amended(self, by: &Amendment) -> Self {
        let slot = by.of(self.slot);
        Self { slot, ..self }
    }
}

impl Amendment {
    fn and(mut self, later: Self) -> Self {
        self.add = match (self.add, later.add) {
            // A sum out of range was refused when it was asked for.
            (Some(before), Some(more)) => {
                // The first that says for how long the number lives, should it not be there any more.
                let lives = if before.policy.ttl.is_some() {
                    before
                } else {
                    more
                };
                let by = before.by.saturating_add(more.by);
                Some(Added { by, ..lives })
            }
            (before, more) => before.or(more),
        };
        self.touched = later.touched.or(self.touched);
        self
    }

    /// The entry as it is once this is applied to it; `None` removes it. Numbers in place only: it runs under a lock.
    ///
    /// # Errors
    /// When it is no number, or the sum would be out of range.
    pub(crate) fn applied(
        &self,
        key: &Key,
        found: Option<&Slot>,
        zero: impl FnOnce() -> Option<Slot>,
    ) -> Result<Option<Slot>> {
        let Some(found) = found.cloned().or_else(zero) else {
            return Ok(None);
        };
        if let Some(Added { by, .. }) = self.add {
            let fails = |kind, message| Err(Error::new(kind, "increment", message).at(key));
            let Some(before) = found.value::<i64>() else {
                let message = "the entry is no `i64` any more: another has written it";
                return fails(ErrorKind::WrongType, message.to_owned());
            };
            if before.checked_add(by).is_none() {
                let message = format!("{before} + {by} is out of the range of an `i64`");
                return fails(ErrorKind::InvalidPolicy, message);
            }
        }
        Ok(Some(self.of(found)))
    }

    /// What is added to where there is nothing: a number that lives from when the first was added to it. `None` if nothing says for how long.
    pub(crate) fn zero(&self, as_of: u64, random: u64) -> Option<Slot> {
        let Added { policy, at, .. } = self.add?;
        policy.ttl?;
        let terms = Terms {
            policy,
            tags: Vec::new(),
            as_of,
            cost: Duration::ZERO,
            weight: policy.weight,
        };
        Some(Slot::new(Value::new(0_i64), terms, at, random))
    }

    /// The entry beneath as it is to be seen.
    pub(crate) fn of(&self, slot: Slot) -> Slot {
        let sum = self
            .add
            .and_then(|added| slot.value::<i64>()?.checked_add(added.by));
        let slot = match sum {
            Some(sum) => slot.with_value(Value::new(sum)),
            None => slot,
        };
        self.lived(slot)
    }

    /// The entry with the life that it was given.
    pub(super) fn lived(&self, slot: Slot) -> Slot {
        match self.touched {
            Some(touched) => slot.with_ttl(touched.ttl, touched.at),
            None => slot,
        }
    }
}
