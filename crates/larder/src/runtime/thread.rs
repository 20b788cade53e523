//! Threads of the runtime: each may fail to start, and what runs on it may panic.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Starts a thread of this name; at a limit of threads or of memory it fails.
pub(super) type Start = fn(&'static str, Job) -> io::Result<()>;

pub(super) fn start(name: &'static str, job: Job) -> io::Result<()> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(job).map(drop)
}

/// `None` when it panicked.
pub(super) fn caught<T>(f: impl FnOnce() -> T) -> Option<T> {
    let caught = catch_unwind(AssertUnwindSafe(f));
    // What was thrown may panic when it is dropped.
    caught.map_err(std::mem::forget).ok()
}

#[cfg(test)]
pub(super) mod refusing {
    //! A limit of threads that holds for the thread of a test.

    use std::cell::Cell;
    use std::io;

    use super::Job;

    thread_local! {
        static LIMITED: Cell<bool> = const { Cell::new(false) };
    }

    pub(in super::super) fn start(name: &'static str, job: Job) -> io::Result<()> {
        match LIMITED.get() {
            true => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            false => super::start(name, job),
        }
    }

    /// What `f` gives while no thread can be started.
    pub(in super::super) fn limited<T>(f: impl FnOnce() -> T) -> T {
        LIMITED.set(true);
        let given = f();
        LIMITED.set(false);
        given
    }
}
