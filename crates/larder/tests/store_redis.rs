//! A Redis that stands alone: every operation of the port against the real server.

#![cfg(feature = "redis")]

#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use larder::ErrorKind;
use larder::runtime::Runtime;
use larder::store::{
    Acquired, Address, Ask, Condition, Fill, Found, Opening, Quota, Read, Removal, Scan, Store,
    Token, Touch, Write, open,
};
use servers::Server;

const MINUTE: Duration = Duration::from_secs(60);
const NOW: u64 = 1_800_000_000_000;

fn store(url: &str, prefix: &str) -> Arc<dyn Store> {
    try_store(url, prefix).expect("a store")
}

fn try_store(url: &str, prefix: &str) -> larder::Result<Arc<dyn Store>> {
    let mut address = Address::parse(url)?;
    let runtime: Arc<dyn Runtime> = Arc::new(larder::runtime::SystemRuntime::new());
    let store = open(&mut Opening {
        address: &mut address,
        prefix,
        runtime: &runtime,
    })?;
    address.finish()?;
    Ok(store)
}

fn on(server: &Server) -> Arc<dyn Store> {
    store(
        &format!("redis://{}/0?connect_timeout=20s", server.address()),
        "",
    )
}

fn question<'a>(key: &'a str, ask: Ask, tags: &'a [&'a str]) -> Read<'a> {
    Read {
        key,
        ask,
        tags,
        lease: MINUTE,
        life: Some(MINUTE),
        now: NOW,
    }
}

async fn read(store: &dyn Store, key: &str, ask: Ask, tags: &[&str]) -> Found {
    let mut found = store
        .read(&[question(key, ask, tags)])
        .await
        .expect("an answer");
    assert_eq!(found.len(), 1);
    found.remove(0)
}

async fn bytes(store: &dyn Store, key: &str) -> Option<Vec<u8>> {
    read(store, key, Ask::Entry, &[]).await.bytes
}

async fn write(store: &dyn Store, key: &str, bytes: &[u8]) {
    let write = Write {
        key,
        bytes,
        life: Some(MINUTE),
        condition: Condition::Always,
    };
    assert_eq!(store.write(&[write]).await.expect("an answer"), [true]);
}

async fn fill(store: &dyn Store, key: &str, bytes: &[u8], lease: &Token) -> bool {
    let fill = Fill {
        key,
        bytes,
        life: Some(MINUTE),
        lease,
    };
    store.fill(&[fill]).await.expect("an answer")[0]
}

