//! `#[background]` in several processes on one store: one writes, the others stand by and read; who is killed is replaced.

#![cfg(all(feature = "macros", feature = "redis", feature = "sqlite"))]

#[path = "../servers/redis.rs"]
mod redis_server;
#[path = "../servers/mod.rs"]
mod servers;

mod process;

use std::time::Duration;

use larder::Cache;
use larder::background::{Phase, Reader};
use process::Process;
use servers::{eventually, new_directory};

/// Played by the processes that other tests start; by itself it does nothing.
#[test]
fn child() {
    process::play();
}

fn writer_of(reader: &Reader<String>) -> Option<String> {
    let value = reader.value()?;
    value.split(' ').next().map(str::to_owned)
}

fn one_writes_and_who_is_killed_is_replaced(url: &str) {
    let mut first = Process::start(url);
    assert_eq!(first.hear(), "writing");
    let second = Process::start(url);
    assert_eq!(second.hear(), "standing by");
    let cache = Cache::builder().url(url).unwrap().build().unwrap();
    let reader = cache.reader::<String>("rates").every("20ms").ttl("1m");
    let reader = reader.start().unwrap();
    eventually("a value of the first", || {
        writer_of(&reader) == Some(first.id())
    });
    assert_eq!(second.order("runs"), "0 Standby");
    assert!(first.order("read").starts_with(&first.id()));
    assert!(
        second.order("read").starts_with(&first.id()),
        "it reads what the other one wrote"
    );
    assert_eq!(second.order("loads"), "0");

    first.kill();
    eventually("a value of the second", || {
        let writer = writer_of(&reader).expect("what was written last is there meanwhile");
        writer == second.id()
    });
    assert_eq!(second.hear(), "writing");

    let third = Process::start(url);
    assert_eq!(third.hear(), "standing by");
    assert_eq!(second.order("end"), "ended");
    assert_eq!(third.hear(), "writing");
    eventually("a value of the third", || {
        writer_of(&reader) == Some(third.id())
    });
    assert_eq!(second.order("runs"), "none", "it was shut down");
    second.end();
    third.end();
    assert_eq!(reader.status().phase, Phase::Waiting);
    let ended = cache.shutdown().within(Duration::from_secs(20)).wait();
    ended.unwrap();
    assert_eq!(reader.status().phase, Phase::Stopped);
}

#[test]
fn in_redis_one_writes_and_who_is_killed_is_replaced() {
    let server = redis_server::alone();
    one_writes_and_who_is_killed_is_replaced(&format!(
        "redis://{}/0?timeout=30s&connect_timeout=20s",
        server.address()
    ));
}

#[test]
fn in_sqlite_one_writes_and_who_is_killed_is_replaced() {
    let directory = new_directory();
    let path = directory.join("a.db");
    one_writes_and_who_is_killed_is_replaced(&format!(
        "sqlite://{}?timeout=30s&busy_timeout=20s",
        path.display()
    ));
    drop(std::fs::remove_dir_all(directory));
}
