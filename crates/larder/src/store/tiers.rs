//! A chain of stores: the nearest first, the one that everybody shares last.

use std::sync::Arc;
use std::time::Duration;

use super::{
    Bits, Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks, Notice, Notices, Page,
    Read, Removal, Scan, Store, StoreFuture, TagVersions, Touch, Unheard, Windows, Write,
};
use crate::error::{Error, ErrorKind, Result};

mod powers;
mod reading;
mod removing;
mod storing;
mod word;

use word::Word;

/// One store of a chain.
#[derive(Clone, Debug)]
pub struct Level {
    store: Arc<dyn Store>,
    cap: Option<Duration>,
}

impl Level {
    /// A level on this store. Guard it ([`Guarded`](super::Guarded)): only then a removal that does not get through is remembered.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, cap: None }
    }

    /// Entries live no longer than this on this level; by default as long as they were given.
    #[must_use]
    pub fn cap(self, cap: Duration) -> Self {
        Self {
            cap: Some(cap),
            ..self
        }
    }

    fn capped(&self, life: Life) -> Life {
        match (life, self.cap) {
            (Some(life), Some(cap)) => Some(life.min(cap)),
            (one, other) => one.or(other),
        }
    }
}

/// A chain of stores as one [`Store`].
///
/// The first level is the nearest and is asked first. The *deepest* is the last: all who are to see each other's changes share it, and what it says is true.
///
/// - **Reading** goes down until a level has an entry that can be served, and brings it up: with what remains of its life by its head (by the level's word for an entry
///   without one), capped per level, under the leases that the levels above gave on the way down, and with their versions of its tags.
/// - **Filling** goes from the deepest level up, under each level's own lease. What the deepest that answers refuses goes no further.
/// - **Writing** goes to the deepest level, conditions are decided there, and the levels above lose what they have: the next reading brings it up.
///   Writing it there at once could leave an older value of two that were written at the same time.
/// - **Removing** and forgetting tags go from the deepest level up, to all. It fails only if a level neither did nor remembers it.
///   A level above that cannot remove by pattern removes by the pattern's literal prefix.
/// - **Scanning** tells the keys of the deepest level and then those of the levels above; a key may come twice. What only a level has that cannot scan is not told.
/// - **Counters, locks, windows** are those of the deepest level that has them; its cap holds for what is added to, not for what guards [count](Counters::count). **Word** of others' changes comes from the deepest level that has it, and is also acted on
///   above that level before it is read again.
///
/// # Levels that fail
/// One that fails is left out, with a [`Notice::Skipped`]; an operation fails when all do. When the deepest cannot be written, the value goes to the next one
/// up, and the older value below is removed, or remembered to be, before it is read again. A write on condition fails with the deepest level.
///
/// # What never comes back
/// What was written over, removed or forgotten through a chain is never read again through any chain over the same stores, by the order above: whoever reads below while something
/// changes there has taken the leases above before, and loses them after. A level that others do not share is not told of what they change, except by word; it is wrong for at
/// most its cap. Between levels that only promise [`LeaseLevel::Process`], that holds within a process.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use larder::store::{Condition, Level, Store, Tiers, Write};
/// use larder::testing::{MemoryStore, Simulation};
///
/// let simulation = Simulation::new(1);
/// let (near, far) = (MemoryStore::new(simulation.runtime()), MemoryStore::new(simulation.runtime()));
/// let chain = Tiers::new(vec![
///     Level::new(Arc::new(near.clone())).cap(Duration::from_secs(60)),
///     Level::new(Arc::new(far.clone())),
/// ])?;
/// let write = Write { key: "a", bytes: b"1", life: None, condition: Condition::Always };
/// simulation.block_on(chain.write(&[write]))?;
/// assert_eq!((near.entries(), far.entries()), (0, 1));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
pub struct Tiers {
    name: String,
    levels: Vec<Level>,
    notices: Arc<dyn Notices>,
    word: Arc<Word>,
}

impl Tiers {
    /// A chain of these levels, the nearest first.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] without a level.
    pub fn new(levels: Vec<Level>) -> Result<Self> {
        if levels.is_empty() {
            let message = "a chain of stores needs at least one level";
            return Err(Error::new(ErrorKind::Config, "build", message));
        }
        let names: Vec<&str> = levels.iter().map(|level| level.store.name()).collect();
        Ok(Self {
            name: names.join("+"),
            levels,
            notices: Arc::new(Unheard),
            word: Arc::new(Word::new()),
        })
    }

    /// Who is told when a level is left out; nobody by default.
    #[must_use]
    pub fn notices(self, notices: Arc<dyn Notices>) -> Self {
        Self { notices, ..self }
    }

    fn skip(&self, operation: &'static str, level: usize, error: &Error) {
        let name = self.levels[level].store.name();
        self.notices
            .notice(name, Notice::Skipped { operation, error });
    }
}

/// Differs when the epoch of any level does; 0 stands for a level that did not answer.
fn epoch_of(epochs: impl Iterator<Item = u64>) -> u64 {
    let mixed = epochs.fold(1, |mixed, epoch| {
        crate::runtime::mix(mixed ^ epoch).wrapping_add(0x9E37_79B9_7F4A_7C15)
    });
    mixed.max(1)
}

/// Other than one answer for each question.
fn unheard_of(operation: &'static str, store: &dyn Store) -> Error {
    Error::store(operation, store.name(), "not one answer for each question")
}

#[deny(clippy::missing_trait_methods)]
impl Store for Tiers {
    /// The names of its levels, joined by `+`.
    fn name(&self) -> &str {
        &self.name
    }

    /// The least of its levels'.
    fn lease_level(&self) -> LeaseLevel {
        super::least(self.levels.iter().map(|level| level.store.lease_level()))
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(self.read_through(reads))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.fill_through(fills))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.write_through(writes))
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(self.touch_through(touch))
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(self.longest(keys))
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(self.remove_everywhere(removal))
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(self.versions(tags, life))
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Box::pin(self.forget_everywhere(tags))
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(self.scan_levels(scan))
    }

    /// Whether any level answers.
    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for level in self.levels.iter().rev() {
                match level.store.ping().await {
                    Ok(()) => return Ok(()),
                    Err(error) => outcome = outcome.and(Err(error)),
                }
            }
            outcome
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut outcome = Ok(());
            for level in &self.levels {
                outcome = outcome.and(level.store.close().await);
            }
            outcome
        })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.counting().map(|_| self as _)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.locking().map(|_| self as _)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        self.windowing().map(|_| self as _)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        self.filtering().map(|_| self as _)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        self.teller().map(|_| self as _)
    }
}
