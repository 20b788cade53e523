//! One value, handed from a thread to a future.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
    /// The other side is gone.
    ended: bool,
}

/// The thread's side; dropped without [`keep`](Self::keep), the other side gets `None`.
pub(crate) struct Promise<T>(Arc<Mutex<State<T>>>);

/// The future's side.
pub(crate) struct Answer<T>(Arc<Mutex<State<T>>>);

/// Two sides of one value.
pub(crate) fn answer<T>() -> (Promise<T>, Answer<T>) {
    let state = Arc::new(Mutex::new(State {
        value: None,
        waker: None,
        ended: false,
    }));
    (Promise(Arc::clone(&state)), Answer(state))
}

impl<T> Promise<T> {
    pub(crate) fn keep(self, value: T) {
        let mut state = self.0.lock();
        // A value that nobody waits for is dropped outside of the lock.
        let unwanted = if state.ended {
            Some(value)
        } else {
            state.value = Some(value);
            None
        };
        drop(state);
        drop(unwanted);
    }

    /// Whether somebody still waits.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.0.lock().ended
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.lock();
            state.ended = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Answer<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.0.lock();
        if state.ended || state.value.is_some() {
            return Poll::Ready(state.value.take());
        }
        let before = state.waker.replace(context.waker().clone());
        drop(state);
        drop(before);
        Poll::Pending
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        let (value, waker) = {
            let mut state = self.0.lock();
            state.ended = true;
            (state.value.take(), state.waker.take())
        };
        drop((value, waker));
    }
}
