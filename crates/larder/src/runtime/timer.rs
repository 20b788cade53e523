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
}

impl Timer {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            clock: Clock::system(),
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
            state.running = true;
            state.looks_at = 0;
            let timer = Arc::clone(self);
            let spawned = std::thread::Builder::new()
                .name("larder-timer".into())
                .spawn(move || timer.run());
            // Without the thread no deadline would ever pass: there is nothing better to do than to say so.
            spawned.expect("larder: cannot start the timer thread");
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
                // A waker is foreign code: never call it under the lock.
                drop(state);
                due.drain(..).for_each(Waker::wake);
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
                    Some(slot) => *slot = waker,
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
    use super::super::block_on;
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
}
