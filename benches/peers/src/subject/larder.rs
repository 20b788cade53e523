//! Larder, through its attribute and directly.
//!
//! Configuration: the default cache as it is without any set-up (10 000 entries in memory), 10 minutes to live, for the
//! attributes; a cache built with the same bound for the direct operations. Everything a call promises is on: tags,
//! leases, statistics, one load per key.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::{Cache, cached};

use crate::board::Board;
use crate::case::{self, CAPACITY, HELD, HELD_CAPACITY, Ids, KEYS};
use crate::herd;
use crate::material::{Payload, TTL, drive, load, load_arc, load_slowly, names, render};
use crate::tags;

const SYNC: &str = "larder";
const ASYNC: &str = "larder async";
const DIRECT: &str = "larder get_or_load";
const DIRECT_BLOCKING: &str = "larder blocking get_or_load";

#[cached(key = "user:{id}", ttl = "10m")]
fn number(id: u64) -> u64 {
    load(id)
}

#[cached(key = "user:{id}", ttl = "10m")]
async fn number_async(id: u64) -> u64 {
    load(id)
}

#[cached(key = "card:{id}", ttl = "10m")]
fn card(id: u64) -> Arc<Payload> {
    load_arc(id)
}

#[cached(key = "card:{id}", ttl = "10m")]
async fn card_async(id: u64) -> Arc<Payload> {
    load_arc(id)
}

#[cached(key = "user:{name}", ttl = "10m")]
fn by_name(name: &str) -> u64 {
    load(name.len() as u64)
}

#[cached(key = "user:{name}", ttl = "10m")]
async fn by_name_async(name: &str) -> u64 {
    load(name.len() as u64)
}

#[cached(key = "card:{name}", ttl = "10m")]
fn card_by_name(name: &str) -> Arc<Payload> {
    load_arc(name.len() as u64)
}

#[cached(key = "tagged:{id}", ttl = "10m", tags = ["users", "org:{id}"])]
fn tagged(id: u64) -> u64 {
    load(id)
}

#[cached(key = "slow:{id}", ttl = "10m")]
async fn slow(id: u64) -> u64 {
    load_slowly(id).await
}

fn cache(size: usize) -> Cache {
    Cache::builder()
        .size(size as u64)
        .build()
        .expect("a size is enough")
}

/// The loop over one of the sync functions above.
fn each<V>(call: impl Fn(u64) -> V + Send + Sync) -> impl Fn(Ids) + Send + Sync {
    move |ids| {
        for id in ids {
            black_box(call(id));
        }
    }
}

/// The loop over one of the async functions above.
fn each_async<V, F: Future<Output = V>>(
    call: impl Fn(u64) -> F + Send + Sync,
) -> impl Fn(Ids) + Send + Sync {
    move |ids| {
        drive(async {
            for id in ids {
                black_box(call(id).await);
            }
        });
    }
}

/// A million entries, each with the common tag and one of its own, written anew before each forgetting.
fn forget(tag: fn(u64) -> String) -> impl FnMut(u64) -> Duration {
    let cache = cache(2 * tags::entries() as usize);
    move |round| {
        let cache = cache.blocking();
        for id in 0..tags::entries() {
            let write = cache.set(render(id), &id).ttl(TTL);
            let write = write.tags([tags::COMMON, &tags::own(id)]);
            write.wait().expect("memory does not fail");
        }
        let tag = tag(round);
        let start = Instant::now();
        cache.delete_tags([&tag]).expect("memory does not fail");
        start.elapsed()
    }
}

pub fn register(board: &mut Board) {
    for case in [
        &case::HIT_U64,
        &case::HIT_2_DISTINCT,
        &case::HIT_2_SAME,
        &case::MISS,
    ] {
        board.timed(case, SYNC, || each(number));
        board.timed(case, ASYNC, || each_async(number_async));
    }
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, SYNC, || each(card));
        board.timed(case, ASYNC, || each_async(card_async));
    }
    board.timed(&case::HIT_STR, SYNC, || {
        let names = names();
        each(|id| by_name(&names[id as usize]))
    });
    board.timed(&case::HIT_STR, ASYNC, || {
        let names = names();
        each_async(|id| by_name_async(&names[id as usize]))
    });
    board.timed(&case::HIT_STR_ARC, SYNC, || {
        let names = names();
        each(|id| card_by_name(&names[id as usize]))
    });
    board.timed(&case::HIT_TAGGED, SYNC, || {
        (0..KEYS).for_each(|id| {
            tagged(id);
        });
        let another = larder::cache().blocking().delete_tags(["another"]);
        another.expect("memory does not fail");
        each(tagged)
    });
    register_direct(board);
}

fn register_direct(board: &mut Board) {
    board.timed(&case::GET_OR_LOAD, DIRECT_BLOCKING, || {
        let cache = cache(CAPACITY);
        each(move |id| {
            let found = cache
                .blocking()
                .get_or_load(render(id), || Ok::<_, Infallible>(load(id)))
                .ttl(TTL);
            found.wait().expect("memory does not fail")
        })
    });
    board.timed(&case::GET_OR_LOAD, DIRECT, || {
        let cache = cache(CAPACITY);
        move |ids| {
            drive(async {
                for id in ids {
                    let found = cache
                        .get_or_load(render(id), async || Ok::<_, Infallible>(load(id)))
                        .ttl(TTL);
                    black_box(found.await.expect("memory does not fail"));
                }
            });
        }
    });
    board.timed(&case::SET, "larder blocking set", || {
        let cache = cache(CAPACITY);
        each(move |id| {
            let write = cache.blocking().set(render(id), &id).ttl(TTL);
            write.wait().expect("memory does not fail")
        })
    });
    board.memory("larder", || {
        let cache = cache(HELD_CAPACITY);
        for id in 0..HELD {
            let write = cache.blocking().set(render(id), &id).ttl(TTL);
            write.wait().expect("memory does not fail");
        }
        let held = cache.len() as u64;
        (cache, held)
    });
    board.once(&case::TAG_1, "larder delete_tags", || forget(tags::own));
    board.once(&case::TAG_1M, "larder delete_tags", || {
        forget(|_| tags::COMMON.to_owned())
    });
    board.herd(ASYNC, |key| herd::send(move || slow(key)));
    board.herd("larder tasks and threads", |key| {
        let cache = cache(CAPACITY);
        let blocking = cache.clone();
        herd::send_both(
            move || {
                let cache = cache.clone();
                async move {
                    let found = cache
                        .get_or_load(render(key), async || {
                            Ok::<_, Infallible>(load_slowly(key).await)
                        })
                        .ttl(TTL);
                    found.await.expect("memory does not fail")
                }
            },
            move || {
                let found = blocking
                    .blocking()
                    .get_or_load(render(key), || {
                        std::thread::sleep(Duration::from_millis(20));
                        Ok::<_, Infallible>(load(key))
                    })
                    .ttl(TTL);
                found.wait().expect("memory does not fail")
            },
        )
    });
}
