//! Redis that stops, dies, comes back empty, lies or hangs up: errors meanwhile, and everything works again without a restart.

#![cfg(feature = "redis")]

#[path = "servers/wire.rs"]
mod proxy;
#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::ErrorKind;
use larder::store::redis::{Builder, Redis};
use larder::store::{Ask, Condition, Fill, Found, Read, Removal, Secret, Store, Write};
use proxy::Proxy;

const MINUTE: Duration = Duration::from_secs(60);
const NOW: u64 = 1_800_000_000_000;

fn builder(port: u16) -> Builder {
    Redis::builder([("127.0.0.1", port)]).connect_timeout(Duration::from_secs(20))
}

fn store(port: u16) -> Arc<Redis> {
    builder(port).build().expect("a store")
}

async fn write(store: &dyn Store, key: &str, bytes: &[u8]) -> larder::Result<Vec<bool>> {
    let write = Write {
        key,
        bytes,
        life: Some(MINUTE),
        condition: Condition::Always,
    };
    store.write(&[write]).await
}

async fn read(store: &dyn Store, key: &str, ask: Ask, tags: &[&str]) -> larder::Result<Found> {
    let read = Read {
        key,
        ask,
        tags,
        lease: MINUTE,
        life: Some(MINUTE),
        now: NOW,
    };
    store.read(&[read]).await.map(|mut found| found.remove(0))
}

