//! advanced-caching, from top to bottom. Background refresh is in `advanced_caching_background.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::conformance::{self, Subject};
use larder::runtime::{BoxFuture, Runtime};
use larder::store::Store;
use larder::testing::{MemoryStore, Simulation};
use larder::{Cache, Policy, Remaining, Source, cached, detect, scope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::gcs::Gcs;
use crate::s3::S3;
use crate::support::{World, secs};
use crate::{on_redis, open, redis, servers};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Named {
    name: String,
}

fn ana() -> Named {
    Named { name: "Ana".into() }
}

/// "Quick start": `TTLCache.cached("user:{}", ttl=300)`, sync and async.
#[test]
fn a_ttl_for_sync_and_async_functions() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(key = "user:{user_id}", ttl = 300)]
    fn get_user(user_id: u64) -> Named {
        CALLS.fetch_add(user_id as u32, Ordering::Relaxed);
        ana()
    }

    #[cached(key = "user:{user_id}", ttl = 300)]
    async fn get_user_async(user_id: u64) -> Named {
        CALLS.fetch_add(user_id as u32, Ordering::Relaxed);
        ana()
    }

    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    let asks = || {
        scope().default_cache(&cache).run(|| get_user(1));
        time.block_on(scope().default_cache(&cache).wrap(get_user_async(1)));
    };
    asks();
    time.advance(secs(299));
    asks();
    assert_eq!(
        CALLS.load(Ordering::Relaxed),
        1,
        "one key, one entry, both forms"
    );
    time.advance(secs(1));
    asks();
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}

/// `SWRCache.cached("product:{}", ttl=60, stale_ttl=30)`
#[test]
fn stale_while_revalidate() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "product:{product_id}", ttl = 60, stale = 30)]
    async fn get_product(cache: &Cache, product_id: u64) -> u32 {
        let _ = (cache, product_id);
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(get_product(&cache, 1).await, 0);
        at.advance(secs(60));
        assert_eq!(
            get_product(&cache, 1).await,
            0,
            "served while it is reloaded"
        );
        cache.idle().await;
        assert_eq!(get_product(&cache, 1).await, 1, "the new value");
        at.advance(secs(90));
        assert_eq!(get_product(&cache, 1).await, 2, "too stale: loaded at once");
    });
}

#[test]
fn stale_while_revalidate_in_sync_functions() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(key = "product:{product_id}", ttl = 60, stale = 30)]
    fn get_product(product_id: u64) -> u32 {
        let _ = product_id;
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    let ask = || scope().default_cache(&cache).run(|| get_product(1));
    assert_eq!(ask(), 0);
    time.advance(secs(60));
    let (value, reads) = detect(ask);
    assert_eq!((value, reads[0].source), (0, Source::Refresh));
    time.run();
    assert_eq!(ask(), 1);
}

/// "Configured cache": a decorator that is wired to one backend.
#[tokio::test(flavor = "multi_thread")]
async fn a_configured_cache() {
    struct Service(Cache);

    impl Service {
        #[cached(cache = self.0, key = "user:{user_id}", ttl = 300)]
        async fn get_user_redis(&self, user_id: u64) -> Named {
            let _ = user_id;
            ana()
        }
    }

    let server = redis::alone();
    let service = Service(on_redis(&server, ""));
    assert_eq!(service.get_user_redis(1).await, ana());
    assert!(on_redis(&server, "").exists("user:1").await.unwrap());
}

/// "Key templates": positional, named, callable.
#[test]
fn keys_by_position_name_and_function() {
    #[cached(key = "user:{user_id}", ttl = 300)]
    fn named(user_id: u64, verbose: bool) -> u64 {
        user_id + u64::from(verbose)
    }

    #[cached(key = "user:{user:crate::advanced_caching::id_of}", ttl = 300)]
    fn called(user: &(u64, String)) -> u64 {
        user.0
    }

    assert_eq!(named::key(123, true).as_str(), "user:123");
    assert_eq!(named::key(123, false).as_str(), "user:123");
    assert_eq!(called::key(&(7, "x".into())).as_str(), "user:7");
}

fn id_of(user: &(u64, String)) -> u64 {
    user.0
}

