//! What holds on each of the three clouds.

#![allow(dead_code)]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

use larder::ErrorKind;
use larder::store::{
    Acquired, Address, Ask, Condition, Fill, Found, Head, LeaseLevel, Opening, Read, Removal, Scan,
    Store, Token, Write,
};

pub(crate) const LEASE: Duration = Duration::from_secs(60);
const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));

/// Opens stores on one place: each as another process would.
pub(crate) struct Bed(Box<dyn Fn(&str) -> String + Send + Sync>);

impl Bed {
    /// `url` is given more parameters.
    pub(crate) fn new(url: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self(Box::new(url))
    }

    pub(crate) fn open(&self) -> Arc<dyn Store> {
        self.open_with("")
    }

    pub(crate) fn open_with(&self, more: &str) -> Arc<dyn Store> {
        open(&(self.0)(more), "").expect("a store of this URL")
    }

    /// A store of keys that begin so.
    pub(crate) fn within(&self, prefix: &str, more: &str) -> larder::Result<Arc<dyn Store>> {
        open(&(self.0)(more), prefix)
    }

    pub(crate) fn url(&self) -> String {
        (self.0)("")
    }
}

pub(crate) fn open(url: &str, prefix: &str) -> larder::Result<Arc<dyn Store>> {
    let mut address = Address::parse(url)?;
    let runtime: Arc<dyn larder::runtime::Runtime> =
        Arc::new(larder::runtime::SystemRuntime::new());
    let mut opening = Opening {
        address: &mut address,
        prefix,
        runtime: &runtime,
    };
    let store = larder::store::open(&mut opening)?;
    address.finish()?;
    Ok(store)
}

/// Polls a future on this thread, which has no runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = Box::pin(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_millis() as u64
}

/// An entry with a head: served for this long, under these tags.
pub(crate) fn headed(body: &[u8], fresh: u64, tags: &[(&str, u64)]) -> Vec<u8> {
    let mut out = vec![0xC1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let until = now().saturating_add(fresh);
    for instant in [now(), until, until, u64::MAX, 0] {
        out.extend(instant.to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend((tags.len() as u16).to_be_bytes());
    for (name, version) in tags {
        out.extend((name.len() as u16).to_be_bytes());
        out.extend(name.as_bytes());
        out.extend(version.to_be_bytes());
    }
    out.push(0);
    let length = out.len() as u32;
    out[2..6].copy_from_slice(&length.to_be_bytes());
    assert!(Head::parse(&out).is_some());
    out.extend(body);
    out
}

pub(crate) fn question<'a>(key: &'a str, ask: Ask, tags: &'a [&'a str]) -> Read<'a> {
    Read {
        key,
        ask,
        tags,
        lease: LEASE,
        life: HOUR,
        now: now(),
    }
}

pub(crate) async fn read(store: &dyn Store, key: &str, ask: Ask) -> Found {
    let mut found = store.read(&[question(key, ask, &[])]).await.unwrap();
    found.remove(0)
}

pub(crate) async fn bytes(store: &dyn Store, key: &str) -> Option<Vec<u8>> {
    read(store, key, Ask::Entry).await.bytes
}

pub(crate) async fn lease(store: &dyn Store, key: &str) -> Token {
    let found = read(store, key, Ask::EntryAndLease).await;
    found.lease.expect("a lease")
}

pub(crate) async fn fill(store: &dyn Store, key: &str, bytes: &[u8], lease: &Token) -> bool {
    let fill = Fill {
        key,
        bytes,
        life: HOUR,
        lease,
    };
    store.fill(&[fill]).await.unwrap()[0]
}

pub(crate) async fn write_if(
    store: &dyn Store,
    key: &str,
    bytes: &[u8],
    life: Option<Duration>,
    condition: Condition,
) -> bool {
    let write = Write {
        key,
        bytes,
        life,
        condition,
    };
    store.write(&[write]).await.unwrap()[0]
}

pub(crate) async fn write(store: &dyn Store, key: &str, bytes: &[u8]) {
    assert!(write_if(store, key, bytes, HOUR, Condition::Always).await);
}

