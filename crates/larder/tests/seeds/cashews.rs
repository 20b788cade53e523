//! cashews 2.3, from top to bottom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder::{
    Cache, ErrorKind, Operations, Remaining, Source, cached, detect_async, invalidates, scope,
};
use serde::{Deserialize, Serialize};

use crate::support::{World, secs};
use crate::{on_redis, open, redis, servers};

type Status = BTreeMap<String, u64>;

fn status(value: u64) -> Status {
    BTreeMap::from([("status".to_owned(), value)])
}

/// "Configure": one URL says it all, or an object of one's own.
#[tokio::test(flavor = "multi_thread")]
async fn set_up_by_url_and_by_object() {
    let server = redis::alone();
    let directory = servers::new_directory();
    let secret = directory.join("secret");
    std::fs::write(&secret, "a secret of more than 16 bytes").unwrap();
    // `redis://0.0.0.0/?db=1&create_connection_timeout=0.5&safe=0&hash_key=my_sicret&enable=1`
    let url = format!(
        "redis://{}/1?connect_timeout=500ms&strict=1&sign_key_file={}",
        server.address(),
        secret.display()
    );
    let cache = open(&url);
    cache.set("k", &status(1)).ttl("1m").await.unwrap();
    assert_eq!(
        open(&url).get::<Status>("k").await.unwrap(),
        Some(status(1))
    );
    let unsigned = on_redis(&server, "").get::<Status>("k").await.unwrap();
    assert_eq!(unsigned, None, "another database");
    // `Cache()` and `mem://?size=500`
    let own = Cache::builder()
        .url("memory://?size=500")
        .unwrap()
        .build()
        .unwrap();
    own.set("k", &1_u64).ttl("1m").await.unwrap();
    assert_eq!(own.get::<u64>("k").await.unwrap(), Some(1));
    std::fs::remove_dir_all(directory).unwrap();
}

/// `enable=0`, `cache.setup("://")`, and switching while the program runs.
#[tokio::test]
async fn a_cache_can_be_disabled() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "k", ttl = "1m")]
    async fn value(cache: &Cache) -> u32 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    for url in ["off://", "memory://?size=500&off=1"] {
        let cache = open(url);
        assert_ne!(value(&cache).await, value(&cache).await, "{url}");
        assert!(!cache.exists("k").await.unwrap());
        let elsewhere = cache.clone();
        let other = std::thread::spawn(move || elsewhere.blocking().exists("k").unwrap());
        assert!(!other.join().unwrap(), "{url}: for all threads");
    }
    let cache = open("memory://");
    let first = value(&cache).await;
    cache.switch_off(Operations::READ);
    assert_ne!(value(&cache).await, first);
    cache.switch_on(Operations::READ);
    assert_eq!(value(&cache).await, value(&cache).await);
    let inside = scope().off(Operations::ALL).wrap(value(&cache)).await;
    assert_ne!(inside, value(&cache).await, "in one scope");
}

/// "Memory": a bound, and expired keys that nobody asks for are purged.
#[test]
fn the_memory_backend_is_bounded_and_swept() {
    let world = World::new();
    let cache = world.builder().size(100).build().unwrap();
    let at = Arc::clone(&world);
    world.run(async move {
        for n in 0..1_000_u64 {
            cache.set(format!("k{n}"), &n).ttl("1m").await.unwrap();
        }
        assert!(cache.len() <= 100);
        at.advance(secs(120));
        at.run(async {});
        assert_eq!(cache.len(), 0);
    });
}

