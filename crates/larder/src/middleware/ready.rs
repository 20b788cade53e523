//! Middleware that is ready to use.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Action, Middleware, Operation, Outcome, Step};
use crate::error::{Error, ErrorKind, Result};

/// Keeps all entries under keys that begin with a text more.
///
/// The cache's own [`prefix`](crate::Builder::prefix) costs less and is a part of tags too; this one is for what has to stand at a certain place among other middleware.
///
/// ```
/// let cache = larder::Cache::builder()
///     .middleware(larder::middleware::Prefix::new("eu:"))
///     .build()?;
/// let cache = cache.blocking();
/// cache.set("user:7", &1_u64).ttl("1m").wait()?;
/// assert_eq!(cache.scan("user:*")?, ["user:7"]);
/// assert_eq!(cache.delete_prefix("user:")?, 1);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Prefix {
    text: String,
    /// As a part of a pattern.
    escaped: String,
}

impl Prefix {
    /// A text that stands before all keys, taken literally.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let escaped = larder_syntax::glob::escape(&text);
        Self { text, escaped }
    }
}

impl Middleware for Prefix {
    fn name(&self) -> &str {
        "Prefix"
    }

    fn key<'k>(&self, key: &'k str) -> Cow<'k, str> {
        Cow::Owned(format!("{}{key}", self.text))
    }

    fn pattern<'k>(&self, pattern: &'k str) -> Cow<'k, str> {
        Cow::Owned(format!("{}{pattern}", self.escaped))
    }

    fn original<'k>(&self, key: &'k str) -> Cow<'k, str> {
        Cow::Borrowed(key.strip_prefix(&*self.text).unwrap_or(key))
    }
}

/// Keeps all entries under keys in lower case.
///
/// Keys that differ only in case become one key. That is what it is for, and what makes it dangerous: under `user:{name}` it lets `Ada` see what was kept for
/// `ada`. Where only one part of a key should not know case, write `{name:lower}` in its template.
///
/// ```
/// let cache = larder::Cache::builder()
///     .middleware(larder::middleware::Lowercase)
///     .build()?;
/// let cache = cache.blocking();
/// cache.set("Tag:Rust", &1_u64).ttl("1m").wait()?;
/// assert_eq!(cache.get::<u64>("tag:RUST")?, Some(1));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lowercase;

impl Middleware for Lowercase {
    fn name(&self) -> &str {
        "Lowercase"
    }

    fn key<'k>(&self, key: &'k str) -> Cow<'k, str> {
        let lower = |c: char| c.to_lowercase().eq([c]);
        if key.chars().all(lower) {
            return Cow::Borrowed(key);
        }
        // Each character for itself, so that the beginning of a key becomes the beginning of what the key becomes: `str::to_lowercase` looks at neighbours.
        Cow::Owned(key.chars().flat_map(char::to_lowercase).collect())
    }
}

/// Tells how every operation ended, in a line of text: `get user:7: Hit in 1.2µs`.
///
/// The line goes wherever the closure takes it, which must not block: to a log, to a channel. For the events of a cache see [`Observer`](crate::Observer).
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// let lines = Arc::new(Mutex::new(Vec::new()));
/// let sink = Arc::clone(&lines);
/// let cache = larder::Cache::builder()
///     .middleware(larder::middleware::Logging::new(move |line| sink.lock().unwrap().push(line.to_string())))
///     .build()?;
/// cache.blocking().get::<u64>("user:7")?;
/// assert!(lines.lock().unwrap()[0].starts_with("get user:7: Miss in "));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone)]
pub struct Logging<F>(F);

impl<F: Fn(fmt::Arguments<'_>) + Send + Sync + 'static> Logging<F> {
    /// Where the lines go.
    pub fn new(sink: F) -> Self {
        Self(sink)
    }
}

impl<F: Fn(fmt::Arguments<'_>) + Send + Sync + 'static> Middleware for Logging<F> {
    fn name(&self) -> &str {
        "Logging"
    }

    fn after(&self, operation: &Operation<'_>, outcome: Outcome, took: Duration) {
        let Operation { action, key, .. } = operation;
        match operation.selector {
            Some(selector) => (self.0)(format_args!(
                "{action} {selector:?}: {outcome:?} in {took:?}"
            )),
            None => (self.0)(format_args!("{action} {key}: {outcome:?} in {took:?}")),
        }
    }
}

impl<F> fmt::Debug for Logging<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logging")
    }
}

/// Leaves out what is too light or too heavy to be kept: its value is returned and not stored.
///
/// The weight is that of [`Builder::weight`](crate::Builder::weight): what the policy says, else what the type's [`weigher`](crate::Builder::weigher) says, else the size of the type plus the key. What is
/// behind a pointer is not seen without a weigher. What a rejected write would have replaced stays as it is.
///
/// ```
/// use larder::middleware::MemoryLimit;
///
/// let cache = larder::Cache::builder()
///     .weigher(|text: &String| u32::try_from(text.len()).unwrap_or(u32::MAX))
///     .middleware(MemoryLimit::new(1..=1_000)?)
///     .build()?;
/// let cache = cache.blocking();
/// assert!(cache.set("short", "text").ttl("1m").wait()?);
/// assert!(!cache.set("long", &*"text".repeat(1_000)).ttl("1m").wait()?);
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryLimit(RangeInclusive<u32>);

impl MemoryLimit {
    /// The least and the greatest weight that is kept.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the range is empty: nothing would be kept.
    pub fn new(weights: RangeInclusive<u32>) -> Result<Self> {
        if weights.is_empty() {
            let message = format!(
                "no weight is between {} and {}: give the smaller one first",
                weights.start(),
                weights.end()
            );
            return Err(Error::new(ErrorKind::Config, "MemoryLimit", message));
        }
        Ok(Self(weights))
    }
}

impl Middleware for MemoryLimit {
    fn name(&self) -> &str {
        "MemoryLimit"
    }

    fn before(&self, operation: &Operation<'_>) -> Step {
        let kept = operation.action != Action::Set
            || operation
                .weight
                .is_none_or(|weight| self.0.contains(&weight));
        if kept { Step::Proceed } else { Step::LeaveOut }
    }
}