pub(crate) async fn keys(
    store: &dyn Store,
    prefix: &str,
    pattern: &str,
    limit: usize,
) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let scan = Scan {
            prefix,
            pattern,
            cursor: cursor.as_deref(),
            limit,
        };
        let page = store.scan(&scan).await.unwrap();
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            keys.sort();
            return keys;
        }
    }
}

fn odd_keys() -> Vec<String> {
    let mut keys: Vec<String> = [
        "",
        "/",
        "..",
        ".",
        "a/b",
        "a",
        "a/",
        "A",
        "//x",
        "user:7",
        "%2F",
        "!2F",
        "?#&=+ ",
        "ä€😀",
        "line\nbreak\r\0",
        "m/epoch",
        "../m/epoch",
        "*?[a]\\",
        "~",
        "e/x",
    ]
    .map(str::to_owned)
    .into();
    for length in [95, 199, 200, 201, 400, 900, 3_000] {
        keys.push("k".repeat(length));
        keys.push("/".repeat(length));
        keys.push(format!("{}/x", "k".repeat(length)));
    }
    keys
}

pub(crate) async fn any_key_and_any_bytes_come_back(bed: &Bed) {
    let (store, other) = (bed.open(), bed.open());
    let keys = odd_keys();
    let value = |key: &str| {
        let mut value = format!("{{\"{}\":1}}", key.len()).into_bytes();
        value.extend(key.bytes().rev());
        value
    };
    for key in &keys {
        write(&*store, key, &value(key)).await;
    }
    for key in &keys {
        assert_eq!(bytes(&*other, key).await, Some(value(key)), "{key:?}");
    }
    let mut scanned = self::keys(&*other, "", "*", 7).await;
    let mut all = keys.clone();
    all.sort();
    scanned.dedup();
    assert_eq!(scanned, all);
    for body in [
        b"".to_vec(),
        vec![0xC1],
        vec![0; 70_000],
        headed(b"x", 9_999, &[]),
        b" \n\t\r".to_vec(),
    ] {
        write(&*store, "bytes", &body).await;
        assert_eq!(bytes(&*other, "bytes").await, Some(body));
    }
}

pub(crate) async fn a_lease_is_lost_by_whatever_changes_its_key(bed: &Bed) {
    let (store, other) = (bed.open(), bed.open());
    // Of a key that was never stored, and of one that was.
    for (at, stored) in [false, true].into_iter().enumerate() {
        for way in 0..7 {
            let key = &*format!("lease:{at}:{way}");
            if stored {
                write(&*store, key, b"\"old\"").await;
            }
            let token = lease(&*store, key).await;
            let removal = match way {
                0 => Some(Removal::Keys(&[key])),
                1 => Some(Removal::Prefix("lease:")),
                2 => Some(Removal::Pattern {
                    prefix: "lea",
                    pattern: "se:*",
                }),
                3 => Some(Removal::Prefix("")),
                _ => None,
            };
            match (removal, way) {
                (Some(removal), _) => {
                    other.remove(&removal).await.unwrap();
                }
                (None, 4) => write(&*other, key, b"\"new\"").await,
                (None, 5) => {
                    // The same again and away: nothing to be seen but the version.
                    write(&*other, key, b"\"new\"").await;
                    write(&*other, key, b"\"old\"").await;
                }
                _ => {
                    // What stands is as it was when the lease was given.
                    write(&*other, key, b"\"new\"").await;
                    other.remove(&Removal::Keys(&[key])).await.unwrap();
                }
            }
            assert!(
                !fill(&*store, key, b"\"stale\"", &token).await,
                "{stored} {way}"
            );
            let left = bytes(&*store, key).await;
            assert!(left != Some(b"\"stale\"".to_vec()), "{stored} {way}");
            // A lease from after it stands.
            let token = lease(&*store, key).await;
            assert!(
                fill(&*other, key, b"\"fresh\"", &token).await,
                "{stored} {way}"
            );
        }
    }
}

