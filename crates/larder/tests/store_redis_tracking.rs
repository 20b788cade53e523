//! A local copy that the server keeps true: what is told, when, and what is not.

#![cfg(feature = "redis")]

#[path = "servers/wire.rs"]
mod proxy;
#[path = "servers/redis.rs"]
mod redis_server;
#[path = "servers/mod.rs"]
mod servers;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::store::redis::Redis;
use larder::store::{Ask, Changed, Condition, Fill, Found, Read, Sink, Store, Write};
use proxy::Proxy;

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl Sink for Heard {
    fn changed(&self, what: Changed<'_>) {
        let text = match what {
            Changed::Key(key) => format!("key {key}"),
            Changed::Tag(tag) => format!("tag {tag}"),
            Changed::All => "all".to_owned(),
        };
        self.0.lock().expect("a lock").push(text);
    }
}

impl Heard {
    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("a lock"))
    }
}

fn store(port: u16, prefix: &str) -> Arc<Redis> {
    limited(port, prefix, Duration::from_secs(20))
}

/// Whose connection may be silent for so long.
fn limited(port: u16, prefix: &str, silence: Duration) -> Arc<Redis> {
    let builder = Redis::builder([("127.0.0.1", port)]).prefix(prefix);
    builder
        .connect_timeout(silence)
        .client_side()
        .build()
        .expect("a store")
}

async fn listening(store: &Redis) -> Arc<Heard> {
    let heard = Arc::new(Heard::default());
    let invalidations = store.invalidations().expect("it was opened so");
    invalidations
        .subscribe(Arc::clone(&heard) as _)
        .await
        .expect("subscribed");
    heard.taken();
    heard
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

async fn read(store: &dyn Store, key: &str, tags: &[&str]) -> Found {
    let read = Read {
        key,
        ask: Ask::EntryOrLease,
        tags,
        lease: MINUTE,
        life: Some(MINUTE),
        now: 1_800_000_000_000,
    };
    store.read(&[read]).await.expect("an answer").remove(0)
}

#[tokio::test]
async fn a_copy_that_was_read_after_our_own_changes_stays() {
    let server = redis_server::alone();
    let store = store(server.port(), "app:");
    let heard = listening(&store).await;
    let found = read(&*store, "app:k", &["app:t"]).await;
    store.ping().await.expect("an answer");
    assert_eq!(
        heard.taken(),
        Vec::<String>::new(),
        "a lease and a version are no change"
    );
    let lease = found.lease.expect("a lease");
    let fill = Fill {
        key: "app:k",
        bytes: b"v",
        life: Some(MINUTE),
        lease: &lease,
    };
    assert_eq!(store.fill(&[fill]).await.expect("an answer"), [true]);
    for change in ["fill", "write", "forget"] {
        match change {
            "write" => write(&*store, "app:k", b"w").await,
            "forget" => store.forget_tags(&["app:t"]).await.expect("forgotten"),
            _ => {}
        }
        assert!(read(&*store, "app:k", &[]).await.bytes.is_some());
        // A server may tell what our own scripts change, but at once.
        heard.taken();
        for _ in 0..3 {
            read(&*store, "app:k", &[]).await;
        }
        assert_eq!(heard.taken(), Vec::<String>::new(), "after the {change}");
    }
}

#[tokio::test]
async fn others_changes_are_told_before_a_later_operation_answers() {
    let server = redis_server::alone();
    let (ours, other) = (store(server.port(), "app:"), store(server.port(), "app:"));
    let heard = listening(&ours).await;
    for round in 0..500 {
        let key = format!("app:{round}");
        write(&*other, &key, b"v").await;
        let found = read(&*ours, &key, &[]).await;
        assert!(found.bytes.is_some());
        assert_eq!(heard.taken(), [format!("key {key}")], "round {round}");
    }
    other
        .forget_tags(&["app:t", "app:u"])
        .await
        .expect("forgotten");
    ours.ping().await.expect("an answer");
    let told: std::collections::BTreeSet<String> = heard.taken().into_iter().collect();
    assert!(
        told.contains("tag app:t") && told.contains("tag app:u"),
        "{told:?}"
    );
    // Making and prolonging versions, leases and locks is no change of any entry.
    read(&*other, "app:new", &["app:t"]).await;
    other
        .locks()
        .expect("locks")
        .acquire("app:l", "me", MINUTE)
        .await
        .expect("an answer");
    write(&*other, "elsewhere:k", b"v").await;
    ours.ping().await.expect("an answer");
    assert_eq!(heard.taken(), Vec::<String>::new());
    // Plain clients are told of too.
    redis_server::say(server.port(), "SET app:plain 1");
    ours.ping().await.expect("an answer");
    assert_eq!(heard.taken(), ["key app:plain"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_listens_is_never_older_than_its_last_word() {
    let server = redis_server::alone();
    let (ours, other) = (store(server.port(), ""), store(server.port(), ""));
    let heard = listening(&ours).await;
    let writing = tokio::spawn(async move {
        for number in 0..2_000_u32 {
            write(&*other, "k", &number.to_be_bytes()).await;
        }
    });
    let mut copy = None;
    while !writing.is_finished() {
        heard.taken();
        copy = read(&*ours, "k", &[]).await.bytes;
    }
    writing.await.expect("a task");
    ours.ping().await.expect("an answer");
    let told = heard.taken();
    let now = read(&*ours, "k", &[]).await.bytes;
    assert!(
        copy == now || told.contains(&"key k".to_owned()),
        "the copy is old and nobody said so"
    );
}

#[tokio::test]
async fn a_flushed_database_and_a_lost_connection_are_everything() {
    let mut server = redis_server::alone();
    let proxy = Proxy::before(server.port());
    let ours = store(proxy.port(), "app:");
    let heard = listening(&ours).await;
    redis_server::say(server.port(), "FLUSHALL");
    ours.ping().await.expect("an answer");
    assert!(heard.taken().contains(&"all".to_owned()));

    proxy.cut();
    servers::eventually("word of a lost connection comes by itself", || {
        heard.taken().contains(&"all".to_owned())
    });
    ours.ping().await.expect("connected anew");
    assert!(
        heard.taken().contains(&"all".to_owned()),
        "between the two, word was lost"
    );
    redis_server::say(server.port(), "SET app:k 1");
    ours.ping().await.expect("an answer");
    assert_eq!(heard.taken(), ["key app:k"], "it tracks again");

    let hasty = limited(server.port(), "app:", Duration::from_millis(300));
    let told = listening(&hasty).await;
    server.stop();
    servers::eventually("a silent connection is not believed", || {
        told.taken().contains(&"all".to_owned())
    });
    server.resume();
    drop(hasty);
    server.kill();
    server.start_again();
    servers::eventually("it is back", || {
        redis_server::say(server.port(), "PING") == "+PONG\r\n"
    });
    for _ in 0..1_000 {
        if ours.ping().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    heard.taken();
    redis_server::say(server.port(), "SET app:k 2");
    ours.ping().await.expect("an answer");
    assert_eq!(heard.taken(), ["key app:k"]);
}