/// "Redis": `safe` or not; values are signed; a copy on the client's side.
#[tokio::test(flavor = "multi_thread")]
async fn the_redis_backend() {
    #[cached(cache = cache, key = "k", ttl = "1m", strict)]
    async fn unsafe_value(cache: &Cache) -> larder::Result<u64> {
        let _ = cache;
        Ok(7)
    }

    #[cached(cache = cache, key = "k", ttl = "1m")]
    async fn safe_value(cache: &Cache) -> larder::Result<u64> {
        let _ = cache;
        Ok(7)
    }

    let mut server = redis::alone();
    let cache = on_redis(&server, "timeout=2s");
    let copy = on_redis(&server, "client_side=1");
    cache.set("kept", &1_u64).ttl("1m").await.unwrap();
    let read = async || {
        let (value, reads) = detect_async(copy.get::<u64>("kept")).await;
        assert_eq!(value.unwrap(), Some(1));
        reads[0].tier.clone().unwrap()
    };
    assert_eq!(&*read().await, "redis");
    let kept = async { while &*read().await != "memory" {} };
    tokio::time::timeout(Duration::from_secs(20), kept)
        .await
        .expect("copies are kept from when the server tells of changes");
    server.kill();
    assert_eq!(
        safe_value(&cache).await.unwrap(),
        7,
        "`safe`: as if there were no cache"
    );
    assert!(
        unsafe_value(&cache).await.is_err(),
        "not `safe`: the store's error"
    );
    assert!(
        cache.get::<u64>("kept").await.is_err(),
        "direct operations say so"
    );
}

/// "Simple cache": `@cache(ttl=timedelta(hours=3))`
#[test]
fn a_simple_cache() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, skip = [cache], ttl = Duration::from_secs(3 * 3_600))]
    async fn long_running_function(cache: &Cache, arg: u64, kward: &str) -> String {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        format!("{arg}{kward}")
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(long_running_function(&cache, 1, "a").await, "1a");
        at.advance(secs(3 * 3_600 - 1));
        assert_eq!(long_running_function(&cache, 1, "a").await, "1a");
        assert_eq!(CALLS.load(Ordering::Relaxed), 1);
        at.advance(secs(1));
        long_running_function(&cache, 1, "a").await;
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    });
}

#[derive(Clone, Debug, PartialEq)]
enum Failed {
    Value,
    Other,
}

/// "Fail cache": `@cache.fail(ttl=timedelta(hours=2), exceptions=(ValueError, MyException))`
#[test]
fn a_fail_cache() {
    #[cached(cache = cache, key = "get:{name}", ttl = "2h", failover)]
    async fn get(cache: &Cache, name: &str, answer: Result<u64, Failed>) -> Result<u64, Failed> {
        let _ = (cache, name);
        answer
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(
            get(&cache, "a", Err(Failed::Value)).await,
            Err(Failed::Value),
            "needs one success"
        );
        assert_eq!(get(&cache, "a", Ok(1)).await, Ok(1));
        assert_eq!(get(&cache, "a", Ok(2)).await, Ok(2), "always called");
        assert_eq!(get(&cache, "a", Err(Failed::Value)).await, Ok(2));
        assert_eq!(get(&cache, "a", Err(Failed::Other)).await, Ok(2));
        at.advance(secs(2 * 3_600));
        assert_eq!(
            get(&cache, "a", Err(Failed::Value)).await,
            Err(Failed::Value)
        );
    });
}

/// `exceptions=`: which errors a kept value stands in for is what the function makes an `Err` of.
#[test]
fn only_some_errors_are_saved() {
    #[cached(cache = cache, key = "k", ttl = "2h", failover)]
    async fn kept(
        cache: &Cache,
        answer: Result<u64, Failed>,
    ) -> Result<Result<u64, Failed>, Failed> {
        let _ = cache;
        match answer {
            Err(Failed::Other) => Ok(Err(Failed::Other)),
            Err(failed) => Err(failed),
            Ok(value) => Ok(Ok(value)),
        }
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        assert_eq!(kept(&cache, Ok(1)).await, Ok(Ok(1)));
        assert_eq!(kept(&cache, Err(Failed::Value)).await, Ok(Ok(1)), "saved");
        assert_eq!(
            kept(&cache, Err(Failed::Other)).await,
            Ok(Err(Failed::Other)),
            "told"
        );
    });
}

/// "Hit cache": `@cache.hit(ttl=timedelta(hours=2), cache_hits=100, update_before=2)`
#[test]
fn a_hit_cache() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "get", ttl = "2h", hits = 100, refresh_hits = 98)]
    async fn get(cache: &Cache) -> u32 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        for _ in 0..99 {
            assert_eq!(get(&cache).await, 0);
        }
        assert_eq!(get(&cache).await, 0, "served, and reloaded behind");
        cache.idle().await;
        assert_eq!(get(&cache).await, 1);
    });
}

