//! Names, slots and patterns: what we compute beside what the server says.

#![cfg(feature = "redis")]

#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use larder::store::redis::Redis;
use larder::store::{Ask, Fill, Read, Removal, Scan, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn cases_of(cases: u32) -> Config {
    let failure_persistence = None;
    Config {
        failure_persistence,
        ..Config::with_cases(cases)
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

#[test]
fn patterns_mean_what_the_server_says() {
    let server = redis_server::alone();
    let client = redis::Client::open(format!("redis://{}/", server.address())).expect("a client");
    let connection = RefCell::new(client.get_connection().expect("a connection"));
    let mut runner = TestRunner::new(cases_of(3_000));
    let pattern = r"[ab*?\[\]^\\-]{0,9}|(a\*){0,6}b|\[[a-c^\\-]{0,4}[\]]?[ab*]{0,3}|[é?*a]{0,5}";
    let text = r"[ab\]\[^\\*?-]{1,7}|[éa-c]{1,4}";
    let cases = (pattern, prop::collection::btree_set(text, 1..6));
    let run = runner.run(&cases, |(pattern, texts)| {
        let connection = &mut *connection.borrow_mut();
        redis::cmd("FLUSHDB")
            .exec(&mut *connection)
            .expect("flushed");
        for text in &texts {
            redis::cmd("SET")
                .arg(text)
                .arg(1)
                .exec(&mut *connection)
                .expect("set");
        }
        let ours: BTreeSet<String> = texts
            .iter()
            .filter(|text| larder_syntax::glob::matches(&pattern, text))
            .cloned()
            .collect();
        let keys: BTreeSet<String> = redis::cmd("KEYS")
            .arg(&pattern)
            .query(&mut *connection)
            .expect("keys");
        prop_assert_eq!(&ours, &keys, "KEYS {}", pattern);
        let (_, scanned): (u64, BTreeSet<String>) = redis::cmd("SCAN")
            .arg(0)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(1_000)
            .query(&mut *connection)
            .expect("a page");
        prop_assert_eq!(&ours, &scanned, "SCAN {}", pattern);
        Ok(())
    });
    run.expect("the same answers");
}

#[test]
fn removing_by_pattern_takes_what_the_pattern_means() {
    let server = redis_server::alone();
    let runtime = runtime();
    let store = Redis::builder([("127.0.0.1", server.port())])
        .build()
        .expect("a store");
    let mut runner = TestRunner::new(cases_of(300));
    let pattern = r"[ab*?\[\]^\\-]{0,7}";
    let text = r"[ab\]\[^\\*?-]{0,6}";
    let cases = (
        r"[a*?\[\\]{0,3}",
        pattern,
        prop::collection::btree_set(text, 1..6),
    );
    let run = runner.run(&cases, |(prefix, pattern, texts)| {
        runtime.block_on(async {
            let keys: Vec<String> = texts.iter().map(|text| format!("{prefix}{text}")).collect();
            let read = |key| Read {
                key,
                ask: Ask::EntryAndLease,
                tags: &[],
                lease: Duration::from_secs(60),
                life: None,
                now: 0,
            };
            let reads: Vec<Read<'_>> = keys.iter().map(|key| read(key.as_str())).collect();
            let leases = store.read(&reads).await.expect("leases");
            // Without an entry there is a lease to end all the same.
            let removal = Removal::Pattern {
                prefix: &prefix,
                pattern: &pattern,
            };
            store.remove(&removal).await.expect("removed");
            for (text, (key, found)) in texts.iter().zip(keys.iter().zip(&leases)) {
                let lease = found.lease.as_ref().expect("a lease");
                let fill = Fill {
                    key,
                    bytes: b"v",
                    life: None,
                    lease,
                };
                let filled = store.fill(&[fill]).await.expect("an answer")[0];
                prop_assert_eq!(
                    !filled,
                    larder_syntax::glob::matches(&pattern, text),
                    "{} {}",
                    pattern,
                    text
                );
            }
            store
                .remove(&Removal::Keys(
                    &keys.iter().map(String::as_str).collect::<Vec<_>>(),
                ))
                .await
                .expect("removed");
            let scan = Scan {
                prefix: &prefix,
                pattern: "*",
                cursor: None,
                limit: 100,
            };
            prop_assert!(store.scan(&scan).await.expect("a page").keys.is_empty());
            Ok(())
        })
    });
    run.expect("the same answers");
}

#[test]
fn a_lease_lies_beside_its_entry_whatever_the_key_is() {
    let cluster = redis_server::Cluster::start(3, 0);
    let runtime = runtime();
    let hosts: Vec<(String, u16)> = cluster
        .nodes
        .iter()
        .map(|node| ("127.0.0.1".to_owned(), node.port()))
        .collect();
    let store = Redis::builder(hosts).cluster().build().expect("a store");
    let mut runner = TestRunner::new(cases_of(600));
    let run = runner.run(&r"[{}a-c]{0,8}|[{}é☃ \x00-\x7F]{0,20}", |key| {
        runtime.block_on(async {
            let read = Read {
                key: &key,
                ask: Ask::EntryAndLease,
                tags: &[],
                lease: Duration::from_secs(60),
                life: None,
                now: 0,
            };
            let found = store.read(&[read]).await;
            // A name in another slot would be refused: CROSSSLOT.
            let found = found.map_err(|error| TestCaseError::fail(format!("{key:?}: {error}")))?;
            let lease = found[0].lease.clone().expect("a lease");
            let fill = Fill {
                key: &key,
                bytes: b"v",
                life: None,
                lease: &lease,
            };
            prop_assert_eq!(store.fill(&[fill]).await.expect("an answer"), [true]);
            prop_assert_eq!(
                store
                    .remove(&Removal::Keys(&[&key]))
                    .await
                    .expect("removed"),
                1
            );
            Ok(())
        })
    });
    run.expect("every key has a lease");
}