pub(crate) async fn a_lease_is_shared_and_ends_by_itself(bed: &Bed) {
    let (store, other) = (bed.open(), bed.open());
    let first = read(&*store, "shared", Ask::EntryOrLease).await;
    let second = read(&*other, "shared", Ask::EntryOrLease).await;
    assert_eq!((&first.bytes, &second.bytes), (&None, &None));
    let (first, second) = (first.lease.unwrap(), second.lease.unwrap());
    assert!(fill(&*store, "shared", b"1", &first).await);
    assert!(
        fill(&*other, "shared", b"2", &second).await,
        "a fill ends no lease"
    );
    assert_eq!(bytes(&*store, "shared").await, Some(b"2".to_vec()));
    write(&*store, "shared", b"3").await;
    assert!(!fill(&*other, "shared", b"4", &second).await);
    // An entry that can be served gives no lease unless it is asked for.
    assert!(
        read(&*store, "shared", Ask::EntryOrLease)
            .await
            .lease
            .is_none()
    );
    let short = Read {
        lease: Duration::from_millis(1),
        ..question("short", Ask::EntryOrLease, &[])
    };
    let token = store.read(&[short]).await.unwrap().remove(0).lease.unwrap();
    let granted = now();
    while now() <= granted + 2 {
        std::hint::spin_loop();
    }
    assert!(
        !fill(&*store, "short", b"1", &token).await,
        "its own life is over"
    );
    assert!(!fill(&*store, "shared", b"1", &Token::new(*b"foreign")).await);
}

pub(crate) async fn an_entry_past_its_time_gives_a_lease(bed: &Bed) {
    let store = bed.open();
    let stale = headed(b"body", 0, &[]);
    write(&*store, "stale", &stale).await;
    let found = read(&*store, "stale", Ask::EntryOrLease).await;
    assert_eq!(found.bytes, Some(stale));
    assert!(fill(&*store, "stale", b"1", &found.lease.unwrap()).await);

    let life = Some(Duration::from_millis(30));
    let written = Instant::now();
    assert!(write_if(&*store, "brief", b"1", life, Condition::Always).await);
    while bytes(&*store, "brief").await.is_some() {
        assert!(
            written.elapsed() < Duration::from_secs(5),
            "an entry past its life"
        );
    }
    assert!(written.elapsed() >= Duration::from_millis(29));
    assert_eq!(store.remaining(&["brief"]).await.unwrap(), [None]);
    assert!(keys(&*store, "bri", "*", 10).await.is_empty());
    let removed = store.remove(&Removal::Keys(&["brief"])).await.unwrap();
    assert_eq!(removed, 0, "what is over is not there");
}

pub(crate) async fn conditions_and_lives(bed: &Bed) {
    let store = bed.open();
    let put = async |key, life, condition| write_if(&*store, key, b"1", life, condition).await;
    assert!(!put("c", HOUR, Condition::Present).await);
    assert!(put("c", HOUR, Condition::Absent).await);
    assert!(!put("c", None, Condition::Absent).await);
    assert!(put("c", None, Condition::Present).await);
    let token = lease(&*store, "d").await;
    assert!(!put("d", HOUR, Condition::Present).await);
    assert!(
        fill(&*store, "d", b"1", &token).await,
        "nothing was written, nothing ends"
    );
    let token = lease(&*store, "e").await;
    assert!(
        put("e", HOUR, Condition::Absent).await,
        "a lease is no entry"
    );
    assert!(!fill(&*store, "e", b"2", &token).await);
    let left = store.remaining(&["c", "d", "none"]).await.unwrap();
    assert_eq!((left[0], left[2]), (Some(None), None));
    let left = left[1].unwrap().unwrap();
    assert!(left <= HOUR.unwrap() && left > Duration::from_secs(3_500));
    assert!(put("f", Some(Duration::ZERO), Condition::Always).await);
    assert!(
        put("f", HOUR, Condition::Absent).await,
        "what is over is not there"
    );
    assert_eq!(
        store
            .remove(&Removal::Keys(&["c", "c", "none", "f"]))
            .await
            .unwrap(),
        2
    );
    // Many writers that want to be the first: one is.
    let others: Vec<_> = (0..6).map(|_| bed.open()).collect();
    let first = others
        .iter()
        .map(|store| write_if(&**store, "g", b"1", HOUR, Condition::Absent));
    let first = futures_util::future::join_all(first).await;
    assert_eq!(first.into_iter().filter(|first| *first).count(), 1);
}

