//! hitbox-fn 0.2 over hitbox-moka.
//!
//! Configuration: the in-memory backend with the bincode format, the fastest it has without `rkyv` (it keeps bytes: a
//! hit decodes, so an `Arc` inside would only be rebuilt and `Payload` is returned by value), 10 minutes to live. Hit
//! cases use its default concurrency manager, which does nothing; the herd uses the broadcasting one with a limit of
//! one load, as its documentation advises for production. Its attribute takes no borrowed arguments, so the `&str` case
//! hands over a `String`. Async only.

use std::hint::black_box;
use std::sync::{Arc, LazyLock};

use hitbox::concurrency::BroadcastConcurrencyManager;
use hitbox::policy::{ConcurrencyLimit, PolicyConfig};
use hitbox_backend::format::BincodeFormat;
use hitbox_fn::prelude::*;
use hitbox_moka::MokaBackend;

use crate::board::Board;
use crate::case::{self, CAPACITY, HELD, HELD_CAPACITY, Ids};
use crate::herd;
use crate::material::{TTL, drive, load, load_slowly, names};

const NAME: &str = "hitbox-fn";

type Backend = MokaBackend<BincodeFormat>;

#[derive(Clone, serde::Serialize, serde::Deserialize, CacheableResponse)]
struct Owned {
    id: u64,
    name: String,
    mail: String,
}

#[cached(prefix = "user")]
async fn number(id: u64) -> u64 {
    load(id)
}

#[cached(prefix = "owned")]
async fn owned(id: u64) -> Owned {
    Owned {
        id: load(id),
        name: format!("name {id}"),
        mail: format!("{id}@example.com"),
    }
}

#[cached(prefix = "user")]
async fn by_name(name: String) -> u64 {
    load(name.len() as u64)
}

#[cached(prefix = "slow")]
async fn slow(id: u64) -> u64 {
    load_slowly(id).await
}

fn backend(capacity: usize) -> Backend {
    MokaBackend::builder()
        .max_entries(capacity as u64)
        .value_format(BincodeFormat)
        .build()
}

fn cache(capacity: usize) -> Cache<Backend> {
    Cache::builder()
        .backend(backend(capacity))
        .policy(PolicyConfig::builder().ttl(TTL).build())
        .build()
}

fn hits() -> impl Fn(Ids) + Send + Sync {
    let cache = cache(CAPACITY);
    move |ids| {
        drive(async {
            for id in ids {
                black_box(number(id).cache(&cache).await);
            }
        });
    }
}

fn owned_hits() -> impl Fn(Ids) + Send + Sync {
    let cache = cache(CAPACITY);
    move |ids| {
        drive(async {
            for id in ids {
                black_box(owned(id).cache(&cache).await);
            }
        });
    }
}

pub fn register(board: &mut Board) {
    for case in [
        &case::HIT_U64,
        &case::HIT_2_DISTINCT,
        &case::HIT_2_SAME,
        &case::MISS,
    ] {
        board.timed(case, NAME, hits);
    }
    for case in [&case::HIT_U64_ARC, &case::HIT_2_SAME_ARC] {
        board.timed(case, NAME, owned_hits);
    }
    board.timed(&case::HIT_STR, NAME, || {
        let (cache, names) = (cache(CAPACITY), names());
        move |ids| {
            drive(async {
                for id in ids {
                    black_box(by_name(names[id as usize].clone()).cache(&cache).await);
                }
            });
        }
    });
    board.memory(NAME, || {
        let cache = cache(HELD_CAPACITY);
        drive(async {
            for id in 0..HELD {
                number(id).cache(&cache).await;
            }
            cache.backend().cache().run_pending_tasks().await;
        });
        let held = cache.backend().entry_count();
        (cache, held)
    });
    board.herd(NAME, |key| {
        static LIMIT: LazyLock<ConcurrencyLimit> =
            LazyLock::new(|| ConcurrencyLimit::new(1).expect("one is allowed"));
        let policy = PolicyConfig::builder().ttl(TTL).concurrency(*LIMIT).build();
        let cache = Cache::builder()
            .backend(backend(CAPACITY))
            .policy(policy)
            .concurrency_manager(BroadcastConcurrencyManager::<u64>::new())
            .build();
        let cache = Arc::new(cache);
        herd::send(move || {
            let cache = Arc::clone(&cache);
            async move { slow(key).cache(&*cache).await }
        })
    });
}
