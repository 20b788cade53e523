//! One error type: kind, operation, key, source.

use std::fmt;
use std::sync::Arc;

use crate::key::Key;

/// The result of every direct operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed error of a source, as [`Cache::get_or_load`](crate::Cache::get_or_load) takes it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, in terms of what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A knob, a span or a number is out of range, or two knobs contradict each other: mend the call.
    InvalidPolicy,
    /// A key, a template or a pattern cannot be used: mend the call.
    InvalidKey,
    /// The cache cannot be built as asked: mend the configuration.
    Config,
    /// The default cache (or this name) already exists: set up before the first use, once.
    AlreadySetUp,
    /// This key has a writer in this process already: start each schedule once, or stop it first.
    AlreadyStarted,
    /// The entry holds a value of another type: use another key, or read it as what was stored.
    WrongType,
    /// The source failed; [`Error::source_as`] gives its error back.
    Source,
    /// A time limit passed, or another holds the lock: try later, or allow more time.
    Timeout,
    /// This cache or this store cannot do the operation, or it is switched off: use another store.
    Unsupported,
    /// The cache or the store is closed: build another one.
    Closed,
    /// A store cannot be reached, or its breaker is open: try later.
    Unavailable,
    /// A store answered, and what it says cannot be right or is an error of its own: look at the store.
    Store,
    /// A value cannot be turned into bytes, or is too large for the store: keep it `local`, make it smaller, or raise the limit.
    Encode,
    /// Another transaction holds what this one needs, or its lock was lost: run it again.
    Conflict,
    /// A guard or a `hard_timeout` did not let the call through; [`Error::source_as`] gives the [`Refused`](crate::Refused) back.
    Refused,
}

/// Why an operation did not succeed.
///
/// Cheap to clone: all who waited for one load get the same error.
///
/// ```
/// let error = larder::Policy::new().ttl("0s").check().unwrap_err();
/// assert_eq!(error.kind(), larder::ErrorKind::InvalidPolicy);
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    key: Option<Key>,
    message: String,
    source: Option<BoxError>,
}

impl Error {
    /// An error of this kind, for stores outside this library.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            operation,
            key: None,
            message: message.into(),
            source: None,
        }))
    }

    /// A store cannot be reached.
    pub fn unavailable(operation: &'static str, store: &str, source: impl Into<BoxError>) -> Self {
        Self::of_store(
            ErrorKind::Unavailable,
            operation,
            format!("{store} cannot be reached"),
            source,
        )
    }

    /// A store answered with an error, or with what cannot be right.
    pub fn store(operation: &'static str, store: &str, source: impl Into<BoxError>) -> Self {
        Self::of_store(
            ErrorKind::Store,
            operation,
            format!("{store} answered with an error"),
            source,
        )
    }

    /// A store does not do this.
    #[must_use]
    pub fn unsupported(operation: &'static str, store: &str, why: &str) -> Self {
        Self::new(
            ErrorKind::Unsupported,
            operation,
            format!("{store} cannot do this: {why}"),
        )
    }

    fn of_store(
        kind: ErrorKind,
        operation: &'static str,
        message: String,
        source: impl Into<BoxError>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            operation,
            key: None,
            message,
            source: Some(source.into()),
        }))
    }

    /// A key, template or pattern that cannot be used.
    /// What went wrong, without operation and key.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    pub(crate) fn key(message: String) -> Self {
        Self::new(ErrorKind::InvalidKey, "key", message)
    }

    /// What cannot be followed: mend the call.
    pub(crate) fn invalid(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidPolicy, operation, message)
    }

    pub(crate) fn of_refusal(refused: crate::guard::Refused) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Refused,
            operation: refused.guard(),
            key: Some(Key::from(refused.key())),
            message: "refused".into(),
            source: Some(Box::new(refused)),
        }))
    }

    pub(crate) fn at(self, key: &Key) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner {
                key: Some(key.clone()),
                ..inner
            })),
            Err(shared) => Self(shared),
        }
    }

    /// The same, as what went wrong in this operation.
    pub(crate) fn during(self, operation: &'static str) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(inner) => Self(Arc::new(Inner { operation, ..inner })),
            Err(shared) => Self(shared),
        }
    }

    pub(crate) fn from_source(operation: &'static str, key: &Key, source: BoxError) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Source,
            operation,
            key: Some(key.clone()),
            message: "the source failed".into(),
            source: Some(source),
        }))
    }

    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, as it is called in the API.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The key it was about, if it was about one.
    #[must_use]
    pub fn affected_key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// The source's own error, if it is an `E`.
    #[must_use]
    pub fn source_as<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.0.source.as_ref()?.downcast_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.operation)?;
        if let Some(key) = &self.0.key {
            write!(f, " `{key}`")?;
        }
        write!(f, ": {}", self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("key", &self.0.key)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| &**e as _)
    }
}