pub(crate) async fn removals_remove_what_is_meant(bed: &Bed) {
    let store = bed.open();
    let long = "l".repeat(2_000);
    let all = [
        "a:1",
        "a:2",
        "a:10",
        "b:1",
        "a/b",
        "a",
        "",
        &format!("a:{long}1"),
        &format!("a:{long}2"),
    ];
    let fresh = async || {
        for key in all {
            write(&*store, key, b"1").await;
        }
    };
    let left = async || keys(&*store, "", "*", 3).await;
    let without = |gone: &[&str]| {
        let mut left: Vec<String> = all
            .iter()
            .filter(|key| !gone.contains(key))
            .map(|k| k.to_string())
            .collect();
        left.sort();
        left
    };
    fresh().await;
    assert_eq!(store.remove(&Removal::Prefix("a:1")).await.unwrap(), 2);
    assert_eq!(left().await, without(&["a:1", "a:10"]));
    fresh().await;
    let question = Removal::Pattern {
        prefix: "a:",
        pattern: "?",
    };
    assert_eq!(store.remove(&question).await.unwrap(), 2);
    assert_eq!(left().await, without(&["a:1", "a:2"]));
    fresh().await;
    let hashed = Removal::Pattern {
        prefix: "a",
        pattern: ":l*1",
    };
    assert_eq!(store.remove(&hashed).await.unwrap(), 1);
    assert_eq!(left().await, without(&[all[7]]));
    fresh().await;
    assert_eq!(keys(&*store, "a", ":*l[12]", 2).await, [all[7], all[8]]);
    let prefix = format!("a:{}", "l".repeat(1_500));
    assert_eq!(store.remove(&Removal::Prefix(&prefix)).await.unwrap(), 2);
    assert_eq!(left().await, without(&[all[7], all[8]]));
    // Tags, locks and counters' names are no entries.
    store.tag_versions(&["a:tag"], HOUR).await.unwrap();
    store
        .locks()
        .unwrap()
        .acquire("a:lock", "me", LEASE)
        .await
        .unwrap();
    assert_eq!(store.remove(&Removal::Prefix("")).await.unwrap(), 7);
    assert!(left().await.is_empty());
    assert!(
        store
            .locks()
            .unwrap()
            .held("a:lock")
            .await
            .unwrap()
            .is_some()
    );
}

pub(crate) async fn tags_forget(bed: &Bed) {
    let (store, other) = (bed.open(), bed.open());
    let found = store
        .read(&[question("t", Ask::EntryOrLease, &["x", "y"])])
        .await
        .unwrap()
        .remove(0);
    let &[x, y] = &found.versions[..] else {
        panic!("two versions")
    };
    assert!(x != 0 && y != 0 && x != y && found.epoch != 0);
    let again = other.tag_versions(&["y", "x"], HOUR).await.unwrap();
    assert_eq!((again.versions, again.epoch), (vec![y, x], found.epoch));
    let entry = headed(b"v", 60_000, &[("x", x), ("y", y)]);
    assert!(fill(&*store, "t", &entry, &found.lease.unwrap()).await);
    for tags in [&["x", "y"][..], &["x"], &[]] {
        let found = other
            .read(&[question("t", Ask::EntryOrLease, tags)])
            .await
            .unwrap()
            .remove(0);
        assert_eq!((found.bytes, found.lease), (Some(entry.clone()), None));
    }
    let lone = other
        .read(&[question("t", Ask::Entry, &["z"])])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(lone.versions, [0], "without a lease nothing is made");

    other.forget_tags(&["y", "never"]).await.unwrap();
    for tags in [&["x", "y"][..], &[]] {
        let found = store
            .read(&[question("t", Ask::EntryOrLease, tags)])
            .await
            .unwrap()
            .remove(0);
        assert_eq!(found.bytes, None, "forgotten");
        assert!(found.lease.is_some() && found.epoch != again.epoch);
    }
    let after = store.tag_versions(&["x", "y"], HOUR).await.unwrap();
    assert_eq!(after.versions[0], x);
    assert_ne!(after.versions[1], y);
    assert_ne!(after.epoch, again.epoch);
    // Who makes the version first makes it for all.
    let makers: Vec<_> = (0..6).map(|_| bed.open()).collect();
    let made = makers
        .iter()
        .map(|store| store.tag_versions(&["made"], HOUR));
    let made = futures_util::future::join_all(made).await;
    let made: Vec<u64> = made
        .into_iter()
        .map(|made| made.unwrap().versions[0])
        .collect();
    assert!(made.windows(2).all(|pair| pair[0] == pair[1]), "{made:?}");
}

