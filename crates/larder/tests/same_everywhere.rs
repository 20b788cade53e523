//! The same functions on every store, from a URL, against real servers: two caches stand for two processes.
#![cfg(all(
    feature = "azure",
    feature = "file",
    feature = "gcs",
    feature = "json",
    feature = "memcached",
    feature = "redis",
    feature = "s3",
    feature = "sign",
    feature = "sqlite",
    feature = "zstd"
))]

#[path = "servers/azurite.rs"]
mod azurite;
#[path = "servers/front.rs"]
mod front;
#[path = "servers/gcs.rs"]
mod gcs;
#[path = "servers/memcached.rs"]
mod memcached;
#[path = "servers/redis.rs"]
mod redis;
#[path = "servers/s3.rs"]
mod s3;
#[path = "servers/mod.rs"]
mod servers;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use larder::{Cache, ErrorKind, cache_put, cached, detect_async, invalidates, scope};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    notes: Vec<Option<String>>,
}

static LOADS: AtomicU64 = AtomicU64::new(0);

fn load(id: u64) -> User {
    let load = LOADS.fetch_add(1, Ordering::SeqCst);
    User {
        id,
        name: format!("user {id}, load {load}"),
        notes: vec![None, Some("ünïcode".repeat(300))],
    }
}

#[cached(key = "user:{id}", ttl = "10m", tags = ["users", |user| user.as_ref().map(|user| format!("name:{}", user.id))])]
async fn user(id: u64) -> Option<User> {
    Some(load(id))
}

#[cached(key = "sync:{id}", ttl = "10m")]
fn user_sync(id: u64) -> io::Result<User> {
    Ok(load(id))
}

#[cache_put(key = "user:{id}", ttl = "10m", tags = ["users"])]
async fn rename(id: u64, name: &str) -> Option<User> {
    let name = name.to_owned();
    Some(User { name, ..load(id) })
}

#[invalidates(user(id = id))]
async fn remove(id: u64) {}

async fn on<F: Future>(cache: &Cache, future: F) -> F::Output {
    scope().default_cache(cache).wrap(future).await
}

/// Asks until it holds: what a store tells of changes takes its way.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < patience, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// All that holds on every store.
async fn same(url: &str) {
    let open = || Cache::builder().url(url).unwrap().build().unwrap();
    let (a, b) = (open(), open());
    a.ping()
        .await
        .unwrap_or_else(|error| panic!("{url}: {error}"));
    let first = on(&a, user(7)).await;
    assert_eq!(
        on(&b, user(7)).await,
        first,
        "{url}: another process reads it"
    );
    assert_eq!(on(&a, user(7)).await, first, "{url}");
    on(&b, remove(7)).await;
    until("an invalidation is seen", async || {
        on(&a, user(7)).await != first
    })
    .await;
    let second = on(&a, user(7)).await;
    assert_eq!(on(&b, user(7)).await, second, "{url}");
    for tag in ["users", "name:7"] {
        let before = on(&a, user(7)).await;
        b.delete_tags([tag]).await.unwrap();
        until("a forgotten tag is seen", async || {
            on(&a, user(7)).await != before
        })
        .await;
    }
    // Word of the tag may still be on its way, and a put that an invalidation meets is not kept.
    until("a put is seen", async || {
        on(&a, rename(7, "Ada")).await;
        on(&b, user(7)).await.is_some_and(|user| user.name == "Ada")
    })
    .await;
    direct(url, &a, &b).await;
    shared(url, &a, &b).await;
    let sync = {
        let (a, b) = (a.clone(), b.clone());
        std::thread::spawn(move || {
            let first = scope().default_cache(&a).run(|| user_sync(8)).unwrap();
            let second = scope().default_cache(&b).run(|| user_sync(8)).unwrap();
            assert_eq!(first, second, "a sync function reads the same store");
        })
    };
    sync.join().unwrap();
    a.clear().await.unwrap();
    until("a clear is seen", async || {
        b.get::<String>("k").await.unwrap().is_none()
    })
    .await;
    a.close().await;
    b.close().await;
}