/// An entry with a head, by the layout that the documentation of heads gives.
fn entry(stale_until: u64, tags: &[(&str, u64)], body: &[u8]) -> Vec<u8> {
    let mut head = vec![0xC1, 1, 0, 0, 0, 0, 1, 0, 0, 0];
    for instant in [NOW - 1_000, stale_until, stale_until, u64::MAX] {
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
    head.extend(body);
    head
}

#[tokio::test]
async fn bytes_come_back_under_any_key() {
    let server = redis_server::alone();
    let store = on(&server);
    let long = "k".repeat(1_000_000);
    let keys = [
        "",
        "a",
        "é☃",
        "a b\r\n*1\r\n$4\r\nPING\r\n",
        "{",
        "}{",
        "{}",
        "{a}b",
        "a{b}{c}",
        "\0",
        "*",
        "a[b]c?\\",
        &long,
    ];
    for (number, key) in keys.iter().enumerate() {
        write(&*store, key, format!("value {number}").as_bytes()).await;
    }
    let reads: Vec<Read<'_>> = keys
        .iter()
        .map(|key| question(key, Ask::Entry, &[]))
        .collect();
    let found = store.read(&reads).await.expect("answers");
    for (number, found) in found.iter().enumerate() {
        assert_eq!(found.bytes, Some(format!("value {number}").into_bytes()));
    }
    write(&*store, "binary", &[0, 255, 13, 10, 0]).await;
    assert_eq!(
        bytes(&*store, "binary").await,
        Some(vec![0, 255, 13, 10, 0])
    );
    write(&*store, "empty", b"").await;
    assert_eq!(bytes(&*store, "empty").await, Some(vec![]));
    let found = read(&*store, "empty", Ask::EntryOrLease, &[]).await;
    assert_eq!((found.bytes, found.lease), (Some(vec![]), None));
    assert_eq!(
        store.remove(&Removal::Keys(&keys)).await.expect("a number"),
        keys.len() as u64
    );
    assert_eq!(bytes(&*store, "a").await, None);
}

#[tokio::test]
async fn a_lease_is_given_where_nothing_can_be_served() {
    let server = redis_server::alone();
    let store = on(&server);
    let missing = read(&*store, "k", Ask::EntryOrLease, &[]).await;
    assert_eq!(missing.bytes, None);
    assert!(missing.epoch != 0);
    let lease = missing.lease.expect("a lease for a key that is not there");

    let fresh = entry(NOW + 1, &[], b"fresh");
    assert!(fill(&*store, "k", &fresh, &lease).await);
    let hit = read(&*store, "k", Ask::EntryOrLease, &[]).await;
    assert_eq!(
        (hit.bytes, hit.lease, hit.epoch),
        (Some(fresh.clone()), None, 0)
    );
    let both = read(&*store, "k", Ask::EntryAndLease, &[]).await;
    assert_eq!(both.bytes, Some(fresh));
    assert_eq!(
        both.lease,
        Some(lease.clone()),
        "a standing lease is shared"
    );

    let stale = entry(NOW, &[], b"stale");
    assert!(
        fill(&*store, "k", &stale, &lease).await,
        "a lease is a right, not a lock"
    );
    let kept = read(&*store, "k", Ask::EntryOrLease, &[]).await;
    assert_eq!(kept.bytes, Some(stale), "for when the source fails");
    assert_eq!(kept.lease, Some(lease));

    let forever = entry(u64::MAX, &[], b"");
    write(&*store, "k", &forever).await;
    assert_eq!(read(&*store, "k", Ask::EntryOrLease, &[]).await.lease, None);
    write(&*store, "k", b"\xC1\x01 no head").await;
    let odd = read(&*store, "k", Ask::EntryOrLease, &[]).await;
    assert!(
        odd.bytes.is_some() && odd.lease.is_some(),
        "the store cannot tell"
    );
    write(&*store, "k", b"{\"plain\":1}").await;
    assert_eq!(read(&*store, "k", Ask::EntryOrLease, &[]).await.lease, None);
}

#[tokio::test]
async fn whatever_changes_a_key_ends_its_leases() {
    let server = redis_server::alone();
    let store = on(&server);
    let counters = store.counters().expect("counters");
    for change in ["write", "remove", "prefix", "pattern", "all", "add"] {
        let lease = read(&*store, "a:k", Ask::EntryAndLease, &[])
            .await
            .lease
            .expect("a lease");
        let other = read(&*store, "b:k", Ask::EntryAndLease, &[])
            .await
            .lease
            .expect("a lease");
        match change {
            "write" => write(&*store, "a:k", b"1").await,
            "add" => {
                let sum = counters.add("a:k", 1, None).await.expect("a sum");
                assert_eq!(sum, 1);
            }
            _ => {
                let removal = match change {
                    "remove" => Removal::Keys(&["a:k"]),
                    "prefix" => Removal::Prefix("a:"),
                    "pattern" => Removal::Pattern {
                        prefix: "a:",
                        pattern: "[k]",
                    },
                    _ => Removal::Prefix(""),
                };
                store.remove(&removal).await.expect("a number");
            }
        }
        assert!(!fill(&*store, "a:k", b"old", &lease).await, "{change}");
        assert_eq!(
            fill(&*store, "b:k", b"old", &other).await,
            change != "all",
            "{change}"
        );
        store.remove(&Removal::Prefix("")).await.expect("a number");
    }
}

#[tokio::test]
async fn a_refused_write_ends_nothing() {
    let server = redis_server::alone();
    let store = on(&server);
    let conditional = async |key: &'static str, condition| {
        let write = Write {
            key,
            bytes: b"x",
            life: None,
            condition,
        };
        store.write(&[write]).await.expect("an answer")[0]
    };
    let lease = read(&*store, "k", Ask::EntryOrLease, &[])
        .await
        .lease
        .expect("a lease");
    assert!(!conditional("k", Condition::Present).await);
    assert!(fill(&*store, "k", b"1", &lease).await);
    assert!(!conditional("k", Condition::Absent).await);
    assert!(fill(&*store, "k", b"2", &lease).await);
    assert!(conditional("k", Condition::Present).await);
    assert!(!fill(&*store, "k", b"3", &lease).await);
    assert!(conditional("new", Condition::Absent).await);
    assert_eq!(
        store.remaining(&["new", "none"]).await.expect("lives"),
        [Some(None), None]
    );
}

