//! Shuttle's types with the faces of the real ones.

use std::ops::{Deref, DerefMut};

pub(crate) use shuttle::{thread, thread_local};

/// Real atomics with a point before each operation at which the checker may go on with another thread. Its own atomics
/// belong to one run, and counters are statics.
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::Ordering;

    fn others_may_go_first() {
        shuttle::sync::atomic::AtomicBool::new(false).load(Ordering::SeqCst);
    }

    macro_rules! atomics {
        ($($name:ident: $int:ty),*) => {$(
            #[derive(Debug, Default)]
            pub(crate) struct $name(std::sync::atomic::$name);

            #[allow(dead_code)]
            impl $name {
                pub(crate) const fn new(value: $int) -> Self {
                    Self(std::sync::atomic::$name::new(value))
                }

                pub(crate) fn load(&self, order: Ordering) -> $int {
                    others_may_go_first();
                    self.0.load(order)
                }

                pub(crate) fn store(&self, value: $int, order: Ordering) {
                    others_may_go_first();
                    self.0.store(value, order);
                }

                pub(crate) fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                    others_may_go_first();
                    self.0.fetch_add(value, order)
                }

                pub(crate) fn fetch_max(&self, value: $int, order: Ordering) -> $int {
                    others_may_go_first();
                    self.0.fetch_max(value, order)
                }

                pub(crate) fn fetch_update(
                    &self,
                    set: Ordering,
                    fetch: Ordering,
                    update: impl FnMut($int) -> Option<$int>,
                ) -> Result<$int, $int> {
                    others_may_go_first();
                    self.0.fetch_update(set, fetch, update)
                }
            }
        )*};
    }

    atomics!(AtomicU32: u32, AtomicU64: u64);
}

/// `parking_lot`'s face: no poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T>(shuttle::sync::MutexGuard<'a, T>);

impl<T> Mutex<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(
            self.0
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// `parking_lot`'s face: no poisoning.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> shuttle::sync::RwLockReadGuard<'_, T> {
        self.0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> shuttle::sync::RwLockWriteGuard<'_, T> {
        self.0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
