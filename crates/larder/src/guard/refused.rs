//! The refusal: one error type for all guards.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;

/// A guard did not let a call through.
///
/// Functions with a guard return it inside of their own error, by `From<Refused>`. Cheap to clone: all who waited for the refused load get the same one.
///
/// ```
/// # #[derive(Debug)]
/// enum LoginError {
///     Refused(larder::Refused),
///     WrongPassword,
/// }
///
/// impl From<larder::Refused> for LoginError {
///     fn from(refused: larder::Refused) -> Self {
///         Self::Refused(refused)
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Refused(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    guard: &'static str,
    key: Box<str>,
    reason: Reason,
    retry_after: Option<Duration>,
    source: Option<Error>,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Another holds the lock and held it for as long as this call would wait.
    Locked,
    /// The lock was lost while the call ran under it, so another may hold it.
    Lost,
    /// The calls of this time are used up.
    Limited,
    /// The caller went over the limit and is kept out for a while.
    Banned,
    /// The circuit is open: too many calls have failed.
    Open,
    /// Calls have become slow, and the source is left alone for a while.
    Slow,
    /// What is asked for is certainly not there.
    Absent,
    /// The call took longer than it may.
    TimedOut,
    /// The guard's store cannot be asked, and the guard is closed then.
    Unavailable,
    /// The guard cannot work as it is set up: mend the attribute or the builder.
    Misconfigured,
}

impl Refused {
    /// A refusal by a guard of a call under a key.
    #[must_use]
    pub fn new(guard: &'static str, key: &str, reason: Reason) -> Self {
        Self(Arc::new(Inner {
            guard,
            key: key.into(),
            reason,
            retry_after: None,
            source: None,
        }))
    }

    /// With the time after which a call may be let through again.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        Arc::make_mut(&mut self.0).retry_after = Some(after);
        self
    }

    /// With what went wrong below.
    #[must_use]
    pub fn because(mut self, source: Error) -> Self {
        Arc::make_mut(&mut self.0).source = Some(source);
        self
    }

    /// The guard, as its attribute is called.
    #[must_use]
    pub fn guard(&self) -> &'static str {
        self.0.guard
    }

    /// What the call was counted under.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.0.key
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// How long until a call may be let through again, if that is known: what belongs into HTTP's `Retry-After`
    /// ([RFC 9110, 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
    #[must_use]
    pub fn comes_back(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.0.reason {
            Reason::Locked => "another call holds the lock",
            Reason::Lost => "the lock was lost while the call ran under it",
            Reason::Limited => "the calls of this time are used up",
            Reason::Banned => "kept out after too many calls",
            Reason::Open => "the circuit is open after too many failures",
            Reason::Slow => "the source has become slow and is left alone",
            Reason::Absent => "certainly not there",
            Reason::TimedOut => "the call took longer than it may",
            Reason::Unavailable => "the guard's store cannot be asked",
            Reason::Misconfigured => "the guard is set up wrongly",
        };
        write!(f, "{} `{}`: {why}", self.0.guard, self.0.key)?;
        if let Some(after) = self.0.retry_after {
            write!(f, ", try again in {after:?}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("guard", &self.0.guard)
            .field("key", &self.0.key)
            .field("reason", &self.0.reason)
            .field("retry_after", &self.0.retry_after)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Error::of_refusal(refused)
    }
}

impl From<Refused> for std::io::Error {
    fn from(refused: Refused) -> Self {
        let kind = match refused.reason() {
            Reason::TimedOut => std::io::ErrorKind::TimedOut,
            Reason::Absent => std::io::ErrorKind::NotFound,
            Reason::Misconfigured => std::io::ErrorKind::InvalidInput,
            _ => std::io::ErrorKind::ResourceBusy,
        };
        Self::new(kind, refused)
    }
}

/// An error that can carry the refusal of a guard.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry the refusal of a guard",
    label = "a guard answers with an error of this type",
    note = "add `impl From<larder::Refused> for {Self}` (with thiserror: a variant `Refused(#[from] larder::Refused)`)"
)]
pub trait CarriesRefusal {
    #[doc(hidden)]
    fn carry(refused: Refused) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<Refused>> CarriesRefusal for E {
    fn carry(refused: Refused) -> Self {
        Self::from(refused)
    }
}
