//! `locked`: one call at a time.

use std::sync::Arc;
use std::time::Duration;

use super::knobs::finite;
use super::{Asking, Guard, Outage, Pass, Reason, Refused};
use crate::error::{Error, ErrorKind};
use crate::key::Key;
use crate::lock::{Holder, NotTaken};
use crate::policy::{FOREVER, Fault, IntoSpan, Lit, Span};
use crate::runtime::BoxFuture;
use crate::scope::{Fence, scope};

mod keeper;

use keeper::Keeper;

/// How many times its `ttl` a lock is renewed for if nothing else was said.
const DEADLINE: u64 = 10;

/// Lets one call through at a time.
///
/// The lock is renewed while the body runs, up to its deadline, and given back when the body is over, however it ends.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder::guard::{Locked, fence};
///
/// let cache = larder::Cache::builder().build()?;
/// let one = Locked::new("10s");
/// let inner = || async { Ok::<_, larder::Error>("alone") };
/// let outer = || async {
///     assert!(fence().is_some());
///     let refused = cache.guard(&one, "job", inner).await.unwrap_err();
///     assert_eq!(refused.kind(), larder::ErrorKind::Refused);
///     Ok::<_, larder::Error>("done")
/// };
/// assert_eq!(cache.guard(&one, "job", outer).await?, "done");
/// assert_eq!(cache.guard(&one, "job", inner).await?, "alone");
/// # Ok::<(), larder::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Locked {
    ttl: u64,
    wait: Wait,
    deadline: Option<u64>,
    outage: Outage,
    fault: Option<Fault>,
}

/// How long a call waits for a lock that is held.
#[derive(Clone, Copy, Debug)]
enum Wait {
    No,
    /// As long as a holder may hold it.
    ForHolder,
    For(u64),
}

impl Locked {
    /// One call at a time; a lock of which nothing is heard for so long is free.
    pub fn new(ttl: impl IntoSpan) -> Self {
        LockedKnobs::new().0.ttl(ttl)
    }

