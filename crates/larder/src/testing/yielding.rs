//! A point at which others may go first.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Lets others go first. In a [`Simulation`](super::Simulation) the seed decides how many of them, and which.
///
/// Put it into a simulated source where a real one would wait for the network.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "nobody goes first before it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
