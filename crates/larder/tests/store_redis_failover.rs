//! Masters that die and slots that move: clusters and sentinels.

#![cfg(feature = "redis")]

#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::store::redis::Redis;
use larder::store::{Ask, Condition, Fill, Read, Removal, Store, Write};
use redis_server::{Cluster, Watched, cli};

const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(1);

fn on(servers: &[servers::Server]) -> Vec<(String, u16)> {
    let place = |server: &servers::Server| ("127.0.0.1".to_owned(), server.port());
    servers.iter().map(place).collect()
}

async fn write(store: &dyn Store, key: &str, bytes: &[u8]) -> bool {
    let write = Write {
        key,
        bytes,
        life: Some(MINUTE),
        condition: Condition::Always,
    };
    let written = tokio::time::timeout(LIMIT, store.write(&[write])).await;
    matches!(written, Ok(Ok(written)) if written == [true])
}

fn question<'a>(key: &'a str, ask: Ask) -> Read<'a> {
    Read {
        key,
        ask,
        tags: &[],
        lease: MINUTE,
        life: Some(MINUTE),
        now: 1_800_000_000_000,
    }
}

async fn until_written(store: &dyn Store, key: &str, bytes: &[u8]) -> Duration {
    let start = Instant::now();
    while !write(store, key, bytes).await {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "no new master is used"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

#[tokio::test]
async fn a_new_master_is_followed_whether_the_old_one_died_or_hangs() {
    for hangs in ["dies", "hangs"] {
        let mut watched = Watched::hasty();
        let store = Redis::builder(on(&watched.sentinels))
            .sentinel("mymaster")
            .build()
            .expect("a store");
        until_written(&*store, "k", b"before").await;
        servers::eventually("the replica has it", || {
            redis_server::say(watched.replica.port(), "EXISTS k") == ":1\r\n"
        });
        if hangs == "hangs" {
            watched.master.stop();
        } else {
            watched.master.kill();
        }
        until_written(&*store, "k", b"after").await;
        assert_eq!(
            redis_server::say(watched.replica.port(), "GET k"),
            "$5\r\nafter\r\n"
        );
    }
}

#[tokio::test]
async fn a_master_that_is_demoted_in_peace_is_left() {
    let watched = Watched::start();
    let store = Redis::builder(on(&watched.sentinels))
        .sentinel("mymaster")
        .build()
        .expect("a store");
    until_written(&*store, "k", b"before").await;
    servers::eventually("the replica is master", || {
        // It may refuse while it thinks that the replica is not in step.
        cli(
            watched.sentinels[0].port(),
            &["SENTINEL", "FAILOVER", "mymaster"],
        );
        redis_server::say(watched.replica.port(), "ROLE").contains("master")
    });
    // What the old master still took is lost with it.
    let start = Instant::now();
    while redis_server::say(watched.replica.port(), "EXISTS other") != ":1\r\n" {
        write(&*store, "other", b"after").await;
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "the old master is used still"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_replica_takes_the_place_of_a_master_of_a_cluster() {
    for hangs in ["dies", "hangs"] {
        let mut cluster = Cluster::start(3, 1);
        let store = Redis::builder(on(&cluster.nodes))
            .cluster()
            .build()
            .expect("a store");
        let keys: Vec<String> = (0..60).map(|number| format!("k{number}")).collect();
        for key in &keys {
            until_written(&*store, key, b"before").await;
        }
        let slot = redis_server::cli(cluster.nodes[0].port(), &["CLUSTER", "KEYSLOT", "k7"]);
        let master = cluster
            .master_of(slot.trim().parse().expect("a slot"), 0)
            .expect("a master");
        if hangs == "hangs" {
            cluster.nodes[master].stop();
        } else {
            cluster.nodes[master].kill();
        }
        let took = until_written(&*store, "k7", b"after").await;
        eprintln!("{hangs}: written again after {took:?}");
        for key in &keys {
            until_written(&*store, key, b"after").await;
        }
    }
}

#[tokio::test]
async fn slots_may_move_while_they_are_used() {
    let cluster = Cluster::start(3, 0);
    let store: Arc<Redis> = Redis::builder(on(&cluster.nodes))
        .cluster()
        .build()
        .expect("a store");
    let name = |number: usize| format!("{{move}}:{number}");
    let entries: Vec<String> = (0..40).map(name).collect();
    for key in &entries {
        until_written(&*store, key, b"v").await;
    }
    let slot = cli(cluster.nodes[0].port(), &["CLUSTER", "KEYSLOT", "{move}"])
        .trim()
        .to_owned();
    let from = cluster
        .master_of(slot.parse().expect("a slot"), 0)
        .expect("a master");
    let to = (from + 1) % 3;
    let (source, target) = (cluster.nodes[from].port(), cluster.nodes[to].port());
    let (source_id, target_id) = (cluster.id(from), cluster.id(to));
    cli(
        target,
        &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source_id],
    );
    cli(
        source,
        &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target_id],
    );
    let port = target.to_string();
    for key in &entries[..20] {
        cli(source, &["MIGRATE", "127.0.0.1", &port, key, "0", "20000"]);
    }
    // Half of the slot is here, half there.
    for key in &entries {
        let found = store
            .read(&[question(key, Ask::EntryOrLease)])
            .await
            .expect("a hit");
        assert_eq!(found[0].bytes.as_deref(), Some(&b"v"[..]), "{key}");
        let fresh = Redis::builder(on(&cluster.nodes))
            .cluster()
            .build()
            .expect("a store");
        if key.ends_with('0') {
            let found = fresh
                .read(&[question(key, Ask::EntryOrLease)])
                .await
                .expect("a hit");
            assert_eq!(
                found[0].bytes.as_deref(),
                Some(&b"v"[..]),
                "{key}, asked for the first time"
            );
        }
    }
    for key in &entries[20..] {
        cli(source, &["MIGRATE", "127.0.0.1", &port, key, "0", "20000"]);
    }
    // Leases and what else was made meanwhile.
    loop {
        let left = cli(source, &["CLUSTER", "COUNTKEYSINSLOT", &slot]);
        if left.trim() == "0" {
            break;
        }
        let script = "for _, name in ipairs(redis.call('KEYS', '*{move}*')) do redis.call('DEL', name) end return 1";
        cli(source, &["EVAL", script, "0"]);
    }
    for node in &cluster.nodes {
        cli(
            node.port(),
            &["CLUSTER", "SETSLOT", &slot, "NODE", &target_id],
        );
    }
    cluster.agrees();
    for key in &entries {
        let found = store
            .read(&[question(key, Ask::EntryAndLease)])
            .await
            .expect("an answer");
        assert_eq!(found[0].bytes.as_deref(), Some(&b"v"[..]));
        let lease = found[0].lease.as_ref().expect("a lease");
        let fill = Fill {
            key,
            bytes: b"w",
            life: Some(MINUTE),
            lease,
        };
        assert_eq!(store.fill(&[fill]).await.expect("an answer"), [true]);
    }
    let removed = store
        .remove(&Removal::Prefix("{move}"))
        .await
        .expect("removed");
    assert_eq!(removed, 40);
}
