//! Batches and streams on real stores: two caches stand for two processes.
#![cfg(all(
    feature = "macros",
    feature = "redis",
    feature = "sqlite",
    feature = "stream"
))]

#[path = "servers/redis.rs"]
mod redis;
#[path = "servers/mod.rs"]
mod servers;

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::{Stream, StreamExt, stream};
use larder::{Cache, cached_batch, cached_stream, invalidates, scope};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    loaded: usize,
}

static ASKED: Mutex<Vec<(String, Vec<u64>)>> = Mutex::new(Vec::new());

fn note(shop: &str, ids: &[u64]) -> usize {
    let mut asked = ASKED.lock().unwrap();
    asked.push((shop.to_owned(), ids.to_vec()));
    asked.iter().filter(|(of, _)| of == shop).count()
}

fn asked(shop: &str) -> Vec<Vec<u64>> {
    let asked = ASKED.lock().unwrap();
    let here = asked.iter().filter(|(of, _)| of == shop);
    here.map(|(_, ids)| ids.clone()).collect()
}

#[cached_batch(key = "{shop}:user:{id}", ttl = "10m", absent = "1m", tags = ["{shop}:{id}"], cache = cache)]
async fn users(cache: &Cache, shop: &str, ids: &[u64]) -> HashMap<u64, User> {
    let loaded = note(shop, ids);
    let even = ids.iter().filter(|id| **id % 2 == 0);
    even.map(|id| (*id, User { id: *id, loaded })).collect()
}

#[invalidates(users(cache = cache, shop = shop, id = id))]
async fn rename(cache: &Cache, shop: &str, id: u64) {}

#[cached_stream(key = "{shop}:rows", ttl = "10m", cache = cache)]
fn rows(cache: &Cache, shop: &str) -> impl Stream<Item = std::io::Result<User>> {
    let loaded = note(shop, &[]);
    stream::iter((0..1000).map(move |id| Ok(User { id, loaded })))
}

async fn batches(a: &Cache, b: &Cache, shop: &str) {
    let first = users(a, shop, &[2, 3, 4]).await;
    assert_eq!(first.len(), 2);
    assert_eq!(
        users(b, shop, &[4, 3, 2]).await,
        first,
        "all of it, absence too"
    );
    rename(b, shop, 2).await;
    assert_eq!(users(a, shop, &[2, 3, 4]).await[&2].loaded, 2);
    b.delete_tags([format!("{shop}:4")]).await.unwrap();
    assert_eq!(users(a, shop, &[2, 3, 4]).await[&4].loaded, 3);
    assert_eq!(users::invalidate_many(b, shop, &[2, 4]).await.unwrap(), 2);
    assert_eq!(users::peek(a, shop, &2).await.unwrap(), None);
    assert_eq!(users::peek(a, shop, &3).await.unwrap(), Some(None));
    assert_eq!(asked(shop), [vec![2, 3, 4], vec![2], vec![4]]);
}

async fn streams(a: &Cache, b: &Cache, shop: &str) {
    let read = |cache: &Cache| {
        let cache = cache.clone();
        let shop = shop.to_owned();
        async move {
            rows(&cache, &shop)
                .map(Result::unwrap)
                .collect::<Vec<_>>()
                .await
        }
    };
    let before = asked(shop).len();
    let first = read(a).await;
    assert_eq!(first.len(), 1000);
    assert_eq!(read(b).await, first);
    assert_eq!(asked(shop).len(), before + 1);
    // Whoever forgets it in the middle of a recording, in whatever process: it is not kept.
    a.delete(&format!("{shop}:rows")).await.unwrap();
    let mut reading = Box::pin(rows(a, shop));
    assert!(reading.next().await.is_some());
    rows::invalidate(b, shop).await.unwrap();
    assert_eq!(reading.count().await, 999);
    assert_eq!(rows::peek(b, shop).await.unwrap(), None);
}

fn shown_on(url: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        // Memory keeps no copy: what one process does, the next read of the other sees.
        let open = || Cache::builder().url(url).unwrap().build().unwrap();
        let (a, b) = (open(), open());
        a.ping().await.unwrap();
        scope().wrap(batches(&a, &b, "batches")).await;
        streams(&a, &b, "streams").await;
        ASKED.lock().unwrap().clear();
        a.close().await;
        b.close().await;
    });
}

#[test]
fn batches_and_streams_are_shared_by_processes() {
    let server = redis::alone();
    shown_on(&format!(
        "redis://{}/0?timeout=30s&connect_timeout=20s",
        server.address()
    ));
    let directory = servers::new_directory();
    shown_on(&format!(
        "sqlite://{}?timeout=30s",
        directory.join("a.db").display()
    ));
}
