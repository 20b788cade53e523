//! Functions that return an iterator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Cache, cached_stream};

use crate::support::World;

/// Counts how often it is asked for, and how many items it gave.
#[derive(Clone, Debug)]
struct Rows {
    cache: Cache,
    calls: Arc<AtomicU64>,
    given: Arc<AtomicU64>,
}

impl Rows {
    fn over(cache: &Cache) -> Self {
        Self {
            cache: cache.clone(),
            calls: Arc::default(),
            given: Arc::default(),
        }
    }

    fn read(&self, count: u64) -> impl Iterator<Item = u64> + use<> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let given = self.given.clone();
        (0..count).inspect(move |_| drop(given.fetch_add(1, Ordering::Relaxed)))
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[cached_stream(key = "rows:{count}", ttl = "1m", cache = rows.cache)]
fn rows(rows: &Rows, count: u64) -> impl Iterator<Item = u64> {
    rows.read(count)
}

#[test]
fn an_iterator_is_recorded_while_it_is_read_and_replayed_afterwards() {
    let world = World::new();
    let source = Rows::over(&world.cache());
    assert_eq!(rows(&source, 3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(rows(&source, 3).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(source.calls(), 1);
}
