//! privex.helpers.cache, from top to bottom.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, ErrorKind, Remaining, cached};

use crate::support::{World, secs};
use crate::{memcached, on_redis, open, redis, servers};

/// `set`, `get` with and without a default, `get_or_set`, `remove`, `update_timeout` on one adapter.
async fn keeps_what_an_adapter_keeps(cache: &Cache) {
    cache.set("hello", "world").ttl("5m").await.unwrap();
    let got: Option<String> = cache.get("hello").await.unwrap();
    assert_eq!(got.as_deref(), Some("world"));
    // `get('example', 'NOT FOUND')` and `get(.., fail=True)`
    let absent: Option<String> = cache.get("nonexistent").await.unwrap();
    assert_eq!(absent.clone().unwrap_or("NOT FOUND".into()), "NOT FOUND");
    assert!(
        absent
            .ok_or("The cache key \"nonexistent\" does not exist!")
            .is_err()
    );
    // `get_or_set`, with a function, which is not called when there is something, and with a value
    for answer in ["computed", "again"] {
        let load = async || Ok::<_, larder::Error>(answer.to_owned());
        let value = cache.get_or_load("made", load).ttl("60s").await.unwrap();
        assert_eq!(value, "computed");
    }
    let value = async || Ok::<_, larder::Error>("value".to_owned());
    let value = cache.get_or_load("given", value).ttl("60s").await.unwrap();
    assert_eq!(value, "value");
    // `remove(*keys)`: how many were there
    cache.set("lorem", "ipsum").ttl("5m").await.unwrap();
    assert_eq!(cache.delete_many(["hello", "lorem"]).await.unwrap(), 2);
    assert_eq!(cache.delete_many(["hello", "made"]).await.unwrap(), 1);
    // `update_timeout`
    cache.set("k", &1_u64).ttl("1m").await.unwrap();
    assert!(cache.touch("k", "10m").await.unwrap());
    let Some(Remaining::For(left)) = cache.remaining_ttl("k").await.unwrap() else {
        panic!("it has an end");
    };
    assert!(left > secs(300), "{left:?}");
    assert!(
        !cache.touch("absent", "10m").await.unwrap(),
        "nothing to update"
    );
}

