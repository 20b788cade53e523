//! Which Tokio runtime drives a store's connections.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};

use super::is_parking;

/// Larder's own runtime: for callers that have none, and for those that hold the thread which theirs would need.
static OWN: LazyLock<Runtime> = LazyLock::new(|| {
    let built = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("larder-io")
        .enable_all()
        .build();
    built.expect("larder: no thread could be started for the connections of stores")
});

/// Where a store's connections live.
///
/// A connection is fastest on the runtime of the task that asks: no thread has to wake another. But a sync cached function that is called on a runtime's only thread
/// parks that thread, and a connection there would never be driven. So a store keeps up to two: one at *home*, the runtime in which it was built, and one on Larder's own
/// runtime, and asks [`side`](Self::side) before each operation.
#[derive(Clone)]
pub struct Reactor {
    home: Option<Handle>,
}

/// One of the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The runtime in which the store was built.
    Home,
    /// Larder's own.
    Own,
}

impl Reactor {
    /// The runtime that is current is home.
    #[must_use]
    pub fn new() -> Self {
        Self {
            home: Handle::try_current().ok(),
        }
    }

    /// No home: all connections on Larder's own runtime.
    #[must_use]
    pub fn own() -> Self {
        Self { home: None }
    }

    /// Where to do what the present caller asks for.
    #[must_use]
    pub fn side(&self) -> Side {
        match (&self.home, Handle::try_current()) {
            (Some(home), Ok(current)) if home.id() == current.id() && !is_parking() => Side::Home,
            _ => Side::Own,
        }
    }

    /// The runtime of a side.
    #[must_use]
    pub fn handle(&self, side: Side) -> Handle {
        match (&self.home, side) {
            (Some(home), Side::Home) => home.clone(),
            _ => OWN.handle().clone(),
        }
    }

    /// A future that may be polled anywhere, with Larder's own runtime current while it is polled.
    pub fn enter<F: Future>(future: F) -> Entered<F> {
        Entered {
            handle: OWN.handle().clone(),
            future: Box::pin(future),
        }
    }
}

impl Default for Reactor {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("has_home", &self.home.is_some())
            .finish()
    }
}

/// See [`Reactor::enter`].
pub struct Entered<F> {
    handle: Handle,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        let _entered = this.handle.enter();
        this.future.as_mut().poll(context)
    }
}

impl<F> fmt::Debug for Entered<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entered")
    }
}