/// Asks until there is an answer; how long that took.
async fn healed(store: &dyn Store) -> Duration {
    let start = Instant::now();
    loop {
        let asked = tokio::time::timeout(Duration::from_millis(500), store.ping()).await;
        if matches!(asked, Ok(Ok(()))) {
            return start.elapsed();
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{asked:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn entry(tags: &[(&str, u64)]) -> Vec<u8> {
    let mut head = vec![0xC1, 1, 0, 0, 0, 0, 1, 0, 0, 0];
    for instant in [NOW, NOW + 60_000, NOW + 60_000, NOW + 60_000] {
        head.extend(instant.to_be_bytes());
    }
    head.extend([0; 24]);
    head.extend((tags.len() as u16).to_be_bytes());
    for (name, version) in tags {
        head.extend((name.len() as u16).to_be_bytes());
        head.extend(name.as_bytes());
        head.extend(version.to_be_bytes());
    }
    head.push(0);
    let length = head.len() as u32;
    head[2..6].copy_from_slice(&length.to_be_bytes());
    head
}

#[tokio::test]
async fn a_hit_is_one_round_trip_and_a_miss_with_its_fill_two() {
    let server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    for tags in [&[][..], &["t", "u"]] {
        let store = store(proxy.port());
        // The scripts are new to the server once; another handle brings them.
        read(&*store, "warm", Ask::EntryOrLease, tags)
            .await
            .expect("an answer");
        let lease = read(&*store, "warm", Ask::EntryAndLease, tags)
            .await
            .expect("an answer")
            .lease
            .expect("a lease");
        let fill = Fill {
            key: "warm",
            bytes: b"x",
            life: None,
            lease: &lease,
        };
        store.fill(&[fill]).await.expect("an answer");

        for key in ["a", "b"] {
            let before = proxy.round_trips();
            let missing = read(&*store, key, Ask::EntryOrLease, tags)
                .await
                .expect("an answer");
            let versions: Vec<(&str, u64)> = tags
                .iter()
                .copied()
                .zip(missing.versions.iter().copied())
                .collect();
            let lease = missing.lease.expect("a lease");
            let fill = Fill {
                key,
                bytes: &entry(&versions),
                life: Some(MINUTE),
                lease: &lease,
            };
            assert_eq!(store.fill(&[fill]).await.expect("an answer"), [true]);
            assert_eq!(
                proxy.round_trips() - before,
                2,
                "a miss and its fill, tags {tags:?}"
            );
            for _ in 0..3 {
                let before = proxy.round_trips();
                let hit = read(&*store, key, Ask::EntryOrLease, tags)
                    .await
                    .expect("an answer");
                assert!(hit.bytes.is_some() && hit.lease.is_none());
                assert_eq!(proxy.round_trips() - before, 1, "a hit, tags {tags:?}");
            }
            // A process that knows nothing of the key.
            let other = self::store(proxy.port());
            other.ping().await.expect("an answer");
            let before = proxy.round_trips();
            let hit = read(&*other, key, Ask::EntryOrLease, tags)
                .await
                .expect("an answer");
            assert!(hit.bytes.is_some());
            assert_eq!(
                proxy.round_trips() - before,
                1,
                "a first hit, tags {tags:?}"
            );

            store
                .remove(&Removal::Keys(&[key]))
                .await
                .expect("an answer");
            let before = proxy.round_trips();
            let missing = read(&*store, key, Ask::EntryOrLease, tags)
                .await
                .expect("an answer");
            assert!(missing.lease.is_some());
            assert_eq!(proxy.round_trips() - before, 1, "a miss after a removal");
        }
    }
}

#[tokio::test]
async fn nobody_at_home_is_an_error_at_once_and_no_hindrance_later() {
    let port = servers::free_port();
    let store = store(port);
    let start = Instant::now();
    for _ in 0..50 {
        let error = write(&*store, "k", b"1").await.expect_err("nobody there");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "refused, not waited for"
    );
}

#[tokio::test]
async fn a_server_that_was_killed_and_comes_back_empty_is_used_again() {
    let mut server = redis_server::alone();
    let store = store(server.port());
    let lease = read(&*store, "k", Ask::EntryOrLease, &["t"])
        .await
        .expect("an answer")
        .lease
        .expect("a lease");
    let tag = store
        .tag_versions(&["t"], Some(MINUTE))
        .await
        .expect("versions");
    server.kill();
    let error = read(&*store, "k", Ask::EntryOrLease, &[])
        .await
        .expect_err("it is dead");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    server.start_again();
    healed(&*store).await;
    // It knows neither scripts nor leases nor versions any more.
    let fill = Fill {
        key: "k",
        bytes: b"old",
        life: None,
        lease: &lease,
    };
    assert_eq!(store.fill(&[fill]).await.expect("an answer"), [false]);
    let now = store
        .tag_versions(&["t"], Some(MINUTE))
        .await
        .expect("versions");
    assert!(now.versions[0] != tag.versions[0] && now.epoch != tag.epoch);
    assert_eq!(write(&*store, "k", b"1").await.expect("stored"), [true]);
    assert_eq!(
        read(&*store, "k", Ask::Entry, &[])
            .await
            .expect("an answer")
            .bytes,
        Some(b"1".to_vec())
    );
    redis_server::say(server.port(), "SCRIPT FLUSH SYNC");
    assert_eq!(write(&*store, "k", b"2").await.expect("stored"), [true]);
}

#[tokio::test]
async fn a_server_that_stops_is_left_and_found_again() {
    let server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    let silence = Duration::from_millis(300);
    let store = builder(proxy.port()).connect_timeout(silence);
    let store = store.build().expect("a store");
    healed(&*store).await;
    write(&*store, "k", b"1").await.expect("stored");
    server.stop();
    let limit = Duration::from_millis(100);
    for _ in 0..20 {
        let asked = tokio::time::timeout(limit, read(&*store, "k", Ask::Entry, &[])).await;
        assert!(!matches!(asked, Ok(Ok(_))), "it has stopped");
    }
    servers::eventually("the silent connection is replaced", || {
        proxy.connections() > 1
    });
    server.resume();
    let took = healed(&*store).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(
        read(&*store, "k", Ask::Entry, &[])
            .await
            .expect("an answer")
            .bytes,
        Some(b"1".to_vec())
    );
}

#[tokio::test]
async fn a_short_stop_costs_no_connection() {
    let server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    let store = builder(proxy.port()).build().expect("a store");
    write(&*store, "k", b"1").await.expect("stored");
    server.stop();
    let asked = tokio::time::timeout(Duration::from_millis(50), store.ping()).await;
    assert!(asked.is_err());
    server.resume();
    healed(&*store).await;
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn futures_that_are_dropped_leave_the_connection_whole() {
    let server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    let store = store(proxy.port());
    for number in 0..200_u32 {
        let key = format!("{number}");
        write(&*store, &key, key.as_bytes()).await.expect("stored");
        let mut dropped = Box::pin(read(&*store, &key, Ask::Entry, &[]));
        std::future::poll_fn(|context| {
            let _ = dropped.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
        drop(dropped);
        let found = read(&*store, &key, Ask::Entry, &[])
            .await
            .expect("an answer");
        assert_eq!(found.bytes.as_deref(), Some(key.as_bytes()));
    }
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn answers_cut_at_any_byte_are_errors_and_then_it_goes_on() {
    let server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    let store = store(proxy.port());
    write(&*store, "k", b"0123456789").await.expect("stored");
    for bytes in 0..60 {
        proxy.cut_after(bytes);
        let asked = tokio::time::timeout(
            Duration::from_secs(2),
            read(&*store, "k", Ask::EntryOrLease, &["t"]),
        )
        .await;
        if let Ok(Ok(found)) = asked {
            assert_eq!(
                found.bytes.as_deref(),
                Some(&b"0123456789"[..]),
                "never half an answer"
            );
        }
        proxy.heal();
        healed(&*store).await;
        let found = read(&*store, "k", Ask::EntryOrLease, &[])
            .await
            .expect("an answer");
        assert_eq!(found.bytes.as_deref(), Some(&b"0123456789"[..]));
    }
}

#[tokio::test]
async fn nonsense_is_an_error_and_then_it_goes_on() {
    let server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    let store = store(proxy.port());
    write(&*store, "k", b"1").await.expect("stored");
    for _ in 0..5 {
        proxy.soil();
        for _ in 0..3 {
            let limit = Duration::from_secs(2);
            let asked =
                tokio::time::timeout(limit, read(&*store, "k", Ask::EntryOrLease, &[])).await;
            assert!(!matches!(asked, Ok(Ok(_))), "{asked:?}");
        }
        proxy.heal();
        healed(&*store).await;
        assert_eq!(
            read(&*store, "k", Ask::Entry, &[])
                .await
                .expect("an answer")
                .bytes,
            Some(b"1".to_vec())
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_without_the_password() {
    let server = redis_server::with(&["--requirepass", "hunter2"]);
    let wrong = builder(server.port())
        .credentials(None, Secret::new("hunter3"))
        .build()
        .expect("a store");
    let error = wrong.ping().await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Store);
    let told = format!("{error} {error:?} {wrong:?}");
    assert!(!told.contains("hunter"), "{told}");
    let right = builder(server.port())
        .credentials(None, Secret::new("hunter2"))
        .build()
        .expect("a store");
    right.ping().await.expect("an answer");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let tls = redis_server::tls();
    let plain = || Redis::builder([("localhost", tls.server.port())]);
    let strict = plain().tls().build().expect("a store");
    strict
        .ping()
        .await
        .expect_err("nobody knows that authority");
    let by_name = Redis::builder([("127.0.0.1", tls.server.port())]);
    let pem = std::fs::read(&tls.authority).expect("a certificate");
    let other_name = by_name
        .tls_with_authority(pem.clone())
        .build()
        .expect("a store");
    other_name
        .ping()
        .await
        .expect_err("the certificate is for localhost");
    let known = plain().tls_with_authority(pem).build().expect("a store");
    known.ping().await.expect("an answer");
    let anybody = plain().tls_with_anybody().build().expect("a store");
    anybody.ping().await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_are_under_way_than_allowed() {
    let server = redis_server::alone();
    let store = builder(server.port())
        .in_flight(4)
        .build()
        .expect("a store");
    store.ping().await.expect("an answer");
    server.stop();
    let asked: Vec<_> = (0..64)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.ping().await })
        })
        .collect();
    server.resume();
    for asked in asked {
        asked.await.expect("a task").expect("an answer");
    }
}

#[test]
fn a_store_outlives_the_runtime_in_which_it_was_built() {
    let server = redis_server::alone();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let first = runtime();
    let store = first.block_on(async {
        let store = store(server.port());
        write(&*store, "k", b"1").await.expect("stored");
        store
    });
    drop(first);
    runtime().block_on(async {
        write(&*store, "k", b"2").await.expect("stored");
    });
}

#[test]
fn a_runtime_without_sockets_is_no_hindrance() {
    let server = redis_server::alone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let store = store(server.port());
        write(&*store, "k", b"1").await.expect("stored");
        let found = read(&*store, "k", Ask::Entry, &[])
            .await
            .expect("an answer");
        assert_eq!(found.bytes, Some(b"1".to_vec()));
    });
}

#[tokio::test]
async fn what_is_too_large_for_redis_is_refused_before_it_is_sent() {
    let server = redis_server::alone();
    let store = store(server.port());
    let bytes = vec![0; 512 * 1024 * 1024 + 1];
    let error = write(&*store, "k", &bytes).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::Encode);
}

#[test]
fn what_cannot_be_is_refused_when_it_is_built() {
    use larder::store::{Address, Opening, open};
    let runtime: Arc<dyn larder::runtime::Runtime> =
        Arc::new(larder::runtime::SystemRuntime::new());
    for url in [
        "redis:///0",
        "redis://h/x",
        "redis://h/0?in_flight=0",
        "redis://h/0?connect_timeout=0s",
        "redis://user@h/0",
        "redis://h/0?password=secret",
        "redis+cluster://h/1",
        "redis+cluster://h?client_side=1",
        "rediss://h?ca_file=/does/not/exist",
        "redis://h?client_name=a%20b",
    ] {
        let mut address = Address::parse(url).expect("a URL");
        let error = open(&mut Opening {
            address: &mut address,
            prefix: "",
            runtime: &runtime,
        })
        .expect_err(url);
        assert_eq!(error.kind(), ErrorKind::Config, "{url}");
    }
}