#[tokio::test]
async fn the_memory_adapter() {
    keeps_what_an_adapter_keeps(&open("memory://")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_redis_adapter() {
    let server = redis::alone();
    keeps_what_an_adapter_keeps(&on_redis(&server, "")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memcached_adapter() {
    let server = memcached::alone();
    keeps_what_an_adapter_keeps(&open(&format!("memcached://{}", server.address()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sqlite_adapter() {
    keeps_what_an_adapter_keeps(&open("sqlite://memory")).await;
    let directory = servers::new_directory();
    let url = format!("sqlite://{}", directory.join("cache.db").display());
    let cache = open(&url);
    keeps_what_an_adapter_keeps(&cache).await;
    cache.set("kept", "in the file").ttl("5m").await.unwrap();
    let other: Option<String> = open(&url).get("kept").await.unwrap();
    assert_eq!(other.as_deref(), Some("in the file"));
    cache.close().await;
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_same_cache_is_used_with_and_without_await() {
    let server = redis::alone();
    let cache = on_redis(&server, "");
    // `get_hello()`: from code that is not async, with no runtime around it.
    cache
        .blocking()
        .set("hello", "world")
        .ttl("5m")
        .wait()
        .unwrap();
    let got: Option<String> = cache.blocking().get("hello").unwrap();
    assert_eq!(got.as_deref(), Some("world"));
    // `await get_hello_async()`
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let got: Option<String> = runtime.block_on(cache.get("hello")).unwrap();
    assert_eq!(got.as_deref(), Some("world"));
    // And from a sync function that an async one calls, on the only thread of a runtime.
    let got: Option<String> = runtime.block_on(async { cache.blocking().get("hello").unwrap() });
    assert_eq!(got.as_deref(), Some("world"));
}

#[tokio::test]
async fn the_global_adapter_is_exchanged_by_a_url() {
    // What `adapter_set` does to the whole program, a scope does to a part of it: tests of one program do not disturb each other.
    let (memory, disk) = (open("memory://"), open("sqlite://memory"));
    larder::scope()
        .default_cache(&memory)
        .wrap(async { larder::cache().set("k", "memory").ttl("1m").await })
        .await
        .unwrap();
    larder::scope()
        .default_cache(&disk)
        .wrap(async {
            let k: Option<String> = larder::cache().get("k").await.unwrap();
            assert_eq!(k, None, "another adapter is in place");
        })
        .await;
    assert!(memory.exists("k").await.unwrap());
}

#[tokio::test]
async fn no_set_up_is_needed() {
    larder::cache().set("plug", "play").ttl("1m").await.unwrap();
    let plug: Option<String> = larder::cache().get("plug").await.unwrap();
    assert_eq!(plug.as_deref(), Some("play"));
}

#[test]
fn the_default_timeout_of_300_seconds_is_a_default_of_the_cache() {
    let world = World::new();
    let cache = world
        .builder()
        .defaults(larder::Policy::new().ttl(300_u64))
        .build()
        .unwrap();
    let at = Arc::clone(&world);
    world.run(async move {
        cache.set("testing", &123_u64).await.unwrap();
        cache.set("example", "test").ttl(30_u64).await.unwrap();
        cache
            .set("this key", "is forever!")
            .ttl("forever")
            .await
            .unwrap();
        at.advance(secs(30));
        assert!(!cache.exists("example").await.unwrap());
        at.advance(secs(269));
        assert_eq!(cache.get::<u64>("testing").await.unwrap(), Some(123));
        at.advance(secs(1));
        assert_eq!(cache.get::<u64>("testing").await.unwrap(), None);
        at.advance(secs(1_000_000));
        assert!(cache.exists("this key").await.unwrap());
        let remaining = cache.remaining_ttl("this key").await.unwrap();
        assert_eq!(remaining, Some(Remaining::Forever));
    });
}

#[tokio::test]
async fn empty_values_are_values() {
    let cache = open("sqlite://memory");
    cache.set("text", "").ttl("1m").await.unwrap();
    cache
        .set("list", &Vec::<u64>::new())
        .ttl("1m")
        .await
        .unwrap();
    cache.set("none", &None::<u64>).ttl("1m").await.unwrap();
    assert_eq!(
        cache.get::<String>("text").await.unwrap(),
        Some(String::new())
    );
    assert_eq!(cache.get::<Vec<u64>>("list").await.unwrap(), Some(vec![]));
    assert_eq!(cache.get::<Option<u64>>("none").await.unwrap(), Some(None));
}

/// `r_cache`
#[tokio::test]
async fn a_decorated_function_with_a_literal_and_a_formatted_key() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "mydata", ttl = 600)]
    async fn some_func(cache: &Cache, x: i64, y: i64) -> i64 {
        let _ = cache;
        x + y
    }

    #[cached(cache = cache, key = "mydata:{a}:{b}", ttl = 600)]
    async fn formatted(cache: &Cache, a: i64, b: i64) -> i64 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        a + b
    }

    let cache = open("memory://");
    assert_eq!(some_func(&cache, 1, 2).await, 3);
    assert_eq!(
        some_func(&cache, 9, 9).await,
        3,
        "a literal key is one entry"
    );
    assert_eq!(formatted(&cache, 1, 2).await, 3);
    assert_eq!(formatted(&cache, 2, 2).await, 4);
    assert_eq!(formatted(&cache, 1, 2).await, 3);
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    // `r_cache=False`: past the kept value, and the new one is kept.
    assert_eq!(formatted::refresh(&cache, 1, 2).await, 3);
    assert_eq!(CALLS.load(Ordering::Relaxed), 3);
    // `r_cache_key="…"`: the value under another key, by hand.
    let load = async || Ok::<_, larder::Error>(formatted::uncached(&cache, 1, 2).await);
    let other = cache.get_or_load("another:key", load).ttl(600_u64).await;
    assert_eq!(other.unwrap(), 3);
    assert!(cache.exists("another:key").await.unwrap());
}

#[tokio::test]
async fn a_missing_default_is_an_error_at_once() {
    let error = open("memory://").set("k", &1_u64).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.to_string().contains("ttl"), "{error}");
}
