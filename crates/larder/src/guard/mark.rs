//! Whether the source that has just come back on this thread was refused by a guard, however its error looks.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

/// What a guard has to do with the end of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing: it came back by itself.
    #[default]
    None,
    /// It was not called, or stopped for a reason that says nothing of it.
    Refused,
    /// It was stopped because it took too long.
    Cut,
}

thread_local! {
    static MARK: Cell<Mark> = const { Cell::new(Mark::None) };
}

/// A guard has refused; the error that says so is on its way up.
pub(crate) fn set(mark: Mark) {
    MARK.set(mark);
}

/// Before a source is polled: what it comes back with is its own.
pub(crate) fn forget() {
    MARK.set(Mark::None);
}

/// Whether a guard refused in the poll in which the source came back. Asked once, right after it.
pub(crate) fn take() -> bool {
    MARK.take() != Mark::None
}

/// Runs a source; what a guard had to do with it in the poll in which it came back.
pub(crate) async fn watch<F: Future>(source: F) -> (F::Output, Mark) {
    let mut source = pin!(source);
    let output = std::future::poll_fn(|context| {
        forget();
        source.as_mut().poll(context)
    })
    .await;
    (output, MARK.take())
}