/// `@cache.dynamic()`: three hits in a day, and a reload behind after the first.
#[test]
fn a_dynamic_cache() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "get", ttl = "1d", hits = 3, refresh_hits = 1)]
    async fn get(cache: &Cache) -> u32 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        assert_eq!(get(&cache).await, 0);
        for expected in 0..5 {
            assert_eq!(get(&cache).await, expected);
            assert_eq!(get(&cache).await, expected, "served, and reloaded behind");
            cache.idle().await;
        }
    });
}

/// "Early": `@cache.early(ttl=timedelta(minutes=10), early_ttl=timedelta(minutes=7))`
#[test]
fn an_early_cache() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "get", ttl = "10m", early = "7m")]
    async fn get(cache: &Cache) -> u32 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed)
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        assert_eq!(get(&cache).await, 0);
        at.advance(secs(420));
        assert_eq!(get(&cache).await, 0, "reloaded behind");
        cache.idle().await;
        at.advance(secs(300));
        assert_eq!(get(&cache).await, 1, "nobody waited");
    });
}

/// "Basic api": the thirteen methods, on memory and on Redis.
async fn keeps_the_basic_api(cache: &Cache) {
    // `set(key, value, expire, exist)`
    assert!(cache.set("key", &true).ttl(60).await.unwrap());
    assert!(
        !cache.set("key", &false).ttl(60).if_absent().await.unwrap(),
        "`exist=False`"
    );
    assert!(
        cache.set("key", &false).ttl(60).if_present().await.unwrap(),
        "`exist=True`"
    );
    assert!(
        !cache
            .set("none", &false)
            .ttl(60)
            .if_present()
            .await
            .unwrap()
    );
    assert_eq!(cache.get::<bool>("key").await.unwrap(), Some(false));
    cache
        .set_many([("key1", 1_u64), ("key2", 2)])
        .ttl(60)
        .await
        .unwrap();
    let many = cache
        .get_many::<u64>(["key1", "absent", "key2"])
        .await
        .unwrap();
    assert_eq!(many, [Some(1), None, Some(2)]);
    assert_eq!(cache.increment("count", 1).ttl(60).await.unwrap(), 1);
    assert_eq!(cache.increment("count", 5).ttl(60).await.unwrap(), 6);
    assert!(cache.delete("key").await.unwrap());
    // `expire(key, timeout)`, `get_expire(key)`
    assert!(cache.touch("key1", 10).await.unwrap());
    let left = cache.remaining_ttl("key1").await.unwrap();
    assert!(
        matches!(left, Some(Remaining::For(left)) if left <= secs(10) && left > secs(5)),
        "{left:?}"
    );
    assert_eq!(cache.remaining_ttl("key").await.unwrap(), None);
    cache.set("for ever", &1_u64).ttl("forever").await.unwrap();
    assert_eq!(
        cache.remaining_ttl("for ever").await.unwrap(),
        Some(Remaining::Forever)
    );
    cache.ping().await.unwrap();
    // `is_locked`, `lock`, `set_lock`, `unlock`
    assert!(!cache.is_locked("door").await.unwrap());
    let lock = cache.lock("door").ttl("10s").await.unwrap();
    assert!(cache.is_locked("door").await.unwrap());
    let refused = cache.lock("door").ttl("10s").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout);
    let wrong = lock.owner() ^ 1;
    assert!(
        !cache.unlock("door", wrong).await.unwrap(),
        "another owner's"
    );
    assert!(cache.unlock("door", lock.owner()).await.unwrap());
    assert!(!cache.is_locked("door").await.unwrap());
    // `is_locked(key, wait=60)`: here one waits for the lock itself, and has it then.
    let first = cache.lock("door").ttl("10s").await.unwrap();
    let second = cache.lock("door").ttl("10s").wait_for("60s");
    let (freed, second) = tokio::join!(cache.unlock("door", first.owner()), second);
    assert!(freed.unwrap());
    assert!(cache.unlock("door", second.unwrap().owner()).await.unwrap());
    cache.clear().await.unwrap();
    assert_eq!(cache.get::<u64>("key2").await.unwrap(), None);
}

