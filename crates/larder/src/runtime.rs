//! Now, sleep and spawn: the engine's only source of time and tasks.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

mod clock;
mod home;
mod park;
#[cfg(feature = "reactor")]
mod reactor;
mod system;
mod thread;
mod timer;

pub(crate) use clock::nanos;
pub use clock::{Clock, Timestamp};
pub(crate) use home::Home;
#[cfg(any(feature = "reactor", feature = "sqlite", feature = "file"))]
pub(crate) use park::is_parking;
pub(crate) use park::{InsteadOfParking, block_on, instead_of_parking};
#[cfg(feature = "reactor")]
pub use reactor::{Entered, Reactor, Side};
pub use system::SystemRuntime;
pub(crate) use system::mix;

/// An owned, boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Work that the engine hands to a [`Runtime`].
pub enum Task {
    /// A background load of an async source: poll it where the source's own runtime lives.
    Load(BoxFuture<'static, ()>),
    /// A background load of a sync source: run it where blocking is allowed.
    BlockingLoad(Box<dyn FnOnce() + Send>),
    /// Housekeeping of the engine: short polls, no user code but the drop of evicted values.
    Chore(BoxFuture<'static, ()>),
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Load(_) => "Load",
            Self::BlockingLoad(_) => "BlockingLoad",
            Self::Chore(_) => "Chore",
        })
    }
}

/// Where the engine gets time, tasks and chance from.
///
/// The engine has no other source of them: with a [`testing::Simulation`](crate::testing) a whole
/// program of cached functions runs in virtual time, repeatably.
///
/// # Contract
/// - `clock` answers the same clock each time; its time never goes back.
/// - `sleep` resolves at or after its duration on that clock, never before.
/// - `spawn` must not run the task before it returns, and must not drop a task that it accepted before
///   it is finished (dropping it is a cancelled load: the flight passes on, nothing is stored).
///
/// # Cancellation
/// Dropping the future of `sleep` releases its timer.
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// The clock that all deadlines are read on.
    fn clock(&self) -> Clock;

    /// Resolves after `duration` of [`clock`](Self::clock) time.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs a task to its end, apart from the caller.
    fn spawn(&self, task: Task);

    /// 64 random bits, for jitter and sampling. Need not be unpredictable.
    fn random(&self) -> u64;
}

/// The runtime of a cache that was not given one.
pub(crate) fn default_runtime() -> Arc<dyn Runtime> {
    Arc::new(SystemRuntime::new())
}
