//! Leases for servers that do not honour conditional writes: they hold in this process only.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::FixedState;
use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

/// Keys that share a stripe share a generation: a write of one costs the other a fill.
const STRIPES: usize = 64;

/// A generation per stripe of keys; a write of the stripe or a removal moves it.
#[derive(Debug)]
pub(super) struct Fallback {
    stripes: Vec<(AtomicU64, Mutex<()>)>,
    /// Held for reading by whoever puts an entry; a removal waits until nobody does.
    putting: RwLock<()>,
}

/// The right to put entries of a stripe, one at a time.
#[derive(Debug)]
pub(super) struct Hold<'a> {
    generation: &'a AtomicU64,
    _putting: RwLockReadGuard<'a, ()>,
    _alone: MutexGuard<'a, ()>,
}

impl Fallback {
    pub(super) fn new() -> Self {
        Self {
            stripes: (0..STRIPES)
                .map(|_| (AtomicU64::new(0), Mutex::new(())))
                .collect(),
            putting: RwLock::new(()),
        }
    }

    pub(super) fn generation(&self, key: &str) -> u64 {
        self.stripe(key).0.load(Ordering::Acquire)
    }

    pub(super) async fn hold(&self, key: &str) -> Hold<'_> {
        let (generation, alone) = self.stripe(key);
        Hold {
            _putting: self.putting.read().await,
            _alone: alone.lock().await,
            generation,
        }
    }

    /// Ends all leases, and waits for those that put under one at this moment.
    pub(super) async fn end_all(&self) {
        for (generation, _) in &self.stripes {
            generation.fetch_add(1, Ordering::AcqRel);
        }
        drop(self.putting.write().await);
    }

    /// One at a time for what this key's object is changed by comparing.
    pub(super) async fn alone(&self, key: &str) -> MutexGuard<'_, ()> {
        self.stripe(key).1.lock().await
    }

    fn stripe(&self, key: &str) -> &(AtomicU64, Mutex<()>) {
        let hash = FixedState::default().hash_one(key);
        &self.stripes[hash as usize % STRIPES]
    }
}

impl Hold<'_> {
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Ends the leases of the stripe.
    pub(super) fn end(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}