pub(crate) async fn counters_count(bed: &Bed) {
    let stores = [bed.open(), bed.open(), bed.open()];
    let counter = |at: usize| stores[at].counters().unwrap();
    assert_eq!(counter(0).add("n", 5, HOUR).await.unwrap(), 5);
    assert_eq!(counter(1).add("n", -7, None).await.unwrap(), -2);
    assert_eq!(bytes(&*stores[2], "n").await, Some(b"-2".to_vec()));
    let left = stores[0].remaining(&["n"]).await.unwrap()[0].unwrap();
    assert!(left.is_some(), "the first addition decides the life");
    let adding = (0..30).map(|at| counter(at % 3).add("n", 1, HOUR));
    let sums = futures_util::future::join_all(adding).await;
    let mut sums: Vec<i64> = sums.into_iter().map(Result::unwrap).collect();
    sums.sort_unstable();
    assert_eq!(sums, (-1..29).collect::<Vec<_>>(), "each sum once");

    write(&*stores[0], "text", b"\"a\"").await;
    let error = counter(1).add("text", 1, HOUR).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongType);
    write(&*stores[0], "most", i64::MAX.to_string().as_bytes()).await;
    assert!(counter(1).add("most", 1, HOUR).await.is_err());
    assert_eq!(
        bytes(&*stores[0], "most").await,
        Some(i64::MAX.to_string().into())
    );
    let token = lease(&*stores[0], "n").await;
    counter(1).add("n", 1, HOUR).await.unwrap();
    assert!(
        !fill(&*stores[0], "n", b"0", &token).await,
        "adding is writing"
    );
    let long = "n".repeat(5_000);
    counter(0).add(&long, 1, HOUR).await.unwrap();
    assert_eq!(counter(1).add(&long, 1, HOUR).await.unwrap(), 2);
}

pub(crate) async fn locks_lock(bed: &Bed) {
    let (store, other) = (bed.open(), bed.open());
    let (mine, theirs) = (store.locks().unwrap(), other.locks().unwrap());
    let Acquired::Held { fence } = mine.acquire("l", "me", LEASE).await.unwrap() else {
        panic!("a free lock")
    };
    let Acquired::Taken { left } = theirs.acquire("l", "you", LEASE).await.unwrap() else {
        panic!("held")
    };
    assert!(left <= LEASE && left > LEASE / 2);
    assert!(!theirs.release("l", "you").await.unwrap());
    assert!(!theirs.renew("l", "you", LEASE).await.unwrap());
    assert!(mine.renew("l", "me", LEASE).await.unwrap());
    assert!(theirs.held("l").await.unwrap().is_some());
    assert!(mine.release("l", "me").await.unwrap());
    assert!(!mine.release("l", "me").await.unwrap());
    assert_eq!(mine.held("l").await.unwrap(), None);
    let Acquired::Held { fence: next } = theirs.acquire("l", "you", LEASE).await.unwrap() else {
        panic!("given back")
    };
    assert!(next > fence);
    // A lock ends by itself.
    let started = Instant::now();
    mine.acquire("brief", "me", Duration::from_millis(100))
        .await
        .unwrap();
    while !matches!(
        theirs.acquire("brief", "you", LEASE).await.unwrap(),
        Acquired::Held { .. }
    ) {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "a lock past its end"
        );
    }
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert!(!mine.renew("brief", "me", LEASE).await.unwrap());
    // Many at once: one has it.
    let stores: Vec<_> = (0..6).map(|_| bed.open()).collect();
    let owners: Vec<String> = (0..6).map(|at| at.to_string()).collect();
    let taking = stores.iter().zip(&owners).map(|(store, owner)| async move {
        store
            .locks()
            .unwrap()
            .acquire("many", owner, LEASE)
            .await
            .unwrap()
    });
    let taken = futures_util::future::join_all(taking).await;
    assert_eq!(
        taken
            .iter()
            .filter(|t| matches!(t, Acquired::Held { .. }))
            .count(),
        1
    );
}