#[tokio::test]
async fn the_basic_api_in_memory() {
    keeps_the_basic_api(&open("memory://")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_basic_api_on_redis() {
    let server = redis::alone();
    keeps_the_basic_api(&on_redis(&server, "")).await;
}

/// "Invalidation"
#[tokio::test]
async fn invalidation_by_function_pattern_and_defaults() {
    struct User {
        id: u64,
    }

    #[cached(cache = cache, key = "user_items:{user_id}:{fresh}", ttl = "1d")]
    async fn user_items(cache: &Cache, user_id: u64, fresh: bool) -> Vec<u64> {
        let _ = (cache, fresh);
        vec![user_id]
    }

    #[cached(cache = cache, key = "items:page:{page}", ttl = "3h")]
    async fn items(cache: &Cache, page: u64) -> Vec<u64> {
        let _ = cache;
        vec![page]
    }

    // `@cache.invalidate("module:items:page:*")` and
    // `@cache.invalidate(user_items, {"user_id": lambda user: user.id}, defaults={"fresh": True})`
    #[invalidates(pattern = "items:page:*", cache = cache)]
    #[invalidates(user_items(cache = cache, user_id = user.id, fresh = true))]
    async fn create_item(cache: &Cache, user: &User) -> Result<(), Failed> {
        let _ = cache;
        if user.id == 0 {
            Err(Failed::Value)
        } else {
            Ok(())
        }
    }

    let cache = open("memory://");
    for page in [1, 2] {
        items(&cache, page).await;
    }
    for fresh in [true, false] {
        user_items(&cache, 7, fresh).await;
    }
    create_item(&cache, &User { id: 0 }).await.unwrap_err();
    assert_eq!(cache.len(), 4, "after success only");
    create_item(&cache, &User { id: 7 }).await.unwrap();
    assert!(items::peek(&cache, 1).await.unwrap().is_none());
    assert!(items::peek(&cache, 2).await.unwrap().is_none());
    assert!(user_items::peek(&cache, 7, true).await.unwrap().is_none());
    assert!(user_items::peek(&cache, 7, false).await.unwrap().is_some());
}

/// "you may face problem with invalid cache arising on code changing"
#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_changed_is_a_miss() {
    mod before {
        use super::*;
        #[derive(Clone, Serialize, Deserialize)]
        pub(super) struct User {
            pub(super) name: String,
            pub(super) surname: String,
        }
    }
    #[derive(Clone, Debug, Serialize, Deserialize)]
    struct User {
        full_name: String,
    }

    #[cached(cache = cache, key = "user:{id}", ttl = "1d", version = 2)]
    async fn versioned(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }

    let server = redis::alone();
    let old = before::User {
        name: "Dmitry".into(),
        surname: "Krykov".into(),
    };
    let cache = on_redis(&server, "");
    cache.set("user:1", &old).ttl("1d").await.unwrap();
    assert!(
        cache.get::<User>("user:1").await.unwrap().is_none(),
        "seen by its shape"
    );
    // `prefix="v2"`, by hand
    assert_ne!(versioned::key(&cache, 1).as_str(), "user:1");
}

/// "Detect source of a result"
#[tokio::test]
async fn what_was_read_and_from_where() {
    #[cached(cache = cache, key = "my:key", ttl = 10)]
    async fn decorated_function(cache: &Cache) -> u64 {
        let _ = cache;
        7
    }

    let cache = open("memory://");
    let (_, first) = detect_async(decorated_function(&cache)).await;
    let (_, second) = detect_async(decorated_function(&cache)).await;
    assert_eq!(
        (first[0].key.as_str(), first[0].source),
        ("my:key", Source::Loaded)
    );
    assert_eq!(
        (second[0].key.as_str(), second[0].source),
        ("my:key", Source::Fresh)
    );
    assert_eq!(second[0].tier.as_deref(), Some("memory"));
    // The header `X-From-Cache-Expire-In-Seconds` of the example.
    let key = &second[0].key;
    assert!(matches!(
        cache.remaining_ttl(key).await.unwrap(),
        Some(Remaining::For(_))
    ));
}

/// "count_stat": counts for each function.
#[tokio::test]
async fn counts_for_each_function() {
    #[cached(cache = cache, key = "counted:{n}", ttl = "1m")]
    async fn counted(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }

    let cache = open("memory://");
    for n in [1, 1, 2] {
        counted(&cache, n).await;
    }
    let stats = counted::stats();
    assert_eq!((stats.hits(), stats.misses, stats.stored), (1, 2, 2));
}
