//! Each example and each documented parameter of the five libraries that Larder answers, as it is said in Rust; against the real server where the library uses one.
//!
//! One file a library, from the top of its documentation to the end. The pages `docs/from-*.md` have a table each: feature, spelling, test; `tables.rs` checks them.

#![cfg(all(
    feature = "file",
    feature = "gcs",
    feature = "gzip",
    feature = "json",
    feature = "memcached",
    feature = "redis",
    feature = "s3",
    feature = "sign",
    feature = "sqlite",
    feature = "yaml"
))]

#[path = "../servers/front.rs"]
mod front;
#[path = "../servers/gcs.rs"]
mod gcs;
#[path = "../servers/memcached.rs"]
mod memcached;
#[path = "../servers/redis.rs"]
mod redis;
#[path = "../servers/s3.rs"]
mod s3;
#[path = "../servers/mod.rs"]
mod servers;
#[path = "../support/mod.rs"]
mod support;

mod advanced_caching;
mod advanced_caching_background;
mod cashews;
mod cashews_guards;
mod easy_cache;
mod privex;
mod pyfly;
mod tables;

use larder::Cache;
use servers::Server;

/// A cache by URL.
fn open(url: &str) -> Cache {
    let builder = Cache::builder()
        .url(url)
        .unwrap_or_else(|e| panic!("{url}: {e}"));
    builder.build().unwrap_or_else(|e| panic!("{url}: {e}"))
}

/// A cache on a Redis that was started for the test.
fn on_redis(server: &Server, more: &str) -> Cache {
    let limit = if more.contains("timeout=") {
        ""
    } else {
        "timeout=30s&connect_timeout=20s&"
    };
    open(&format!("redis://{}/0?{limit}{more}", server.address()))
}