/// Loaders that read the truth under a lease, and a writer that changes the truth and then removes: after a removal nobody finds what was before it.
pub(crate) async fn a_value_that_was_invalidated_meanwhile_is_never_stored(bed: &Bed, rounds: u64) {
    let truth = Arc::new(AtomicU64::new(1));
    let stop = Arc::new(AtomicU64::new(0));
    let loaders = (0..4).map(|_| {
        let (store, truth, stop) = (bed.open(), Arc::clone(&truth), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut stored = 0u64;
            while stop.load(Ordering::SeqCst) == 0 {
                let token = lease(&*store, "hot:1").await;
                let value = truth.load(Ordering::SeqCst);
                tokio::task::yield_now().await;
                stored +=
                    u64::from(fill(&*store, "hot:1", value.to_string().as_bytes(), &token).await);
            }
            stored
        })
    });
    let loaders: Vec<_> = loaders.collect();
    let (store, reader) = (bed.open(), bed.open());
    for round in 0..rounds {
        let value = truth.fetch_add(1, Ordering::SeqCst) + 1;
        match round % 3 {
            0 => store.remove(&Removal::Keys(&["hot:1"])).await.unwrap(),
            1 => store.remove(&Removal::Prefix("hot:")).await.unwrap(),
            _ => store
                .remove(&Removal::Pattern {
                    prefix: "",
                    pattern: "h*1",
                })
                .await
                .unwrap(),
        };
        for _ in 0..2 {
            if let Some(found) = bytes(&*reader, "hot:1").await {
                let found: u64 = String::from_utf8(found).unwrap().parse().unwrap();
                assert!(found >= value, "{found} was invalidated by {value}");
            }
        }
    }
    stop.store(1, Ordering::SeqCst);
    let mut stored = 0;
    for loader in loaders {
        stored += loader.await.unwrap();
    }
    assert!(stored > 0, "loaders were at work");
}

pub(crate) fn futures_may_be_polled_anywhere(bed: &Bed) {
    let store = bed.open();
    assert_ne!(store.lease_level(), LeaseLevel::Atomic);
    block_on(async {
        store.ping().await.unwrap();
        write(&*store, "anywhere", b"1").await;
        assert_eq!(bytes(&*store, "anywhere").await, Some(b"1".to_vec()));
    });
    // On a runtime of one thread, which is then gone.
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert_eq!(
            runtime.block_on(bytes(&*store, "anywhere")),
            Some(b"1".to_vec())
        );
    }
    // A dropped future leaves nothing behind that is in the way.
    for polls in 0..50 {
        let mut future = Box::pin(write_if(&*store, "dropped", b"1", HOUR, Condition::Always));
        for _ in 0..polls {
            let polled = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_ready() {
                break;
            }
            std::thread::yield_now();
        }
    }
    block_on(async {
        write(&*store, "dropped", b"2").await;
        store.close().await.unwrap();
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
}

pub(crate) async fn no_secret_is_shown(bed: &Bed, secret: &str) {
    let store = bed.open();
    let shown = format!("{store:?}");
    assert!(!shown.contains(secret) && !shown.contains("key"), "{shown}");
}
