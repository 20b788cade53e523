//! Driving a future on the calling thread.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::shim::thread::{self, Thread};
use crate::shim::thread_local;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls a future to its end without parking: on a thread that plays several tasks at once.
pub(crate) trait InsteadOfParking {
    /// Polls `future` to its end.
    fn drive(self: Arc<Self>, future: Pin<&mut dyn Future<Output = ()>>);
}

thread_local! {
    static INSTEAD: RefCell<Option<Arc<dyn InsteadOfParking>>> = const { RefCell::new(None) };
}

/// While it lives, [`block_on`] on this thread does not park.
pub(crate) struct Instead(Option<Arc<dyn InsteadOfParking>>);

/// Has this thread drive futures so, instead of parking.
pub(crate) fn instead_of_parking(instead: Arc<dyn InsteadOfParking>) -> Instead {
    Instead(INSTEAD.with(|before| before.replace(Some(instead))))
}

impl Drop for Instead {
    fn drop(&mut self) {
        INSTEAD.with(|instead| instead.replace(self.0.take()));
    }
}

/// Polls `future` on this thread until it is done, parking between polls.
///
/// `park` may return early, and an `unpark` that came first is kept, so polling again after each return loses no wake-up.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    thread_local! {
        static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
    }
    let mut future = pin!(future);
    if let Some(instead) = INSTEAD.with(|instead| instead.borrow().clone()) {
        let mut output = None;
        instead.drive(pin!(async { output = Some(future.await) }));
        return output.expect("a future that was driven to its end has an output");
    }
    let waker = WAKER.with(Clone::clone);
    let _parking = Parking::begin();
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

thread_local! {
    static PARKING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// While it lives, this thread is in [`block_on`].
struct Parking(bool);

impl Parking {
    fn begin() -> Self {
        Self(PARKING.with(|parking| parking.replace(true)))
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        PARKING.with(|parking| parking.set(self.0));
    }
}

/// Whether this thread is driving a future in [`block_on`]: it will park, and nothing else runs on it meanwhile.
#[cfg(any(feature = "reactor", feature = "sqlite", feature = "file"))]
pub(crate) fn is_parking() -> bool {
    PARKING.with(std::cell::Cell::get)
}
