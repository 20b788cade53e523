//! Whether the source that has just come back on this thread was refused by a guard, however its error looks.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

thread_local! {
    static REFUSED: Cell<bool> = const { Cell::new(false) };
}

/// A guard has refused; the error that says so is on its way up.
pub(crate) fn refused() {
    REFUSED.set(true);
}

/// Before a source is polled: what it comes back with is its own.
pub(crate) fn forget() {
    REFUSED.set(false);
}

/// Whether a guard refused in the poll in which the source came back. Asked once, right after it.
pub(crate) fn take() -> bool {
    REFUSED.take()
}

/// Runs a source; whether a guard refused in the poll in which it came back.
pub(crate) async fn watch<F: Future>(source: F) -> (F::Output, bool) {
    let mut source = pin!(source);
    let output = std::future::poll_fn(|context| {
        forget();
        source.as_mut().poll(context)
    })
    .await;
    (output, take())
}
