//! quick_cache 0.7, bare: the floor. No expiry, no tags, no attribute.
//!
//! Configuration: `String` keys, default hasher and shards, bounded by entries. Two ways to ask: with a text key that
//! lies ready, and with one rendered for each call into a stack buffer (itoa + arrayvec), which is what a cached
//! function has to do. There is no `#[cached]` here, so the herd uses `get_or_insert_async`.

use std::hint::black_box;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::board::Board;
use crate::case::{self, CAPACITY, HELD, HELD_CAPACITY, Ids, KEYS};
use crate::herd;
use crate::material::{Payload, load, load_arc, load_slowly, names, prepared, render, render_name};

const PREPARED: &str = "quick_cache prepared";
const RENDERED: &str = "quick_cache rendered";
const ASYNC: &str = "quick_cache get_or_insert_async";

fn filled<V: Clone>(source: fn(u64) -> V) -> Cache<String, V> {
    let cache = Cache::new(CAPACITY);
    for id in 0..2 * KEYS {
        cache.insert(render(id).to_string(), source(id));
    }
    cache
}

fn filled_by_name<V: Clone>(source: fn(u64) -> V) -> Cache<String, V> {
    let cache = Cache::new(CAPACITY);
    for (id, name) in (0..).zip(names()) {
        cache.insert(render_name(name).to_string(), source(id));
    }
    cache
}

fn get_prepared<V: Clone + Send + Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = filled(source);
    let keys = prepared();
    move |ids| {
        for id in ids {
            black_box(cache.get(keys[id as usize].as_str()).expect("present"));
        }
    }
}

fn get_rendered<V: Clone + Send + Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = filled(source);
    move |ids| {
        for id in ids {
            black_box(cache.get(render(id).as_str()).expect("present"));
        }
    }
}

fn get_prepared_by_name<V: Clone + Send + Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = filled_by_name(source);
    let keys: Vec<String> = names()
        .iter()
        .map(|name| render_name(name).to_string())
        .collect();
    move |ids| {
        for id in ids {
            black_box(cache.get(keys[id as usize].as_str()).expect("present"));
        }
    }
}

fn get_rendered_by_name<V: Clone + Send + Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = filled_by_name(source);
    let names = names();
    move |ids| {
        for id in ids {
            let key = render_name(&names[id as usize]);
            black_box(cache.get(key.as_str()).expect("present"));
        }
    }
}

pub fn register(board: &mut Board) {
    for case in [&case::HIT_U64, &case::HIT_2_DISTINCT, &case::HIT_2_SAME] {
        board.timed(case, PREPARED, || get_prepared(load));
        board.timed(case, RENDERED, || get_rendered(load));
    }
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, PREPARED, || get_prepared(load_arc));
        board.timed(case, RENDERED, || get_rendered(load_arc));
    }
    board.timed(&case::HIT_STR, PREPARED, || get_prepared_by_name(load));
    board.timed(&case::HIT_STR, RENDERED, || get_rendered_by_name(load));
    board.timed(&case::HIT_STR_ARC, PREPARED, || {
        get_prepared_by_name::<Arc<Payload>>(load_arc)
    });
    board.timed(&case::HIT_STR_ARC, RENDERED, || {
        get_rendered_by_name::<Arc<Payload>>(load_arc)
    });
    for case in [&case::GET_OR_LOAD, &case::MISS] {
        board.timed(case, RENDERED, || {
            let cache = filled(load);
            move |ids| {
                for id in ids {
                    let found = cache.get_or_insert_with(render(id).as_str(), || {
                        Ok::<u64, std::convert::Infallible>(load(id))
                    });
                    black_box(found.expect("infallible"));
                }
            }
        });
    }
    board.timed(&case::SET, RENDERED, || {
        let cache = filled(load);
        move |ids| {
            for id in ids {
                cache.insert(render(id).to_string(), black_box(id));
            }
        }
    });
    board.memory("quick_cache", || {
        let cache = Cache::<String, u64>::new(HELD_CAPACITY);
        for id in 0..HELD {
            cache.insert(render(id).to_string(), id);
        }
        let held = cache.len() as u64;
        (cache, held)
    });
    board.herd(ASYNC, |key| {
        let cache = Arc::new(Cache::<String, u64>::new(CAPACITY));
        herd::send(move || {
            let cache = Arc::clone(&cache);
            async move {
                let source = async { Ok::<u64, std::convert::Infallible>(load_slowly(key).await) };
                cache
                    .get_or_insert_async(render(key).as_str(), source)
                    .await
                    .expect("infallible")
            }
        })
    });
}
