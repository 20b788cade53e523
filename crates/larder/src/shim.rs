//! Locks, atomics and thread locals: the real ones, or with `--cfg shuttle` those of the shuttle model checker, which
//! tries many interleavings of the threads that use them.
//!
//! What a test with threads goes through takes them from here. A lock from elsewhere must not be held over anything of this module.

#[cfg(not(shuttle))]
mod real {
    pub(crate) use std::sync::atomic;
    pub(crate) use std::{thread, thread_local};

    pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
}

#[cfg(shuttle)]
#[path = "shim/checked.rs"]
mod checked;

#[cfg(shuttle)]
pub(crate) use checked::*;
#[cfg(not(shuttle))]
pub(crate) use real::*;