/// `InMemCache`
#[test]
fn the_cache_in_memory() {
    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    let c = cache.blocking();
    c.set("key", "value").ttl(60).wait().unwrap();
    assert_eq!(c.get::<String>("key").unwrap().as_deref(), Some("value"));
    assert!(c.exists("key").unwrap());
    assert!(!c.set("key", "other").ttl(60).if_absent().wait().unwrap());
    assert!(c.delete("key").unwrap());
    assert!(c.set("key", "other").ttl(60).if_absent().wait().unwrap());
    // `cleanup_expired`: nobody has to call it.
    time.advance(secs(120));
    time.run();
    assert_eq!(cache.len(), 0, "swept");
}

/// "RedisCache & serializers"
#[tokio::test(flavor = "multi_thread")]
async fn redis_with_prefixes_and_formats() {
    let server = redis::alone();
    let value = json!({"id": 1, "tags": ["a"]});
    let cache = on_redis(&server, "prefix=app:");
    let as_json = on_redis(&server, "prefix=app:json:&format=json");
    let plain = on_redis(&server, "prefix=app:json2:&format=json&envelope=none");
    for cache in [&cache, &as_json, &plain] {
        cache.set("k", &value).ttl("1m").await.unwrap();
        assert_eq!(cache.get::<Value>("k").await.unwrap(), Some(value.clone()));
    }
    for key in ["app:k", "app:json:k", "app:json2:k"] {
        assert_eq!(
            redis::cli(server.port(), &["EXISTS", key]).trim(),
            "1",
            "{key}"
        );
    }
    let raw = redis::cli(server.port(), &["GET", "app:json2:k"]);
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), value);
}

/// "HybridCache": L1 in memory, L2 on Redis, twice as long unless said otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn two_levels_with_their_own_ttls() {
    let server = redis::alone();
    let pttl = |key: &str| {
        let left = redis::cli(server.port(), &["PTTL", key]);
        left.trim().parse::<u64>().unwrap()
    };
    let hybrid = on_redis(&server, "prefix=app:&memory_ttl=60s");
    hybrid.set("k", &1_u64).ttl("300s").await.unwrap();
    assert!(
        (60_000..=120_000).contains(&pttl("app:k")),
        "{}",
        pttl("app:k")
    );
    let long = on_redis(&server, "prefix=long:&memory_ttl=60s&store_ttl=3600s");
    long.set("k", &1_u64).ttl("2h").await.unwrap();
    assert!((3_000_000..=3_600_000).contains(&pttl("long:k")));
    // What memory does not have comes from Redis, and is in memory then.
    let other = on_redis(&server, "prefix=long:&memory_ttl=60s");
    for expected in ["redis", "memory"] {
        let (value, reads) = larder::detect_async(other.get::<u64>("k")).await;
        assert_eq!(value.unwrap(), Some(1));
        assert_eq!(reads[0].tier.as_deref(), Some(expected));
    }
}

/// "ChainCache": memory, Redis, S3, each with a cap.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_three_levels() {
    let (server, s3) = (redis::alone(), S3::start());
    let bucket = s3.url("chain", "&timeout=20s&ttl_cap=1h");
    let address = server.address();
    let chain = open(&format!(
        "memory://?size=100&ttl_cap=60s redis://{address}/0?ttl_cap=5m {bucket}"
    ));
    chain.set("user:123", &ana()).ttl(900).await.unwrap();
    assert_eq!(chain.get::<Named>("user:123").await.unwrap(), Some(ana()));
    // Another process reads through, and promotes.
    let deepest = open(&bucket);
    assert_eq!(
        deepest.get::<Named>("user:123").await.unwrap(),
        Some(ana()),
        "written through"
    );
    let other = open(&format!("redis://{address}/0?ttl_cap=5m {bucket}"));
    redis::cli(server.port(), &["FLUSHALL"]);
    assert_eq!(other.get::<Named>("user:123").await.unwrap(), Some(ana()));
    servers::eventually("it is promoted", || {
        redis::cli(server.port(), &["DBSIZE"]).trim() != "0"
    });
    let keys = redis::cli(server.port(), &["KEYS", "*user:123"]);
    let left = redis::cli(server.port(), &["PTTL", keys.lines().next().unwrap()]);
    let left: i64 = left.trim().parse().unwrap();
    assert!(
        (1..=300_000).contains(&left),
        "under its cap, and mortal: {left}"
    );
    // `set_if_not_exists` is decided at the deepest level.
    assert!(
        !other
            .set("user:123", &ana())
            .ttl(900)
            .if_absent()
            .await
            .unwrap()
    );
    assert!(
        other
            .set("user:124", &ana())
            .ttl(900)
            .if_absent()
            .await
            .unwrap()
    );
}

