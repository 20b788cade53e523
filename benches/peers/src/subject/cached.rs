//! cached 4.1, through its attributes.
//!
//! Configurations:
//! - `cached`: `#[cached]` with a bound and 10 minutes to live. One lock around one LRU; a hit writes. Without
//!   `sync_writes`, which would take a second lock on every call: only the herd asks for one load per key and has
//!   `sync_writes = "by_key"`.
//! - `cached sharded`: `#[concurrent_cached]` with the same bound and time; it knows no `sync_writes`.
//! - `cached unbounded`: `#[cached(unsync_reads = true)]`, its fastest hit: a shared lock, but no bound and no expiry.
//!
//! Keys are what the attribute makes of the arguments: the `u64` itself, hashed as a number, and for a `&str` an owned
//! `String`, since it must own its keys. No text key is rendered for a `u64`: that is an advantage it really has.

use std::hint::black_box;
use std::sync::Arc;

use cached::macros::{cached, concurrent_cached};
use cached::{ConcurrentCached, ShardedLruTtlCache};

use crate::board::Board;
use crate::case::{self, HELD, HELD_CAPACITY, Ids};
use crate::herd;
use crate::material::{Payload, TTL, drive, load, load_arc, load_slowly, names, render};

const NAME_PLAIN: &str = "cached";
const NAME_ASYNC: &str = "cached async";
const NAME_SHARDED: &str = "cached sharded";
const NAME_SHARDED_ASYNC: &str = "cached sharded async";
const NAME_UNBOUNDED: &str = "cached unbounded";

#[cached(max_size = 10_000, ttl_secs = 600)]
fn plain(id: u64) -> u64 {
    load(id)
}

#[cached(max_size = 10_000, ttl_secs = 600)]
fn plain_arc(id: u64) -> Arc<Payload> {
    load_arc(id)
}

#[cached(
    max_size = 10_000,
    ttl_secs = 600,
    key = "String",
    convert = r#"{ String::from(name) }"#
)]
fn plain_by_name(name: &str) -> u64 {
    load(name.len() as u64)
}

#[cached(max_size = 10_000, ttl_secs = 600)]
async fn plain_async(id: u64) -> u64 {
    load(id)
}

#[cached(max_size = 10_000, ttl_secs = 600, sync_writes = "by_key")]
async fn slow(id: u64) -> u64 {
    load_slowly(id).await
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 600)]
fn sharded(id: u64) -> u64 {
    load(id)
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 600)]
fn sharded_arc(id: u64) -> Arc<Payload> {
    load_arc(id)
}

#[concurrent_cached(
    max_size = 10_000,
    ttl_secs = 600,
    key = "String",
    convert = r#"{ String::from(name) }"#
)]
fn sharded_by_name(name: &str) -> u64 {
    load(name.len() as u64)
}

#[concurrent_cached(
    max_size = 10_000,
    ttl_secs = 600,
    key = "String",
    convert = r#"{ String::from(name) }"#
)]
fn sharded_arc_by_name(name: &str) -> Arc<Payload> {
    load_arc(name.len() as u64)
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 600)]
async fn sharded_async(id: u64) -> u64 {
    load(id)
}

#[cached(unsync_reads = true)]
fn unbounded(id: u64) -> u64 {
    load(id)
}

#[cached(unsync_reads = true)]
fn unbounded_arc(id: u64) -> Arc<Payload> {
    load_arc(id)
}

/// The loop over one of the functions above.
fn each<V>(call: impl Fn(u64) -> V + Send + Sync) -> impl Fn(Ids) + Send + Sync {
    move |ids| {
        for id in ids {
            black_box(call(id));
        }
    }
}

pub fn register(board: &mut Board) {
    for case in [
        &case::HIT_U64,
        &case::HIT_2_DISTINCT,
        &case::HIT_2_SAME,
        &case::MISS,
    ] {
        board.timed(case, NAME_PLAIN, || each(plain));
        board.timed(case, NAME_SHARDED, || each(sharded));
        board.timed(case, NAME_ASYNC, || {
            |ids| {
                drive(async {
                    for id in ids {
                        black_box(plain_async(id).await);
                    }
                });
            }
        });
        board.timed(case, NAME_SHARDED_ASYNC, || {
            |ids| {
                drive(async {
                    for id in ids {
                        black_box(sharded_async(id).await);
                    }
                });
            }
        });
    }
    // Without a bound a miss case would measure a table that only grows.
    for case in [&case::HIT_U64, &case::HIT_2_DISTINCT, &case::HIT_2_SAME] {
        board.timed(case, NAME_UNBOUNDED, || each(unbounded));
    }
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, NAME_PLAIN, || each(plain_arc));
        board.timed(case, NAME_SHARDED, || each(sharded_arc));
        board.timed(case, NAME_UNBOUNDED, || each(unbounded_arc));
    }
    board.timed(&case::HIT_STR, NAME_PLAIN, || {
        let names = names();
        each(|id| plain_by_name(&names[id as usize]))
    });
    board.timed(&case::HIT_STR, NAME_SHARDED, || {
        let names = names();
        each(|id| sharded_by_name(&names[id as usize]))
    });
    board.timed(&case::HIT_STR_ARC, NAME_SHARDED, || {
        let names = names();
        each(|id| sharded_arc_by_name(&names[id as usize]))
    });
    board.timed(&case::SET, "cached sharded store", || {
        let cache = store(case::CAPACITY);
        each(move |id| cache.cache_set(render(id).to_string(), id))
    });
    board.memory("cached sharded store", || {
        let cache = store(HELD_CAPACITY);
        for id in 0..HELD {
            cache.set(render(id).to_string(), id);
        }
        let held = cache.len() as u64;
        (cache, held)
    });
    board.herd(NAME_ASYNC, |key| herd::send(move || slow(key)));
}

/// The store behind `#[concurrent_cached]`, with the text keys that the others keep.
fn store(capacity: usize) -> ShardedLruTtlCache<String, u64> {
    ShardedLruTtlCache::builder()
        .max_size(capacity)
        .ttl(TTL)
        .build()
        .expect("a bound and a time are enough")
}
