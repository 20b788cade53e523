//! What was read, written and removed while something ran.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::entry::Remaining;
use crate::policy::Strategy;
use crate::scope::{Scoped, scope};
use crate::selector::Selector;

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A fresh entry.
    Fresh,
    /// An entry that is being reloaded behind.
    Refresh,
    /// A kept error.
    Negative,
    /// A kept entry, because the source failed.
    Saved,
    /// Another's load of the same key.
    Coalesced,
    /// The source itself.
    Loaded,
    /// Nowhere: the source failed and nothing stood in.
    Failed,
    /// Nowhere: the key was not there.
    Missing,
}

/// One read of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// The key that was read, as it is kept.
    pub key: String,
    /// The cached function that read it, by path; `None` for direct operations.
    pub function: Option<&'static str>,
    /// The key template of that function; `None` for direct operations and for keys that are made of all arguments.
    pub template: Option<&'static str>,
    /// The name of the cache.
    pub cache: Arc<str>,
    /// Where the answer came from.
    pub source: Source,
    /// The words of the policy in force: the one that the entry was written under, else that of the call. A direct `get` of an entry that came from a store knows only
    /// what its instants speak of: `ttl`, `stale`, `fail_safe` and budgets of hits.
    pub strategy: Strategy,
    /// What held it: `memory`, or the name of a store; `None` when nothing did.
    pub tier: Option<Arc<str>>,
    /// Time since the entry was written; `None` when it came from no entry.
    pub age: Option<Duration>,
    /// How long the entry is kept from now on: the one that was read, or the one that a load has left. `None` when there is none.
    pub remaining: Option<Remaining>,
    /// How many hits the entry has had, this one among them; counted only under `hits` and `refresh_hits`.
    pub hits: Option<u32>,
}

/// One entry that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// Its key, as it is kept.
    pub key: String,
    /// The name of the cache.
    pub cache: Arc<str>,
    /// Where it was written: `memory` if it is kept there, also as a copy of what a store holds; else the name of the store.
    pub tier: Arc<str>,
    /// The words of the policy that it lives under.
    pub strategy: Strategy,
    /// How long it is kept.
    pub remaining: Remaining,
}

/// One removal, whether it found anything or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removal {
    /// What was meant, without the cache's prefix.
    pub selector: Selector,
    /// The name of the cache.
    pub cache: Arc<str>,
}

/// What happened while something ran. By itself it is the list of the reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detected {
    /// The reads, in the order in which they ended.
    pub reads: Vec<Read>,
    /// What was written.
    pub writes: Vec<Write>,
    /// What was removed.
    pub removals: Vec<Removal>,
}

impl Deref for Detected {
    type Target = [Read];

    fn deref(&self) -> &[Read] {
        &self.reads
    }
}

impl<'a> IntoIterator for &'a Detected {
    type Item = &'a Read;
    type IntoIter = std::slice::Iter<'a, Read>;

    fn into_iter(self) -> Self::IntoIter {
        self.reads.iter()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Detected>);

impl Recorder {
    pub(crate) fn read(&self, read: Read) {
        self.0.lock().reads.push(read);
    }

    pub(crate) fn wrote(&self, write: Write) {
        self.0.lock().writes.push(write);
    }

    pub(crate) fn removed(&self, removal: Removal) {
        self.0.lock().removals.push(removal);
    }

    fn take(&self) -> Detected {
        std::mem::take(&mut self.0.lock())
    }
}

/// Runs a closure and tells what it read, wrote and removed, on all caches.
///
/// It sees what happens in its own task or thread: also the sources of loads that this leads, and each key of a batch. A call that waited for another's load sees one read
/// ([`Source::Coalesced`]). Not seen are loads that run behind, and tasks and threads that were started inside. Nested detections all see what the inner one sees.
///
/// ```
/// use larder::{Source, Strategy};
///
/// let cache = larder::Cache::builder().build()?;
/// let ((), first) = larder::detect(|| drop(cache.blocking().set("k", &1_u64).ttl("1m").wait()));
/// assert_eq!(first.writes[0].key, "k");
/// let (value, second) = larder::detect(|| cache.blocking().get::<u64>("k"));
/// assert_eq!(value?, Some(1));
/// assert_eq!(second.reads[0].source, Source::Fresh);
/// assert_eq!(second.reads[0].strategy, Strategy::TTL);
/// # Ok::<(), larder::Error>(())
/// ```
pub fn detect<R>(f: impl FnOnce() -> R) -> (R, Detected) {
    let recorder = Arc::new(Recorder::default());
    let result = scope().record(Arc::clone(&recorder)).run(f);
    (result, recorder.take())
}

/// Awaits a future and tells what it read, wrote and removed. See [`detect`].
///
/// Two functions and not one, for a closure that gives a future would be both.
pub async fn detect_async<F: Future>(future: F) -> (F::Output, Detected) {
    let recorder = Arc::new(Recorder::default());
    let scoped: Scoped<F> = scope().record(Arc::clone(&recorder)).wrap(future);
    let result = scoped.await;
    (result, recorder.take())
}
