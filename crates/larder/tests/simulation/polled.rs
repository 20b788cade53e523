//! Futures around a call: whose poll it is, the call that is left in the middle, and the panic that ends it.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use larder::runtime::BoxFuture;

use crate::log::Polled;
use crate::scene::Scene;

/// Tells the log whose poll it is.
pub(crate) struct Marked<T> {
    scene: Arc<Scene>,
    call: u64,
    batch: bool,
    future: BoxFuture<'static, T>,
}

impl<T> Marked<T> {
    pub(crate) fn new(
        scene: Arc<Scene>,
        call: u64,
        batch: bool,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Self {
        Self {
            scene,
            call,
            batch,
            future: Box::pin(future),
        }
    }
}

struct Back<'a>(&'a Scene, Polled);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.0.log().polled = self.1;
    }
}

impl<T> Future for Marked<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let scene = Arc::clone(&self.scene);
        let polled = Polled {
            call: self.call,
            batch: self.batch,
        };
        let before = std::mem::replace(&mut scene.log().polled, polled);
        let _back = Back(&scene, before);
        self.future.as_mut().poll(context)
    }
}

/// How a call ended.
pub(crate) enum Ended {
    Well,
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

/// A call that is dropped after so many polls, and whose panic is caught.
pub(crate) struct Ending {
    pub(crate) future: Option<BoxFuture<'static, ()>>,
    pub(crate) polls: Option<usize>,
}

impl Future for Ending {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        if self.polls == Some(0) {
            self.future = None;
            return Poll::Ready(Ended::Cancelled);
        }
        let future = self.future.as_mut().expect("not polled after its end");
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        match polled {
            Ok(Poll::Pending) => {
                if let Some(polls) = &mut self.polls {
                    *polls -= 1;
                    if *polls == 0 {
                        context.waker().wake_by_ref();
                    }
                }
                Poll::Pending
            }
            Ok(Poll::Ready(())) => Poll::Ready(Ended::Well),
            Err(panic) => {
                self.future = None;
                Poll::Ready(Ended::Panicked(panic))
            }
        }
    }
}
