//! The port: entries kept outside the process, as bytes.
//!
//! [`Store`] is what a third party implements; [`conformance`](crate::conformance) is what it then runs. Everything here is text keys, bytes and
//! spans of time: no store knows a Rust type, a policy or a codec.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::runtime::BoxFuture;

mod address;
mod deduped;
#[cfg(feature = "file")]
pub mod file;
mod guarded;
pub(crate) mod head;
pub(crate) mod late;
#[cfg(any(feature = "file", feature = "sqlite"))]
mod local;
#[cfg(feature = "memcached")]
pub mod memcached;
mod notice;
#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
pub mod object;
pub(crate) mod owed;
mod prefixed;
mod quota;
#[cfg(feature = "redis")]
pub mod redis;
mod registry;
mod routed;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub(crate) mod tally;
mod tiers;
pub(crate) mod token;
pub(crate) mod wait;

pub use address::{Address, Secret};
pub use deduped::Deduped;
pub use guarded::{BreakerState, Guarded, GuardedBuilder};
pub(crate) use head::MAGIC;
pub use head::{Head, Tag};
#[cfg(any(feature = "file", feature = "sqlite"))]
pub(crate) use local::{
    Asked, Failure, Filling, NEVER, Popped, Promise, Queue, Threads, Touching, Writing, answer,
    end, fence_floor, left, unique, unwinding, wall,
};
pub use notice::{Notice, Notices, Unheard};
pub use prefixed::Prefixed;
pub use quota::{Admission, Quota, Window, Windows};
pub(crate) use registry::opener;
pub use registry::{Open, Opening, open, register};
pub use routed::Routed;
pub use tiers::{Level, Tiers};

/// What an operation of a store gives, once it is awaited.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T>>;

/// A place for entries outside the process.
///
/// Batch first: one call is one round trip wherever the protocol allows it.
///
/// # Contract
/// - Keys are UTF-8 of any length and content; distinct keys never meet. A store that cannot hold a key as it is keeps a readable head and a hash of the rest.
/// - Bytes come back as they were written or not at all. Bytes that the store did not write, or only half, are nothing, not an error.
/// - An entry past its life is not there, for every operation.
/// - **Lease.** [`read`](Self::read) with [`Ask::EntryOrLease`] looks and leases in one step. A [`Token`] stands until its key is written, removed
///   (by key, prefix or pattern) or the lease's own life is over; [`fill`](Self::fill) checks it and stores in one step. Several readers may share one token: a lease is the right
///   to fill, not a lock. How atomic that is says [`lease_level`](Self::lease_level).
/// - **Tags.** A tag has a *version*: a random number that is never 0 and never comes again. [`forget_tags`](Self::forget_tags) makes that every version known before differs from those
///   known after. A missing version is 0 and differs from every other, itself included. A version lives at least as long as was asked for it.
/// - What cannot be done is [`ErrorKind::Unsupported`](crate::ErrorKind), never silence.
/// - A store keeps no secret in `Debug` and in no message.
///
/// # Cancellation
/// A dropped future may or may not have had its effect, and leaves no connection half read. The caller bounds the time: an implementation
/// need not, but must not block the thread that polls.
///
/// # Wrappers
/// Put `#[deny(clippy::missing_trait_methods)]` on the implementation: a method with a default that is not passed on is a power lost.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// What it is called in events and messages: `"redis"`.
    fn name(&self) -> &str;

    /// What a lease of it is worth.
    fn lease_level(&self) -> LeaseLevel;

    /// Looks for entries; takes leases where asked. As many answers as questions, in their order.
    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>>;

    /// Stores entries under their leases; `false` where the lease was lost.
    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>>;

    /// Stores entries that are true and end every lease of their keys; `false` where the condition did not hold (then nothing ends).
    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>>;

    /// Replaces the head of an entry by one of the same length and gives it a new life, under a lease, without moving its body. `false`: write it
    /// whole (it is not there, the lease was lost, or the store cannot).
    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool>;

    /// What is left of entries' lives, without their bytes; `None` where there is none.
    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>>;

    /// Removes entries and ends their leases. How many entries there were, as far as the store can tell for what it costs.
    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64>;

    /// The versions of tags, made where missing so that they live at least `life`, and the tag epoch.
    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions>;

    /// Forgets every entry under these tags, in a time that does not depend on how many they are. Moves the tag epoch.
    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()>;

    /// Some keys of living entries; see [`Scan`].
    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page>;

    /// Whether it can be reached and answers.
    fn ping(&self) -> StoreFuture<'_, ()>;

    /// Lets go of connections, threads and files. What is asked after it fails.
    fn close(&self) -> StoreFuture<'_, ()>;

    /// Whole numbers that several processes count in.
    fn counters(&self) -> Option<&dyn Counters> {
        None
    }

    /// Locks with an owner and an end.
    fn locks(&self) -> Option<&dyn Locks> {
        None
    }

    /// Calls counted against limits.
    fn windows(&self) -> Option<&dyn Windows> {
        None
    }

    /// Bits by position, for filters.
    fn bits(&self) -> Option<&dyn Bits> {
        None
    }

    /// Word of what others change, for a copy in this process that is to stay true.
    fn invalidations(&self) -> Option<&dyn Invalidations> {
        None
    }
}