async fn direct(url: &str, a: &Cache, b: &Cache) {
    a.set("k", "v").ttl("1m").tags(["t"]).await.unwrap();
    until("a set is seen", async || {
        b.get::<String>("k").await.unwrap().as_deref() == Some("v")
    })
    .await;
    assert!(
        !b.set("k", "w").ttl("1m").if_absent().await.unwrap(),
        "{url}"
    );
    assert!(
        b.exists("k").await.unwrap() && !b.exists("none").await.unwrap(),
        "{url}"
    );
    let entries: HashMap<String, u64> = (0..20).map(|n| (format!("n:{n}"), n)).collect();
    a.set_many(entries.clone()).ttl("1m").await.unwrap();
    let keys: Vec<&String> = entries.keys().collect();
    let got = b.get_many::<u64>(&keys).await.unwrap();
    assert_eq!(
        got,
        keys.iter()
            .map(|key| Some(entries[*key]))
            .collect::<Vec<_>>(),
        "{url}"
    );
    match b.delete_pattern("n:*[02468]").await {
        Ok(_) => {
            until("a removed pattern is seen", async || {
                a.get::<u64>("n:12").await.unwrap().is_none()
            })
            .await;
            assert_eq!(a.get::<u64>("n:13").await.unwrap(), Some(13), "{url}");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{url}: {error}"),
    }
    b.delete_prefix("n:").await.unwrap();
    until("a removed prefix is seen", async || {
        a.get::<u64>("n:13").await.unwrap().is_none()
    })
    .await;
    match a.scan("*").await {
        Ok(keys) => assert!(keys.contains(&"k".to_owned()), "{url}: {keys:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{url}: {error}"),
    }
    assert!(a.touch("k", "1h").await.is_ok(), "{url}");
    let (_, reads) = detect_async(async { b.get::<String>("k").await }).await;
    assert!(reads[0].tier.is_some(), "{url}: {reads:?}");
}

async fn shared(url: &str, a: &Cache, b: &Cache) {
    assert_eq!(a.increment("count", 2).ttl("1m").await.unwrap(), 2, "{url}");
    assert_eq!(
        b.increment("count", -5).ttl("1m").await.unwrap(),
        -3,
        "{url}"
    );
    let lock = a.lock("job").ttl("30s").await.unwrap();
    let refused = b.lock("job").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Timeout, "{url}: {refused}");
    assert!(a.unlock("job", lock.owner()).await.unwrap(), "{url}");
    let next = b.lock("job").ttl("30s").wait_for("10s").await.unwrap();
    assert!(next.fence() > lock.fence(), "{url}");
}

fn directory(name: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("larder-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&path));
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[tokio::test]
async fn on_sqlite_and_files() {
    let at = directory("same");
    same(&format!("sqlite://{}/a.db?timeout=30s", at.display())).await;
    same(&format!("file://{}/a?timeout=30s", at.display())).await;
    same(&format!(
        "sqlite://{0}/near.db?ttl_cap=1m&timeout=30s file://{0}/far?timeout=30s",
        at.display()
    ))
    .await;
    std::fs::remove_dir_all(at).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redis_and_memcached() {
    let redis = redis::alone();
    let url = format!(
        "redis://127.0.0.1:{}/1?prefix=app:&timeout=30s&connect_timeout=20s",
        redis.port()
    );
    same(&url).await;
    same(&format!("{url}&format=json&compress=zstd")).await;
    same(&format!("{url}&client_side=1")).await;
    let memcached = [memcached::alone(), memcached::alone()];
    let [first, second] = memcached.each_ref().map(|server| server.port());
    same(&format!(
        "memcached://127.0.0.1:{first},127.0.0.1:{second}?prefix=m:&timeout=30s&connect_timeout=20s&answer_timeout=20s"
    ))
    .await;
    let at = directory("chain");
    let far = format!(
        "redis://127.0.0.1:{}/2?timeout=30s&connect_timeout=20s",
        redis.port()
    );
    same(&format!(
        "sqlite://{}/near.db?prefix=chain:&timeout=30s {far}",
        at.display()
    ))
    .await;
    std::fs::remove_dir_all(at).unwrap();
}

#[tokio::test]
async fn on_object_stores() {
    let s3 = s3::S3::start();
    same(&s3.url("team", "&timeout=10s")).await;
    let gcs = gcs::Gcs::start();
    same(&gcs.url("team", "&timeout=10s")).await;
    let azurite = azurite::Azurite::start();
    same(&azurite.url("team", "&timeout=10s")).await;
}
