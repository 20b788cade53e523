//! Whether a server is known to say nothing: then nobody waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Who gives up sooner says nothing about the server.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is known of the silence on one connection.
#[derive(Debug, Default)]
pub(super) struct Silence {
    is_on: AtomicBool,
    /// How often something came.
    heard: AtomicU64,
}

impl Silence {
    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// Something came.
    pub(super) fn hear(&self) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        if self.is_on() {
            self.end();
        }
    }

    pub(super) fn begin(&self) {
        self.is_on.store(true, Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.is_on.store(false, Ordering::Release);
    }

    /// For one who waits: dropped before its end, with nothing heard meanwhile, the silence begins, if `ask` could send what will end it.
    pub(super) fn listen<F: Fn() -> bool>(&self, ask: F) -> Listening<'_, F> {
        Listening {
            silence: self,
            heard: self.heard.load(Ordering::Relaxed),
            since: Instant::now(),
            ask,
            is_over: false,
        }
    }
}

/// See [`Silence::listen`].
#[derive(Debug)]
pub(super) struct Listening<'a, F: Fn() -> bool> {
    silence: &'a Silence,
    heard: u64,
    since: Instant,
    ask: F,
    is_over: bool,
}

impl<F: Fn() -> bool> Listening<'_, F> {
    /// An answer came, or there will be none.
    pub(super) fn end(mut self) {
        self.is_over = true;
    }
}

impl<F: Fn() -> bool> Drop for Listening<'_, F> {
    fn drop(&mut self) {
        let in_vain = !self.is_over
            && self.silence.heard.load(Ordering::Relaxed) == self.heard
            && self.since.elapsed() >= PATIENCE;
        // On before it is asked: its answer may come at once.
        if in_vain && !self.silence.is_on() {
            self.silence.begin();
            if !(self.ask)() {
                self.silence.end();
            }
        }
    }
}