/// What a lease of a store is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseLevel {
    /// Checking the token and storing are one step for all processes: a value that was invalidated while it was computed is never stored.
    Atomic,
    /// As [`Atomic`](Self::Atomic), by compare-and-swap on the version of what stands in the entry's place; a lease of a key without an entry leaves a marker there.
    Versioned,
    /// Only within this process; between processes the last writer wins.
    Process,
}

/// The least of some.
pub(crate) fn least(levels: impl Iterator<Item = LeaseLevel>) -> LeaseLevel {
    levels.fold(LeaseLevel::Atomic, |least, level| match (least, level) {
        (LeaseLevel::Process, _) | (_, LeaseLevel::Process) => LeaseLevel::Process,
        (LeaseLevel::Versioned, _) | (_, LeaseLevel::Versioned) => LeaseLevel::Versioned,
        (LeaseLevel::Atomic, LeaseLevel::Atomic) => LeaseLevel::Atomic,
    })
}

/// How long something lives from now on; `None` is for ever.
pub type Life = Option<Duration>;

/// The right to fill one key of one store, as that store writes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Token(Box<[u8]>);

impl Token {
    /// A token of these bytes; they mean something to the store that made them only.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What a reader wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The entry, if there is one.
    Entry,
    /// The entry; and a lease if there is none that can be served ([`Head::can_be_served`]), or if the store cannot tell.
    EntryOrLease,
    /// The entry and a lease, whatever there is.
    EntryAndLease,
}

/// One question of [`Store::read`].
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The key.
    pub key: &'a str,
    /// What is wanted.
    pub ask: Ask,
    /// Tags that the entry is likely to have: their versions come with the answer, made where missing if a lease is given.
    pub tags: &'a [&'a str],
    /// For how long a lease stands.
    pub lease: Duration,
    /// The longest life that the entry can have: versions of tags that are made live at least for `lease` and this together.
    pub life: Life,
    /// The present, in milliseconds since 1970-01-01 UTC, for comparing with an entry's [`Head`].
    pub now: u64,
}

/// One answer of [`Store::read`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The entry as it was written.
    pub bytes: Option<Vec<u8>>,
    /// The versions of the tags that were asked for, in their order; 0 where there is none.
    pub versions: Vec<u64>,
    /// The lease, if one was asked for and is due.
    pub lease: Option<Token>,
    /// With a lease: the tag epoch when it was taken.
    pub epoch: u64,
}

/// One entry for [`Store::fill`].
#[derive(Clone, Copy, Debug)]
pub struct Fill<'a> {
    /// The key.
    pub key: &'a str,
    /// Head and body.
    pub bytes: &'a [u8],
    /// How long it is kept.
    pub life: Life,
    /// The lease.
    pub lease: &'a Token,
}

/// One entry for [`Store::write`].
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// The key.
    pub key: &'a str,
    /// Head and body.
    pub bytes: &'a [u8],
    /// How long it is kept.
    pub life: Life,
    /// Whether it is written at all.
    pub condition: Condition,
}

/// When an entry is written at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Always.
    #[default]
    Always,
    /// If the key is not there.
    Absent,
    /// If the key is there.
    Present,
}

/// What [`Store::touch`] does.
#[derive(Clone, Copy, Debug)]
pub struct Touch<'a> {
    /// The key.
    pub key: &'a str,
    /// The new head; the entry's own must be as long.
    pub head: &'a [u8],
    /// How long the entry is kept from now on.
    pub life: Life,
    /// The lease.
    pub lease: &'a Token,
}

