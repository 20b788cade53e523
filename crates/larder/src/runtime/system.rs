//! The runtime of real time: the caller's Tokio if there is one, threads if not.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::timer::Timer;
use super::{BoxFuture, Clock, Runtime, Task, block_on, thread};

/// Real time; tasks run on the Tokio runtime that is current when they start, else on threads.
///
/// A cached sync function with the memory tier needs no runtime at all. A background load of an async
/// source runs on Tokio when the call that caused it was made inside Tokio (feature `tokio`), else on a
/// thread of its own, which suits sources that need no reactor.
#[derive(Debug)]
pub struct SystemRuntime {
    timer: Arc<Timer>,
}

impl SystemRuntime {
    /// A handle to the process-wide timer and to whatever Tokio runtime is current at each spawn.
    #[must_use]
    pub fn new() -> Self {
        static TIMER: LazyLock<Arc<Timer>> = LazyLock::new(Timer::new);
        Self {
            timer: Arc::clone(&TIMER),
        }
    }
}

impl Default for SystemRuntime {
    fn default() -> Self {
        Self::new()
    }
}

impl Runtime for SystemRuntime {
    fn clock(&self) -> Clock {
        Clock::system()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.timer.sleep(duration)
    }

    fn spawn(&self, task: Task) {
        match task {
            Task::Load(future) => spawn_load(future),
            Task::BlockingLoad(job) => on_thread("larder-load", job),
            Task::Chore(future) => chores::spawn(future),
        }
    }

    fn random(&self) -> u64 {
        random()
    }
}

#[cfg(feature = "tokio")]
fn spawn_load(future: BoxFuture<'static, ()>) {
    match tokio::runtime::Handle::try_current() {
        Ok(handle) => drop(handle.spawn(future)),
        Err(_) => on_thread("larder-load", move || block_on(future)),
    }
}

#[cfg(not(feature = "tokio"))]
fn spawn_load(future: BoxFuture<'static, ()>) {
    on_thread("larder-load", move || block_on(future));
}

/// Threads, not a pool: loads are bounded in number by the cache, and each costs more than its thread.
fn on_thread(name: &'static str, job: impl FnOnce() + Send + 'static) {
    // The job is dropped with the error: its flight passes on and its event says that it was lost.
    drop(thread::start(name, Box::new(job)));
}

mod chores {
    //! One thread polls the housekeeping of all caches; it is parked while there is none.

    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};

    use parking_lot::{Condvar, Mutex};

    use super::super::thread::{self, Start, caught};
    use super::BoxFuture;

    static QUEUE: Queue = Queue::new(thread::start);

    /// Chores whose turn it is.
    pub(super) struct Queue {
        state: Mutex<State>,
        changed: Condvar,
        start: Start,
    }

    struct State {
        chores: VecDeque<Arc<Chore>>,
        running: bool,
    }

    struct Chore {
        queue: &'static Queue,
        future: Mutex<Option<BoxFuture<'static, ()>>>,
    }

    impl Queue {
        pub(super) const fn new(start: Start) -> Self {
            Self {
                state: Mutex::new(State {
                    chores: VecDeque::new(),
                    running: false,
                }),
                changed: Condvar::new(),
                start,
            }
        }

        /// While the thread cannot be started chores wait for the next one, which tries anew; entries then expire when they are read.
        fn push(&'static self, chore: Arc<Chore>) {
            let mut state = self.state.lock();
            state.chores.push_back(chore);
            if state.running {
                self.changed.notify_one();
            } else {
                let started = (self.start)("larder-chores", Box::new(|| self.run()));
                state.running = started.is_ok();
            }
        }

        fn run(&self) {
            loop {
                let chore = self.next();
                // Also what is dropped at the end of a turn is foreign code.
                caught(|| turn(&chore));
                caught(|| drop(chore));
            }
        }

        fn next(&self) -> Arc<Chore> {
            let mut state = self.state.lock();
            loop {
                match state.chores.pop_front() {
                    Some(chore) => return chore,
                    None => self.changed.wait(&mut state),
                }
            }
        }

        pub(super) fn spawn(&'static self, future: BoxFuture<'static, ()>) {
            let future = Mutex::new(Some(future));
            self.push(Arc::new(Chore {
                queue: self,
                future,
            }));
        }
    }

    /// One poll of a chore. One that panics is over, and the others go on.
    fn turn(chore: &Arc<Chore>) {
        let waker = Waker::from(Arc::clone(chore));
        let mut slot = chore.future.lock();
        let Some(mut future) = slot.take() else {
            return;
        };
        let mut context = Context::from_waker(&waker);
        // Caught before it is dropped: a drop that panics while its panic goes up would abort the process.
        let polled = caught(|| future.as_mut().poll(&mut context));
        if polled.is_some_and(|polled| polled.is_pending()) {
            *slot = Some(future);
        }
    }

    impl Wake for Chore {
        fn wake(self: Arc<Self>) {
            self.queue.push(self);
        }
    }

    pub(super) fn spawn(future: BoxFuture<'static, ()>) {
        QUEUE.spawn(future);
    }
}

/// SplitMix64 per thread, seeded by the hasher's random keys.
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0_u8));
    }
    STATE.with(|state| {
        state.set(state.get().wrapping_add(0x9E37_79B9_7F4A_7C15));
        mix(state.get())
    })
}

pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::chores::Queue;
    use super::thread::refusing;
    use super::*;

    #[test]
    fn chores_wait_for_a_thread_that_could_not_start() {
        static QUEUE: Queue = Queue::new(refusing::start);
        let (told, heard) = mpsc::channel();
        let chore = move |number: u32| -> BoxFuture<'static, ()> {
            let told = told.clone();
            Box::pin(async move { told.send(number).unwrap() })
        };
        refusing::limited(|| QUEUE.spawn(chore(1)));
        QUEUE.spawn(chore(2));
        drop(chore);
        let heard: Vec<u32> = heard.iter().collect();
        assert_eq!(heard, [1, 2]);
    }
}
