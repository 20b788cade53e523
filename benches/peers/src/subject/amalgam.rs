//! amalgam-cache 0.4, async and blocking.
//!
//! Configuration: bounded by entries, 10 minutes to live, everything else as it comes (tags on: the operations that
//! are compared with them need them), factories through `source::factory` as in its own benchmark. No attribute; a key
//! rendered on the stack is borrowed. One load per key is built in.
//!
//! The miss case runs without a bound: a full cache of 10 000 entries makes room by looking at all of them, which costs
//! about a millisecond for each miss and would compare nothing else.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use amalgam::{BlockingCache, Cache, CacheBuilder, EntryOptions, FactoryError, source};

use crate::board::Board;
use crate::case::{self, CAPACITY, HELD, HELD_CAPACITY, Ids, KEYS};
use crate::herd;
use crate::material::{TTL, drive, load, load_arc, load_slowly, names, render, render_name};
use crate::tags;

const ASYNC: &str = "amalgam get_or_set";
const BLOCKING: &str = "amalgam blocking get_or_set";

fn builder<V: Clone + Send + Sync + 'static>(capacity: u64) -> CacheBuilder<V> {
    Cache::builder()
        .max_capacity(capacity)
        .default_options(EntryOptions::new(TTL))
}

fn unbounded<V: Clone + Send + Sync + 'static>() -> CacheBuilder<V> {
    Cache::builder().default_options(EntryOptions::new(TTL))
}

fn cache<V: Clone + Send + Sync + 'static>(capacity: u64) -> Cache<V> {
    drive(async {
        builder(capacity)
            .try_build()
            .expect("the options are valid")
    })
}

fn hits<V: Clone + Send + Sync + 'static>(
    cache: Cache<V>,
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    move |ids| {
        drive(async {
            for id in ids {
                let key = render(id);
                let found = cache.get_or_set(
                    key.as_str(),
                    source::factory(move |context| async move {
                        Ok::<_, FactoryError>(context.value(source(id)))
                    }),
                );
                black_box(found.await.expect("memory does not fail"));
            }
        });
    }
}

fn hits_by_name<V: Clone + Send + Sync + 'static>(
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = cache(CAPACITY as u64);
    let names = names();
    move |ids| {
        drive(async {
            for id in ids {
                let key = render_name(&names[id as usize]);
                let found = cache.get_or_set(
                    key.as_str(),
                    source::factory(move |context| async move {
                        Ok::<_, FactoryError>(context.value(source(id)))
                    }),
                );
                black_box(found.await.expect("memory does not fail"));
            }
        });
    }
}

fn blocking_hits<V: Clone + Send + Sync + 'static>(
    builder: CacheBuilder<V>,
    source: fn(u64) -> V,
) -> impl Fn(Ids) + Send + Sync {
    let cache = BlockingCache::from_builder(builder).expect("the options are valid");
    move |ids| {
        for id in ids {
            let key = render(id);
            let found = cache.get_or_set(
                key.as_str(),
                source::factory(move |_| Ok::<_, Infallible>(source(id))),
            );
            black_box(found.execute().expect("memory does not fail"));
        }
    }
}

/// A million entries, each with the common tag and one of its own, written anew before each forgetting.
fn forget(tag: fn(u64) -> String) -> impl FnMut(u64) -> Duration {
    let cache = cache(2 * tags::entries());
    move |round| {
        drive(async {
            for id in 0..tags::entries() {
                let (key, own) = (render(id), tags::own(id));
                let write = cache
                    .set(key.as_str(), id)
                    .tags([tags::COMMON, own.as_str()]);
                write.await.expect("memory does not fail");
            }
            let tag = tag(round);
            let start = Instant::now();
            cache
                .remove_by_tag(&tag)
                .await
                .expect("memory does not fail");
            start.elapsed()
        })
    }
}

pub fn register(board: &mut Board) {
    for case in [
        &case::HIT_U64,
        &case::HIT_2_DISTINCT,
        &case::HIT_2_SAME,
        &case::GET_OR_LOAD,
    ] {
        board.timed(case, ASYNC, || hits(cache(CAPACITY as u64), load));
        board.timed(case, BLOCKING, || {
            blocking_hits(builder(CAPACITY as u64), load)
        });
    }
    board.timed(&case::MISS, ASYNC, || {
        hits(
            drive(async { unbounded().try_build().expect("valid") }),
            load,
        )
    });
    board.timed(&case::MISS, BLOCKING, || blocking_hits(unbounded(), load));
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, ASYNC, || hits(cache(CAPACITY as u64), load_arc));
        board.timed(case, BLOCKING, || {
            blocking_hits(builder(CAPACITY as u64), load_arc)
        });
    }
    board.timed(&case::HIT_STR, ASYNC, || hits_by_name(load));
    board.timed(&case::HIT_STR_ARC, ASYNC, || hits_by_name(load_arc));
    board.timed(&case::HIT_TAGGED, ASYNC, || {
        let cache = cache::<u64>(CAPACITY as u64);
        drive(async {
            for id in 0..KEYS {
                let (key, own) = (render(id), tags::own(id));
                let write = cache.set(key.as_str(), id).tags([tags::COMMON, &own]);
                write.await.expect("memory does not fail");
            }
            let another = cache.remove_by_tag("another");
            another.await.expect("memory does not fail");
        });
        hits(cache, load)
    });
    board.timed(&case::SET, "amalgam set", || {
        let cache = cache::<u64>(CAPACITY as u64);
        let fill = async |cache: &Cache<u64>, ids: &mut dyn Iterator<Item = u64>| {
            for id in ids {
                let written = cache.set(render(id).as_str(), black_box(id)).await;
                written.expect("memory does not fail");
            }
        };
        drive(fill(&cache, &mut (0..KEYS)));
        move |mut ids: Ids| drive(fill(&cache, &mut ids))
    });
    board.memory("amalgam", || {
        let cache = cache::<u64>(HELD_CAPACITY as u64);
        drive(async {
            for id in 0..HELD {
                let written = cache.set(render(id).as_str(), id).await;
                written.expect("memory does not fail");
            }
            cache
                .run_pending_tasks()
                .await
                .expect("memory does not fail");
        });
        (cache, HELD)
    });
    board.once(&case::TAG_1, "amalgam remove_by_tag", || forget(tags::own));
    board.once(&case::TAG_1M, "amalgam remove_by_tag", || {
        forget(|_| tags::COMMON.to_owned())
    });
    board.herd(ASYNC, |key| {
        let cache = Arc::new(cache::<u64>(CAPACITY as u64));
        herd::send(move || {
            let cache = Arc::clone(&cache);
            async move {
                let text = render(key);
                let found = cache.get_or_set(
                    text.as_str(),
                    source::factory(move |context| async move {
                        Ok::<_, FactoryError>(context.value(load_slowly(key).await))
                    }),
                );
                found.await.expect("memory does not fail")
            }
        })
    });
}
