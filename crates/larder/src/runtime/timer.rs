//! One thread that wakes sleepers, started by the first and gone when there are none.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::BoxFuture;
use super::clock::{Clock, nanos};
use super::thread::{self, Start, caught};

/// How long the thread stays without a sleeper before it ends.
const LINGER: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    /// By instant, then by order of arrival.
    sleepers: BTreeMap<(u64, u64), Waker>,
    arrivals: u64,
    running: bool,
    /// When the thread looks again by itself. A sleeper that was the first may be gone by then: looking in vain once costs less than a wake for each sleeper.
    looks_at: u64,
}

#[derive(Debug)]
pub(super) struct Timer {
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
    start: Start,
}

impl Timer {
    pub(super) fn new() -> Arc<Self> {
        Self::with(thread::start)
    }

    fn with(start: Start) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            clock: Clock::system(),
            start,
        })
    }

    pub(super) fn sleep(self: &Arc<Self>, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(Sleep {
            timer: Arc::clone(self),
            until: self.clock.now().0.saturating_add(nanos(duration)),
            place: None,
        })
    }

    fn add(self: &Arc<Self>, until: u64, waker: Waker) -> (u64, u64) {
        let mut state = self.state.lock();
        state.arrivals += 1;
        let place = (until, state.arrivals);
        state.sleepers.insert(place, waker);
        if !state.running {
            let timer = Arc::clone(self);
            if let Err(error) = (self.start)("larder-timer", Box::new(move || timer.run())) {
                let waker = state.sleepers.remove(&place);
                drop(state);
                drop(waker);
                // Without the thread this deadline would never pass: there is nothing better to do than to say so. The next sleeper tries anew.
                panic!("larder: cannot start the timer thread: {error}");
            }
            state.running = true;
            state.looks_at = 0;
        } else if until < state.looks_at {
            state.looks_at = until;
            self.changed.notify_one();
        }
        place
    }

    fn run(self: Arc<Self>) {
        let mut due = Vec::new();
        let mut state = self.state.lock();
        loop {
            let now = self.clock.now().0;
            while let Some(entry) = state.sleepers.first_entry() {
                if entry.key().0 > now {
                    break;
                }
                due.push(entry.remove());
            }
            if !due.is_empty() {
                // A waker is foreign code: never call it under the lock, and let none end the thread.
                drop(state);
                for waker in due.drain(..) {
                    caught(|| waker.wake());
                }
                state = self.state.lock();
                continue;
            }
            let wait = match state.sleepers.first_key_value() {
                Some((&(until, _), _)) => Duration::from_nanos(until - now),
                None => LINGER,
            };
            state.looks_at = now.saturating_add(nanos(wait));
            let idle = state.sleepers.is_empty();
            let timed_out = self.changed.wait_for(&mut state, wait).timed_out();
            if idle && timed_out && state.sleepers.is_empty() {
                state.running = false;
                return;
            }
        }
    }
}

struct Sleep {
    timer: Arc<Timer>,
    until: u64,
    place: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.timer.clock.is_before(self.until) {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        match self.place {
            Some(place) => {
                let mut state = self.timer.state.lock();
                match state.sleepers.get_mut(&place) {
                    Some(slot) => {
                        let before = std::mem::replace(slot, waker);
                        drop(state);
                        drop(before);
                    }
                    // Woken between the look at the clock and here: look again.
                    None => {
                        drop(state);
                        self.place = None;
                        context.waker().wake_by_ref();
                    }
                }
            }
            None => self.place = Some(self.timer.add(self.until, waker)),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let waker = self.timer.state.lock().sleepers.remove(&place);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::task::Wake;

    use super::super::block_on;
    use super::super::thread::refusing;
    use super::*;

    #[test]
    fn sleepers_wake_in_order_and_not_early() {
        let timer = Timer::new();
        let clock = Clock::system();
        let start = clock.now();
        let long = timer.sleep(Duration::from_millis(20));
        let short = timer.sleep(Duration::from_millis(5));
        block_on(short);
        assert!(clock.now().since(start) >= Duration::from_millis(5));
        block_on(long);
        assert!(clock.now().since(start) >= Duration::from_millis(20));
    }

    #[test]
    fn a_sleeper_is_woken_though_the_thread_waits_for_another() {
        let timer = Timer::new();
        let clock = Clock::system();
        // Begun and dropped: the thread still waits for its end.
        let mut dropped = timer.sleep(Duration::from_secs(3600));
        let mut context = Context::from_waker(Waker::noop());
        assert!(dropped.as_mut().poll(&mut context).is_pending());
        drop(dropped);
        for _ in 0..20 {
            let start = clock.now();
            block_on(timer.sleep(Duration::from_millis(1)));
            let took = clock.now().since(start);
            assert!(took < Duration::from_secs(60), "took {took:?}");
        }
    }

    #[test]
    fn a_dropped_sleep_leaves_nothing_behind() {
        let timer = Timer::new();
        let mut sleep = timer.sleep(Duration::from_secs(3600));
        let mut context = Context::from_waker(Waker::noop());
        assert!(sleep.as_mut().poll(&mut context).is_pending());
        assert_eq!(timer.state.lock().sleepers.len(), 1);
        drop(sleep);
        assert!(timer.state.lock().sleepers.is_empty());
    }

    #[test]
    fn a_thread_that_could_not_start_is_started_by_the_next_sleeper() {
        let timer = Timer::with(refusing::start);
        let mut context = Context::from_waker(Waker::noop());
        let mut refused = timer.sleep(Duration::from_millis(1));
        let poll = AssertUnwindSafe(|| refused.as_mut().poll(&mut context).is_pending());
        let said = refusing::limited(|| catch_unwind(poll)).unwrap_err();
        let said = said.downcast_ref::<String>().unwrap();
        assert!(said.contains("cannot start the timer thread"), "{said}");
        assert!(timer.state.lock().sleepers.is_empty());
        assert!(!timer.state.lock().running);
        block_on(timer.sleep(Duration::from_millis(1)));
        block_on(refused);
    }

    #[test]
    fn a_waker_that_panics_ends_no_other_sleep() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("a waker that panics");
            }
        }
        let timer = Timer::new();
        let waker = Waker::from(Arc::new(Panics));
        let mut context = Context::from_waker(&waker);
        let mut sleeps = [1, 1].map(|n| timer.sleep(Duration::from_millis(n)));
        for sleep in &mut sleeps {
            let _ = sleep.as_mut().poll(&mut context);
        }
        block_on(timer.sleep(Duration::from_millis(5)));
        block_on(timer.sleep(Duration::from_millis(5)));
    }
}