#[tokio::test]
async fn entries_of_forgotten_tags_are_dead() {
    let server = redis_server::alone();
    let store = on(&server);
    let first = read(&*store, "k", Ask::EntryOrLease, &["t", "u"]).await;
    assert!(first.versions.iter().all(|version| *version != 0));
    let lease = first.lease.expect("a lease");
    let tagged = entry(
        NOW + 1,
        &[("t", first.versions[0]), ("u", first.versions[1])],
        b"v",
    );
    assert!(fill(&*store, "k", &tagged, &lease).await);
    for tags in [&[][..], &["t", "u"], &["u"]] {
        let hit = read(&*store, "k", Ask::EntryOrLease, tags).await;
        assert_eq!((hit.bytes.as_ref(), hit.lease), (Some(&tagged), None));
        assert_eq!(hit.versions.len(), tags.len());
    }
    let before = store.tag_versions(&["t"], None).await.expect("versions");
    assert_eq!(before.versions[0], first.versions[0]);
    assert_eq!(before.epoch, first.epoch);

    store.forget_tags(&["t"]).await.expect("forgotten");
    let plain = read(&*store, "k", Ask::Entry, &["t", "u"]).await;
    assert_eq!(plain.versions, [0, first.versions[1]]);
    let after = read(&*store, "k", Ask::EntryOrLease, &["t"]).await;
    assert_eq!(after.bytes, None);
    assert!(after.lease.is_some());
    assert!(after.versions[0] != 0 && after.versions[0] != first.versions[0]);
    assert!(after.epoch != 0 && after.epoch != first.epoch);
    assert_eq!(read(&*store, "k", Ask::EntryOrLease, &[]).await.bytes, None);
}

#[tokio::test]
async fn a_version_lives_as_long_as_was_ever_asked() {
    let server = redis_server::alone();
    let store = on(&server);
    let left = || {
        let answer = redis_server::cli(
            server.port(),
            &[
                "EVAL",
                "return redis.call('PTTL', KEYS[1]..'\\255t')",
                "1",
                "t",
            ],
        );
        answer.trim().parse::<i64>().expect("a number")
    };
    let short = Some(Duration::from_secs(600));
    store.tag_versions(&["t"], short).await.expect("versions");
    assert!((540_000..=600_000).contains(&left()));
    let question = Read {
        life: Some(Duration::from_secs(7_200)),
        ..question("k", Ask::EntryOrLease, &["t"])
    };
    store.read(&[question]).await.expect("an answer");
    assert!(
        (7_200_000..=7_260_000).contains(&left()),
        "the lease and the life"
    );
    store.tag_versions(&["t"], short).await.expect("versions");
    assert!(left() > 7_000_000, "never shortened");
    store.tag_versions(&["t"], None).await.expect("versions");
    assert_eq!(left(), -1);
    read(&*store, "k", Ask::EntryOrLease, &["t"]).await;
    assert_eq!(left(), -1);
}

#[tokio::test]
async fn a_touch_moves_no_body() {
    let server = redis_server::alone();
    let store = on(&server);
    let lease = read(&*store, "k", Ask::EntryOrLease, &[])
        .await
        .lease
        .expect("a lease");
    let (old, new) = (entry(NOW, &[], b"body"), entry(NOW + 9, &[], b""));
    let touch = Touch {
        key: "k",
        head: &new,
        life: Some(MINUTE * 2),
        lease: &lease,
    };
    assert!(!store.touch(&touch).await.expect("an answer"), "not there");
    assert!(fill(&*store, "k", &old, &lease).await);
    assert!(store.touch(&touch).await.expect("an answer"));
    assert_eq!(
        bytes(&*store, "k").await,
        Some(entry(NOW + 9, &[], b"body"))
    );
    let left = store.remaining(&["k"]).await.expect("lives")[0]
        .flatten()
        .expect("a life");
    assert!(left > MINUTE && left <= MINUTE * 2);
    let longer = entry(NOW, &[("t", 1)], b"");
    let touch = Touch {
        head: &longer,
        ..touch
    };
    assert!(
        !store.touch(&touch).await.expect("an answer"),
        "another length"
    );
    write(&*store, "k", &old).await;
    let touch = Touch {
        head: &new,
        ..touch
    };
    assert!(
        !store.touch(&touch).await.expect("an answer"),
        "the lease is lost"
    );
}