    /// How long the lock is held without a word from its holder: what others have to wait for when a process was killed. A lock is renewed each third of it.
    #[must_use]
    pub fn ttl(mut self, span: impl IntoSpan) -> Self {
        match span.into_span() {
            Ok(Span(FOREVER)) => self.fault = Some(Fault::LockForever),
            Ok(Span(span)) => self.ttl = span,
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// How long to wait for a lock that is held. Without it such a call is refused at once.
    #[must_use]
    pub fn wait(mut self, span: impl IntoSpan) -> Self {
        match finite(span) {
            Ok(span) => self.wait = Wait::For(span),
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// How long the lock is held at most, and not shorter than `ttl`. Then an async body is dropped and the call refused as [`Reason::TimedOut`]; a sync body
    /// cannot be dropped and runs on without the lock. Default: ten times `ttl`.
    #[must_use]
    pub fn deadline(mut self, span: impl IntoSpan) -> Self {
        match finite(span) {
            Ok(span) => self.deadline = Some(span),
            Err(fault) => self.fault = Some(fault),
        }
        self
    }

    /// What happens when the store cannot be asked, before the body or while it runs. Default [`Outage::Open`].
    #[must_use]
    pub fn on_outage(mut self, outage: Outage) -> Self {
        self.outage = outage;
        self
    }

    const fn held_for(&self) -> u64 {
        match self.deadline {
            Some(deadline) => deadline,
            None => self.ttl.saturating_mul(DEADLINE),
        }
    }

    const fn fault(&self) -> Option<Fault> {
        match self.fault {
            Some(fault) => Some(fault),
            None if self.ttl == 0 => Some(Fault::NoLockTtl),
            None if self.held_for() < self.ttl => Some(Fault::DeadlineBeforeTtl),
            None => None,
        }
    }
}

impl Guard for Locked {
    fn name(&self) -> &'static str {
        "locked"
    }

    fn admit<'a>(&'a self, asking: &'a Asking) -> BoxFuture<'a, Result<Pass, Refused>> {
        Box::pin(async move {
            let misconfigured = |why| Err(asking.refuse(Reason::Misconfigured).because(why));
            if let Some(fault) = self.fault() {
                return misconfigured(Error::invalid("locked", fault.message()));
            }
            let span = |nanos| asking.now().after(Duration::from_nanos(nanos));
            let until = match self.wait {
                Wait::No => None,
                Wait::ForHolder => Some(span(self.held_for())),
                Wait::For(wait) => Some(span(wait)),
            };
            let (ground, key) = (Arc::clone(asking.ground()), Key::from(asking.key()));
            let holder = Holder::new(ground, key, Duration::from_nanos(self.ttl));
            match holder.take(until).await {
                Ok(taken) => {
                    let deadline = span(self.held_for());
                    let keeper = Keeper::new(asking, holder, taken, deadline, self.outage);
                    Ok(Keeper::pass(keeper))
                }
                Err(NotTaken::Held(left)) => Err(asking.refuse(Reason::Locked).retry_after(left)),
                Err(NotTaken::Failed(error)) if error.kind() == ErrorKind::Unsupported => {
                    misconfigured(error)
                }
                Err(NotTaken::Failed(error)) => {
                    asking.failed(&error, self.outage)?;
                    // A lock outside of this one does not speak for it.
                    Ok(Pass::free().inside(scope().fenced(Fence::None)))
                }
            }
        })
    }
}

/// The fencing number of the lock that this task or thread runs under: larger than that of every earlier holder. `None` outside of a lock, and where the store could not be asked.
///
/// A lock ends while its holder still runs if the holder is stopped for longer than the lock's time. Whatever the body writes to is safe from such a holder if it takes the
/// number along and refuses a smaller one than it has seen (Kleppmann,
/// ["How to do distributed locking"](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html), 2016).
///
/// Of locks inside of each other it is the innermost one's. Tasks and threads that the body starts have none: hand the number over.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use larder::{Refused, locked};
///
/// #[locked(ttl = "10s", key = "account:{id}")]
/// fn book(id: u64) -> Result<Option<u64>, Refused> {
///     // UPDATE account SET .., fence = $1 WHERE id = $2 AND fence < $1
///     Ok(larder::guard::fence())
/// }
///
/// let first = book(7).unwrap();
/// assert!(first.is_some() && book(7).unwrap() > first);
/// assert_eq!(larder::guard::fence(), None);
/// # }
/// ```
#[must_use]
pub fn fence() -> Option<u64> {
    match crate::scope::current()?.fence {
        Fence::Of(number) => Some(number),
        Fence::Outer | Fence::None => None,
    }
}

/// The knobs of `#[locked]`, evaluated by the compiler.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct LockedKnobs(Locked);

#[doc(hidden)]
#[allow(clippy::new_without_default)]
impl LockedKnobs {
    #[must_use]
    pub const fn new() -> Self {
        Self(Locked {
            ttl: 0,
            wait: Wait::No,
            deadline: None,
            outage: Outage::Open,
            fault: None,
        })
    }

    #[track_caller]
    #[must_use]
    pub const fn ttl(mut self, value: Lit) -> Self {
        self.0.ttl = match value.span() {
            Ok(Span(FOREVER)) => panic!("{}", Fault::LockForever.message()),
            Ok(Span(span)) => span,
            Err(fault) => panic!("{}", fault.message()),
        };
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn wait(mut self, value: Lit) -> Self {
        self.0.wait = match value {
            Lit::Flag => Wait::ForHolder,
            value => Wait::For(value.finite()),
        };
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn deadline(mut self, value: Lit) -> Self {
        self.0.deadline = Some(value.finite());
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn on_outage(mut self, value: Lit) -> Self {
        self.0.outage = value.outage();
        self
    }

    #[track_caller]
    #[must_use]
    pub const fn finish(self) -> Locked {
        if let Some(fault) = self.0.fault() {
            panic!("{}", fault.message());
        }
        self.0
    }

    /// Some knobs are expressions and come later.
    #[must_use]
    pub const fn finish_open(self) -> Locked {
        self.0
    }
}
