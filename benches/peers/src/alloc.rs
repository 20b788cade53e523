//! A global allocator that counts when asked, and otherwise costs one relaxed load.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};

struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static REQUESTED: AtomicI64 = AtomicI64::new(0);
static USABLE: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Heap memory that appeared while something ran.
#[derive(Clone, Copy, Debug)]
pub struct Heap {
    pub allocations: u64,
    /// Bytes asked for and not given back.
    pub requested: i64,
    /// The same bytes as the allocator rounds them, which is what the process pays.
    pub usable: i64,
}

/// Runs `work` on this thread and counts what all threads allocate meanwhile.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    ALLOCATIONS.store(0, Relaxed);
    REQUESTED.store(0, Relaxed);
    USABLE.store(0, Relaxed);
    ON.store(true, Relaxed);
    let result = work();
    ON.store(false, Relaxed);
    let heap = Heap {
        allocations: ALLOCATIONS.load(Relaxed),
        requested: REQUESTED.load(Relaxed),
        usable: USABLE.load(Relaxed),
    };
    (result, heap)
}

#[cold]
fn note(pointer: *mut u8, size: usize, sign: i64) {
    if pointer.is_null() {
        return;
    }
    if sign > 0 {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
    REQUESTED.fetch_add(sign * size as i64, Relaxed);
    USABLE.fetch_add(sign * usable(pointer, size) as i64, Relaxed);
}

#[cfg(target_os = "linux")]
fn usable(pointer: *mut u8, _size: usize) -> usize {
    // SAFETY: the pointer was just returned by `malloc` or is about to be given to `free`.
    unsafe { libc::malloc_usable_size(pointer.cast()) }
}

#[cfg(not(target_os = "linux"))]
fn usable(_pointer: *mut u8, size: usize) -> usize {
    size
}

// SAFETY: every call is passed on unchanged to the system allocator; counting touches atomics only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc`.
        let pointer = unsafe { System.alloc(layout) };
        if ON.load(Relaxed) {
            note(pointer, layout.size(), 1);
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if ON.load(Relaxed) {
            note(pointer, layout.size(), 1);
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if ON.load(Relaxed) {
            note(pointer, layout.size(), -1);
        }
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let counting = ON.load(Relaxed);
        if counting {
            note(pointer, layout.size(), -1);
        }
        // SAFETY: the caller keeps the contract of `realloc`.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        if counting {
            note(moved, new_size, 1);
        }
        moved
    }
}