#[tokio::test]
async fn lives_are_never_zero_and_never_overflow() {
    let server = redis_server::alone();
    let store = on(&server);
    for (key, life) in [
        ("zero", Duration::ZERO),
        ("max", Duration::MAX),
        ("nanos", Duration::from_nanos(1)),
    ] {
        let write = Write {
            key,
            bytes: b"x",
            life: Some(life),
            condition: Condition::Always,
        };
        assert_eq!(store.write(&[write]).await.expect("stored"), [true]);
    }
    let left = store.remaining(&["max"]).await.expect("lives")[0]
        .flatten()
        .expect("a life");
    assert!(left > Duration::from_secs(90 * 365 * 24 * 3_600));
    servers::eventually("an entry of a millisecond is gone", || {
        redis_server::say(server.port(), "EXISTS zero nanos") == ":0\r\n"
    });
}

#[tokio::test]
async fn removing_takes_what_matches_and_nothing_else() {
    let server = redis_server::alone();
    let store = store(&format!("redis://{}", server.address()), "app:");
    redis_server::say(server.port(), "SET other:1 x");
    redis_server::say(server.port(), "LPUSH app:list x");
    let keys: Vec<String> = (0..2_500).map(|n| format!("app:u{}:{n}", n % 5)).collect();
    for part in keys.chunks(700) {
        let item = |key: &'static str| key;
        let _ = item;
        let writes: Vec<Write<'_>> = part
            .iter()
            .map(|key| Write {
                key,
                bytes: b"x",
                life: None,
                condition: Condition::Always,
            })
            .collect();
        assert!(
            store
                .write(&writes)
                .await
                .expect("stored")
                .iter()
                .all(|stored| *stored)
        );
    }
    for odd in ["app:a*b", "app:axb", "app:[x]", "app:x"] {
        write(&*store, odd, b"x").await;
    }
    assert_eq!(
        store
            .remove(&Removal::Prefix("app:a*"))
            .await
            .expect("a number"),
        1
    );
    assert_eq!(
        store
            .remove(&Removal::Prefix("app:[x]"))
            .await
            .expect("a number"),
        1
    );
    assert_eq!(
        store
            .remove(&Removal::Prefix("app:u1"))
            .await
            .expect("a number"),
        500
    );
    let pattern = Removal::Pattern {
        prefix: "app:",
        pattern: "u[23]:*",
    };
    assert_eq!(store.remove(&pattern).await.expect("a number"), 1_000);

    let mut seen = HashSet::new();
    let mut cursor = None;
    loop {
        let page = store
            .scan(&Scan {
                prefix: "app:",
                pattern: "u*",
                cursor: cursor.as_deref(),
                limit: 100,
            })
            .await
            .expect("a page");
        seen.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected: HashSet<String> = keys
        .iter()
        .filter(|key| key.starts_with("app:u0") || key.starts_with("app:u4"))
        .cloned()
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(
        store.remove(&Removal::Prefix("")).await.expect("a number"),
        1_002
    );
    assert_eq!(
        redis_server::say(server.port(), "EXISTS other:1 app:list"),
        ":2\r\n"
    );
}

#[tokio::test]
async fn what_is_no_string_is_not_there_and_is_overwritten() {
    let server = redis_server::alone();
    let store = on(&server);
    redis_server::say(server.port(), "LPUSH k x");
    assert_eq!(bytes(&*store, "k").await, None);
    let found = read(&*store, "k", Ask::EntryOrLease, &[]).await;
    assert_eq!(found.bytes, None);
    assert!(fill(&*store, "k", b"v", &found.lease.expect("a lease")).await);
    assert_eq!(bytes(&*store, "k").await, Some(b"v".to_vec()));
}

#[tokio::test]
async fn numbers_are_exact() {
    let server = redis_server::alone();
    let store = on(&server);
    let counters = store.counters().expect("counters");
    let big = i64::MAX - 10;
    assert_eq!(
        counters.add("n", big, Some(MINUTE)).await.expect("a sum"),
        big
    );
    assert_eq!(counters.add("n", 3, None).await.expect("a sum"), big + 3);
    let error = counters
        .add("n", 100, None)
        .await
        .expect_err("out of range");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert_eq!(
        bytes(&*store, "n").await,
        Some((big + 3).to_string().into_bytes())
    );
    let left = store.remaining(&["n"]).await.expect("lives")[0].flatten();
    assert!(
        left.is_some_and(|left| left <= MINUTE),
        "the first life stays"
    );
    assert_eq!(
        counters.add("m", i64::MIN, None).await.expect("a sum"),
        i64::MIN
    );
    for other in [&b"text"[..], b"", b"1.5", b" 1"] {
        write(&*store, "t", other).await;
        let error = counters.add("t", 1, None).await.expect_err("no number");
        assert_eq!(error.kind(), ErrorKind::WrongType);
        assert_eq!(bytes(&*store, "t").await.as_deref(), Some(other));
    }
}

#[tokio::test]
async fn a_lock_has_one_owner_and_growing_numbers() {
    let server = redis_server::alone();
    let store = on(&server);
    let locks = store.locks().expect("locks");
    write(&*store, "job", b"an entry of that name").await;
    let held = |acquired| match acquired {
        Acquired::Held { fence } => fence,
        Acquired::Taken { .. } => panic!("taken"),
    };
    let first = held(locks.acquire("job", "a", MINUTE).await.expect("an answer"));
    match locks.acquire("job", "b", MINUTE).await.expect("an answer") {
        Acquired::Taken { left } => assert!(left <= MINUTE && left > MINUTE / 2),
        Acquired::Held { .. } => panic!("two owners"),
    }
    let again = held(
        locks
            .acquire("job", "a", MINUTE * 2)
            .await
            .expect("an answer"),
    );
    assert!(again > first);
    assert!(
        locks
            .held("job")
            .await
            .expect("an answer")
            .is_some_and(|left| left > MINUTE)
    );
    assert!(!locks.renew("job", "b", MINUTE).await.expect("an answer"));
    assert!(locks.renew("job", "a", MINUTE).await.expect("an answer"));
    assert!(!locks.release("job", "b").await.expect("an answer"));
    assert!(locks.release("job", "a").await.expect("an answer"));
    assert!(!locks.release("job", "a").await.expect("an answer"));
    assert_eq!(locks.held("job").await.expect("an answer"), None);
    assert!(held(locks.acquire("job", "b", MINUTE).await.expect("an answer")) > again);
    store.remove(&Removal::Prefix("")).await.expect("a number");
    assert!(
        locks.held("job").await.expect("an answer").is_some(),
        "a lock is no entry"
    );
    redis_server::say(server.port(), "FLUSHALL");
    let later = held(locks.acquire("job", "c", MINUTE).await.expect("an answer"));
    assert!(later > again, "numbers grow though the record was lost");
}

#[tokio::test]
async fn a_window_counts_calls_of_one_tick_and_forgets_refused_ones() {
    let server = redis_server::alone();
    let store = on(&server);
    let windows = store.windows().expect("windows");
    let twenty = Quota::new(20, MINUTE);
    let calls = (0..50).map(|_| windows.admit("w", &twenty));
    let admitted = futures(calls).await;
    assert_eq!(admitted.iter().filter(|call| call.admitted).count(), 20);
    let refused = windows.admit("w", &twenty).await.expect("an answer");
    assert!(!refused.admitted && refused.used == 20);
    assert!(refused.retry_after <= MINUTE && refused.retry_after > MINUTE / 2);
    assert_eq!(
        redis_server::cli(
            server.port(),
            &["EVAL", "return redis.call('ZCARD', 'w\\255w')", "0"]
        )
        .trim(),
        "20"
    );
    let none = windows
        .admit("none", &Quota::new(0, MINUTE))
        .await
        .expect("an answer");
    assert!(!none.admitted && none.retry_after == MINUTE);
    let span = Duration::from_millis(30);
    let one = Quota::new(1, span);
    assert!(windows.admit("s", &one).await.expect("an answer").admitted);
    let refused = windows.admit("s", &one).await.expect("an answer");
    if !refused.admitted {
        assert!(refused.retry_after <= span);
        tokio::time::sleep(refused.retry_after).await;
        assert!(
            windows.admit("s", &one).await.expect("an answer").admitted,
            "not before, not after"
        );
    }
}

async fn futures<'a, T: 'a>(
    calls: impl Iterator<Item = larder::store::StoreFuture<'a, T>>,
) -> Vec<T> {
    let mut answers = Vec::new();
    let mut calls: Vec<_> = calls.collect();
    std::future::poll_fn(|context| {
        calls.retain_mut(|call| match call.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer.expect("an answer"));
                false
            }
            std::task::Poll::Pending => true,
        });
        if calls.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers
}
