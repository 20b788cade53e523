//! moka 0.12, sync and future.
//!
//! Configuration: bounded by entries, 10 minutes to live, foldhash in place of the default SipHash (its documentation
//! recommends a faster hasher where keys are trusted). `get_with_by_ref` with a key rendered on the stack: nothing is
//! allocated for a key that is present. One load per key is built in.

use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::board::Board;
use crate::case::{self, CAPACITY, HELD, HELD_CAPACITY, Ids, KEYS};
use crate::herd;
use crate::material::{TTL, drive, load, load_arc, load_slowly, names, render, render_name};

const SYNC: &str = "moka sync get_with";
const FUTURE: &str = "moka future get_with";

type Sync<V> = moka::sync::Cache<String, V, RandomState>;
type Future<V> = moka::future::Cache<String, V, RandomState>;

fn sync<V: Clone + Send + std::marker::Sync + 'static>(capacity: usize) -> Sync<V> {
    moka::sync::Cache::builder()
        .max_capacity(capacity as u64)
        .time_to_live(TTL)
        .build_with_hasher(RandomState::default())
}

fn future<V: Clone + Send + std::marker::Sync + 'static>(capacity: usize) -> Future<V> {
    moka::future::Cache::builder()
        .max_capacity(capacity as u64)
        .time_to_live(TTL)
        .build_with_hasher(RandomState::default())
}

fn sync_hit<V: Clone + Send + std::marker::Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + std::marker::Sync {
    let cache = sync(CAPACITY);
    move |ids| {
        for id in ids {
            black_box(cache.get_with_by_ref(render(id).as_str(), || source(id)));
        }
    }
}

fn future_hit<V: Clone + Send + std::marker::Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + std::marker::Sync {
    let cache = future(CAPACITY);
    move |ids| {
        drive(async {
            for id in ids {
                let key = render(id);
                let source = async { source(id) };
                black_box(cache.get_with_by_ref(key.as_str(), source).await);
            }
        });
    }
}

fn sync_hit_by_name<V: Clone + Send + std::marker::Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + std::marker::Sync {
    let cache = sync(CAPACITY);
    let names = names();
    move |ids| {
        for id in ids {
            let key = render_name(&names[id as usize]);
            black_box(cache.get_with_by_ref(key.as_str(), || source(id)));
        }
    }
}

pub fn register(board: &mut Board) {
    for case in [
        &case::HIT_U64,
        &case::HIT_2_DISTINCT,
        &case::HIT_2_SAME,
        &case::GET_OR_LOAD,
        &case::MISS,
    ] {
        board.timed(case, SYNC, || sync_hit(load));
        board.timed(case, FUTURE, || future_hit(load));
    }
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, SYNC, || sync_hit(load_arc));
        board.timed(case, FUTURE, || future_hit(load_arc));
    }
    board.timed(&case::HIT_STR, SYNC, || sync_hit_by_name(load));
    board.timed(&case::HIT_STR_ARC, SYNC, || sync_hit_by_name(load_arc));
    board.timed(&case::SET, "moka sync insert", || {
        let cache = sync(CAPACITY);
        (0..KEYS).for_each(|id| cache.insert(render(id).to_string(), id));
        move |ids| {
            for id in ids {
                cache.insert(render(id).to_string(), black_box(id));
            }
        }
    });
    board.memory("moka sync", || {
        let cache = sync(HELD_CAPACITY);
        (0..HELD).for_each(|id| cache.insert(render(id).to_string(), id));
        cache.run_pending_tasks();
        let held = cache.entry_count();
        (cache, held)
    });
    board.herd(FUTURE, |key| {
        let cache = Arc::new(future(CAPACITY));
        herd::send(move || {
            let cache = Arc::clone(&cache);
            async move {
                cache
                    .get_with_by_ref(render(key).as_str(), load_slowly(key))
                    .await
            }
        })
    });
}
