//! Which keys were read while something ran, from where, and how old they were.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::scope::{Scoped, scope};

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
    /// The key that was read.
    pub key: String,
    /// The cached function that read it, by path; `None` for direct operations.
    pub function: Option<&'static str>,
    /// The name of the cache.
    pub cache: Arc<str>,
    /// Where the answer came from.
    pub source: Source,
    /// What held it: `memory`, or the name of a store; `None` when nothing did.
    pub tier: Option<Arc<str>>,
    /// Time since the entry was written; `None` when it came from no entry.
    pub age: Option<Duration>,
}

#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Read>>);

impl Recorder {
    pub(crate) fn note(&self, read: Read) {
        self.0.lock().push(read);
    }
}

/// Runs a closure and tells which keys it read.
///
/// Nested detections all see what the inner one sees.
///
/// ```
/// let cache = larder::Cache::builder().build()?;
/// cache.blocking().set("k", &1_u64).ttl("1m").wait()?;
/// let (value, reads) = larder::detect(|| cache.blocking().get::<u64>("k"));
/// assert_eq!(value?, Some(1));
/// assert_eq!(reads[0].key, "k");
/// assert_eq!(reads[0].source, larder::Source::Fresh);
/// # Ok::<(), larder::Error>(())
/// ```
pub fn detect<R>(f: impl FnOnce() -> R) -> (R, Vec<Read>) {
    let recorder = Arc::new(Recorder::default());
    let result = scope().record(Arc::clone(&recorder)).run(f);
    let reads = std::mem::take(&mut *recorder.0.lock());
    (result, reads)
}

/// Awaits a future and tells which keys it read. See [`detect`].
pub async fn detect_async<F: Future>(future: F) -> (F::Output, Vec<Read>) {
    let recorder = Arc::new(Recorder::default());
    let scoped: Scoped<F> = scope().record(Arc::clone(&recorder)).wrap(future);
    let result = scoped.await;
    let reads = std::mem::take(&mut *recorder.0.lock());
    (result, reads)
}
