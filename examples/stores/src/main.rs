//! One function on every store there is: only the URL changes.

use std::time::{Duration, Instant};

use larder::{Cache, Source, cached, detect_async, scope};
use serde::{Deserialize, Serialize};

mod servers;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Report {
    year: u32,
    lines: Vec<(String, u64)>,
}

/// Takes 20 ms, as a query would.
#[cached(key = "report:{year}", ttl = "10m", tags = ["reports"])]
async fn report(year: u32) -> Report {
    tokio::time::sleep(Duration::from_millis(20)).await;
    let line = |n: u64| (format!("article {n}"), n * u64::from(year));
    Report {
        year,
        lines: (0..20).map(line).collect(),
    }
}

/// How long calls took, and what answered the second.
struct Row {
    store: String,
    load: Duration,
    hit: Duration,
    tier: String,
}

#[tokio::main]
async fn main() -> Result<(), larder::Error> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let at = directory.path().display();
    let (redis, memcached) = (servers::redis(), servers::memcached());
    let mut stores = vec![
        ("memory".to_owned(), "memory://".to_owned()),
        ("sqlite".to_owned(), format!("sqlite://{at}/reports.db")),
        ("file".to_owned(), format!("file://{at}/reports")),
    ];
    let port = |server: &Option<servers::Server>| server.as_ref().map(|server| server.port);
    if let Some(port) = port(&redis) {
        // Each with a prefix of its own, so that none finds what another has stored.
        for (store, more) in [
            ("redis", "prefix=alone:"),
            ("memory, then redis", "prefix=behind:&memory_ttl=60s"),
            ("redis, copies kept true", "prefix=told:&client_side=1"),
        ] {
            let url = format!("redis://127.0.0.1:{port}/0?{more}");
            stores.push((store.to_owned(), url));
        }
    }
    if let Some(port) = port(&memcached) {
        stores.push(("memcached".into(), format!("memcached://127.0.0.1:{port}")));
    }
    // Any other, for example an object store: LARDER_STORE="s3://bucket/reports?region=eu-central-1".
    if let Ok(url) = std::env::var("LARDER_STORE") {
        stores.push(("LARDER_STORE".into(), url));
    }
    println!("{:<26} {:>10} {:>10}   answered by", "store", "load", "hit");
    for (store, url) in stores {
        let Row {
            store,
            load,
            hit,
            tier,
        } = measure(store, &url).await?;
        println!("{store:<26} {load:>10.1?} {hit:>10.1?}   {tier}");
    }
    Ok(())
}

/// One load, then the median of a hundred hits.
async fn measure(store: String, url: &str) -> Result<Row, larder::Error> {
    let cache = Cache::builder().url(url)?.build()?;
    cache.ping().await?;
    // Only needed because one program uses many caches here; a service calls `larder::setup(url)` once.
    let call = || scope().default_cache(&cache).wrap(report(2026));
    let ((first, reads), load) = timed(detect_async(async { call().await })).await;
    assert_eq!(
        reads[0].source,
        Source::Loaded,
        "{store}: nobody has stored it yet"
    );
    let mut times = Vec::new();
    for _ in 0..100 {
        let (again, took) = timed(call()).await;
        assert_eq!(again, first, "{store}");
        times.push(took);
    }
    times.sort();
    let (_, reads) = detect_async(async { call().await }).await;
    assert!(
        reads.iter().all(|read| read.source == Source::Fresh),
        "{store}: {reads:?}"
    );
    let tier = reads[0].tier.as_deref().unwrap_or("nothing").to_owned();
    cache.delete_tags(["reports"]).await?;
    let (_, reads) = detect_async(async { call().await }).await;
    assert_eq!(
        reads[0].source,
        Source::Loaded,
        "{store}: forgotten by its tag"
    );
    cache.close().await;
    let hit = times[times.len() / 2];
    Ok(Row {
        store,
        load,
        hit,
        tier,
    })
}

async fn timed<T>(call: impl Future<Output = T>) -> (T, Duration) {
    let began = Instant::now();
    let output = call.await;
    (output, began.elapsed())
}
