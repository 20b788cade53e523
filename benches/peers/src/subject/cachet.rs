//! cachet 0.16 with its in-memory tier (moka with foldhash).
//!
//! Configuration: bounded by entries, 10 minutes to live, no event handler, no logs. Hit cases leave stampede
//! protection off, its default, because it takes part in every hit; the herd turns it on. Async only, no attribute;
//! `get_or_insert` borrows the key (it makes an owned copy of it by itself).

use std::hint::black_box;

use cachet::Cache;
use tick::Clock;

use crate::board::Board;
use crate::case::{self, CAPACITY, HELD, HELD_CAPACITY, Ids, KEYS};
use crate::herd;
use crate::material::{TTL, drive, load, load_arc, load_slowly, names, render, render_name};

const NAME: &str = "cachet get_or_insert";

fn cache<V: Clone + Send + Sync + 'static>(capacity: usize) -> Cache<String, V> {
    // The clock belongs to the runtime that is current.
    drive(async {
        Cache::builder(Clock::new_tokio())
            .memory_with(|memory| memory.max_capacity(capacity as u64).time_to_live(TTL))
            .build()
    })
}

fn hits<V: Clone + Send + Sync + 'static>(source: fn(u64) -> V) -> impl Fn(Ids) + Send + Sync {
    let cache = cache(CAPACITY);
    move |ids| {
        drive(async {
            for id in ids {
                let key = render(id);
                let found = cache.get_or_insert(key.as_str(), || async { source(id) });
                black_box(found.await.expect("memory does not fail"));
            }
        });
    }
}

fn hits_by_name<V: Clone + Send + Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = cache(CAPACITY);
    let names = names();
    move |ids| {
        drive(async {
            for id in ids {
                let key = render_name(&names[id as usize]);
                let found = cache.get_or_insert(key.as_str(), || async { source(id) });
                black_box(found.await.expect("memory does not fail"));
            }
        });
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
        board.timed(case, NAME, || hits(load));
    }
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, NAME, || hits(load_arc));
    }
    board.timed(&case::HIT_STR, NAME, || hits_by_name(load));
    board.timed(&case::HIT_STR_ARC, NAME, || hits_by_name(load_arc));
    board.timed(&case::SET, "cachet insert", || {
        let cache = cache::<u64>(CAPACITY);
        let fill = async |cache: &Cache<String, u64>, ids: &mut dyn Iterator<Item = u64>| {
            for id in ids {
                let written = cache.insert(render(id).to_string(), black_box(id)).await;
                black_box(written.expect("memory does not fail"));
            }
        };
        drive(fill(&cache, &mut (0..KEYS)));
        move |mut ids: Ids| drive(fill(&cache, &mut ids))
    });
    board.memory("cachet", || {
        let cache = cache::<u64>(HELD_CAPACITY);
        drive(async {
            for id in 0..HELD {
                let written = cache.insert(render(id).to_string(), id).await;
                written.expect("memory does not fail");
            }
        });
        let held = drive(cache.len()).unwrap_or(HELD);
        (cache, held)
    });
    board.herd(NAME, |key| {
        let cache: Cache<String, u64> = drive(async {
            Cache::builder(Clock::new_tokio())
                .memory_with(|memory| memory.max_capacity(CAPACITY as u64).time_to_live(TTL))
                .stampede_protection()
                .build()
        });
        let cache = std::sync::Arc::new(cache);
        herd::send(move || {
            let cache = std::sync::Arc::clone(&cache);
            async move {
                let found = cache
                    .get_or_insert(render(key).as_str(), || load_slowly(key))
                    .await;
                *found.expect("memory does not fail").value()
            }
        })
    });
}