/// What [`Store::remove`] removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal<'a> {
    /// These keys.
    Keys(&'a [&'a str]),
    /// All keys that begin so, literally; with `""` all keys of this store's name space.
    Prefix(&'a str),
    /// All keys that begin with `prefix`, literally, and whose rest matches the glob pattern by Redis' rules.
    Pattern {
        /// What is taken literally.
        prefix: &'a str,
        /// See [`Selector::Pattern`](crate::Selector::Pattern).
        pattern: &'a str,
    },
}

/// The versions of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagVersions {
    /// In the order of the tags.
    pub versions: Vec<u64>,
    /// Differs from every epoch before the latest [`Store::forget_tags`]. Never 0.
    pub epoch: u64,
}

/// A question of [`Store::scan`].
///
/// By the guarantees of Redis' [SCAN](https://redis.io/docs/latest/commands/scan/): a key that is there from the first page to the last is told at least once;
/// one that comes or goes meanwhile may be told or not; a key may be told twice.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// Keys begin so, literally.
    pub prefix: &'a str,
    /// The rest of the key matches this glob pattern.
    pub pattern: &'a str,
    /// Where the page before ended; `None` for the first.
    pub cursor: Option<&'a str>,
    /// About how many keys a page has.
    pub limit: usize,
}

/// A part of the answer of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Keys; may be empty though there is more.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub cursor: Option<String>,
}

/// Whole numbers that several processes count in.
///
/// # Contract
/// Atomic. A number is kept as decimal text, so that it is read by [`Store::read`] as those bytes. A key that holds anything else is
/// [`ErrorKind::WrongType`](crate::ErrorKind) and stays as it is; a sum out of range is an error and changes nothing.
pub trait Counters: Send + Sync {
    /// Adds and gives the sum; a key that is not there counts as 0 and then gets this life, which later additions leave as it is.
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64>;

    /// The same for a number that guards count in and nobody reads as an entry: no cap of a chain shortens its life. A store that wraps others passes it on; all others
    /// leave it as it is.
    fn count<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        self.add(key, by, life)
    }
}

/// Locks with an owner and an end.
///
/// # Contract
/// At most one owner holds a name at a time, by the store's own clock. Names and keys of entries never meet.
pub trait Locks: Send + Sync {
    /// Takes a free or expired lock, or one that this owner holds (which starts its time anew).
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired>;

    /// Starts the time of a held lock anew; `false` when the owner does not hold it any more.
    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool>;

    /// Gives a lock back; `false` when the owner does not hold it any more.
    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool>;

    /// For how long somebody holds it; `None` when nobody does.
    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>>;
}

/// What trying to take a lock gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is held now. The number grows with each acquisition of the name (Kleppmann's fencing token) for as long as the store remembers it, at least a day past the lock's end.
    Held {
        /// The fencing number.
        fence: u64,
    },
    /// Another holds it for at most this long.
    Taken {
        /// What is left of the other's time.
        left: Duration,
    },
}

/// Bits by position, which several processes set and test: what a Bloom filter is kept in.
///
/// # Contract
/// - Each operation is one round trip and atomic: who tests sees all bits of an acknowledged `set`, and never some of one that is under way.
/// - A bit that was set stays set until the life of its row is over or the row is cleared. A row that is not there has no bit set.
/// - Positions may come in any order and more than once. No room is taken beyond that for the highest position that was set.
/// - Rows and keys of entries never meet: removing entries leaves rows, clearing a row leaves entries.
pub trait Bits: Send + Sync {
    /// Sets bits of a row; how many of them were not set before. A row that is not there then gets this life, which later calls leave as it is.
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64>;

    /// Whether each of these bits is set, in the order of the positions.
    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>>;

    /// Forgets a row; whether there was one.
    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool>;
}

/// Word of what others change.
pub trait Invalidations: Send + Sync {
    /// Tells `sink` from now on, until the store is closed. Resolves when the first word cannot be missed any more.
    ///
    /// # Contract
    /// What another process changed before an acknowledged operation of ours began is told at the latest before an operation of ours that began after it answers,
    /// or, where the protocol cannot say, as soon as it arrives. Whenever word may have been lost, `sink` is told [`Changed::All`].
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()>;
}

/// Who is told what others changed. Called on the store's own task, in the order of arrival; must not block.
pub trait Sink: fmt::Debug + Send + Sync {
    /// This is not what it was.
    fn changed(&self, what: Changed<'_>);
}

/// What is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed<'a> {
    /// The entry of this key.
    Key(&'a str),
    /// All entries under this tag.
    Tag(&'a str),
    /// Anything may have changed: word was lost.
    All,
}