/// "Object storage backends": JSON, compressed.
#[tokio::test(flavor = "multi_thread")]
async fn object_stores_with_compression() {
    let (s3, gcs) = (S3::start(), Gcs::start());
    let more = "&timeout=20s&format=json&compress=gzip&compress_above=1";
    let value = vec!["the same again".to_owned(); 200];
    for url in [s3.url("users", more), gcs.url("users", more)] {
        let cache = open(&url);
        cache.set("k", &value).ttl("1h").await.unwrap();
        let other = open(&url);
        assert_eq!(
            other.get::<Vec<String>>("k").await.unwrap(),
            Some(value.clone())
        );
        assert_eq!(cache.delete_prefix("").await.unwrap(), 1);
    }
}

/// `RedisCache(dedupe_writes=True)`
#[tokio::test(flavor = "multi_thread")]
async fn an_equal_value_is_not_sent_again() {
    static SENT: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "k", ttl = "1h")]
    async fn large(cache: &Cache) -> Vec<u8> {
        let _ = cache;
        SENT.fetch_add(1, Ordering::Relaxed);
        vec![7; 100_000]
    }

    let server = redis::alone();
    let cache = on_redis(&server, "dedupe=1");
    let sent = || {
        let info = redis::cli(server.port(), &["INFO", "stats"]);
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("total_net_input_bytes:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    large(&cache).await;
    let first = sent();
    for _ in 0..5 {
        large::refresh(&cache).await;
    }
    assert_eq!(SENT.load(Ordering::Relaxed), 6);
    assert!(
        sent() - first < 100_000,
        "five refreshes sent {} bytes",
        sent() - first
    );
}

/// "LocalFileCache": one file a key, under names that no key can leave its directory by.
#[test]
fn files_with_dedupe() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "user:{id}", ttl = 300)]
    fn user(cache: &Cache, id: u64) -> Named {
        let _ = (cache, id);
        CALLS.fetch_add(1, Ordering::Relaxed);
        ana()
    }

    let directory = servers::new_directory();
    let url = format!("file://{}?dedupe=1", directory.display());
    let cache = open(&url);
    for _ in 0..3 {
        assert_eq!(user::refresh(&cache, 123), ana());
    }
    let evil = cache.blocking().set("../evil", &ana()).ttl(300).wait();
    assert!(evil.unwrap());
    let again = open(&url);
    assert_eq!(user(&again, 123), ana());
    assert_eq!(CALLS.load(Ordering::Relaxed), 3, "another process has it");
    let evil = again.blocking().get::<Named>("../evil");
    assert_eq!(evil.unwrap(), Some(ana()));
    assert!(!directory.parent().unwrap().join("evil").exists());
    std::fs::remove_dir_all(directory).unwrap();
}

/// `CacheEntry`: what is kept, and until when.
#[test]
fn an_entry_seen_from_outside() {
    let time = Simulation::new(1);
    let cache = time.cache_builder().build().unwrap();
    // `set_entry`: fresh for a minute, stale for half a minute more.
    let policy = Policy::new().ttl(60).stale(30);
    let set = cache.blocking().set("k", &1_u64).policy(policy);
    set.wait().unwrap();
    time.advance(secs(20));
    let entry = cache.blocking().explain("k").unwrap().entry.unwrap();
    assert_eq!(entry.age, secs(20));
    let left = cache.blocking().remaining_ttl("k").unwrap();
    assert_eq!(left, Some(Remaining::For(secs(70))));
}

/// `CacheStorage`, `validate_cache_storage()`: the port, and the suite that proves a store.
#[test]
fn a_storage_is_proved_by_the_suite() {
    struct Opened(MemoryStore, Simulation);

    impl Subject for Opened {
        fn open<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, larder::Result<Arc<dyn Store>>> {
            let store: Arc<dyn Store> = Arc::new(self.0.within(prefix));
            Box::pin(async move { Ok(store) })
        }

        fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
            Box::pin(self.1.sleep(time))
        }

        fn now(&self) -> u64 {
            1_800_000_000_000 + self.1.clock().now().as_nanos() / 1_000_000
        }
    }

    let time = Simulation::new(1);
    let subject = Opened(MemoryStore::new(time.runtime()), time.clone());
    time.block_on(conformance::all(&subject));
}
