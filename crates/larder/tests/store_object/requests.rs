//! What operations cost and how they fail, where the server can be told to.

#![allow(dead_code)]

use std::time::{Duration, Instant};

use larder::ErrorKind;
use larder::store::{Ask, Condition, Removal, Store};

use super::front::{Fault, Front};
use super::suite::{Bed, LEASE, bytes, fill, headed, lease, question, read, write, write_if};

const HOUR: Option<Duration> = Some(Duration::from_secs(3_600));

/// The methods that were asked since the last time, sorted.
fn asked(front: &Front) -> String {
    let asked = front.asked();
    let mut methods: Vec<&str> = asked.iter().filter_map(|a| a.split(' ').next()).collect();
    methods.sort_unstable();
    methods.join(" ")
}

/// `DELETE`s many at once by this method and this many times.
pub(crate) async fn operations_cost_what_they_say(bed: &Bed, front: &Front, delete: &[&str; 2]) {
    let store = bed.open_with("&conditional=1");
    let [delete, delete_two] = delete;
    let told = async |due: &str, what: &str| assert_eq!(asked(front), due, "{what}");

    write(&*store, "a", b"1").await;
    told("PUT", "a write").await;
    bytes(&*store, "a").await.unwrap();
    told("GET", "a hit").await;
    let found = store
        .read(&[question("a", Ask::EntryOrLease, &["t", "u"])])
        .await
        .unwrap();
    assert!(found[0].lease.is_none());
    told("GET GET GET", "a hit with two tags").await;

    let token = read(&*store, "new", Ask::EntryOrLease).await.lease.unwrap();
    told(
        "GET GET PUT",
        "a miss where nothing stands: its marker, and the epoch",
    )
    .await;
    assert!(fill(&*store, "new", b"1", &token).await);
    told("PUT", "a fill").await;
    write(&*store, "stale", &headed(b"1", 0, &[])).await;
    asked(front);
    let token = read(&*store, "stale", Ask::EntryOrLease)
        .await
        .lease
        .unwrap();
    told("GET GET", "a miss where something stands").await;
    assert!(fill(&*store, "stale", b"1", &token).await);
    told("PUT", "a fill").await;

    let key = question("tagged", Ask::EntryOrLease, &["t"]);
    store.read(&[key]).await.unwrap();
    told("GET GET GET PUT PUT", "a miss with a tag that is new").await;
    store.read(&[key]).await.unwrap();
    told("GET GET GET", "a lease that is shared").await;

    assert!(write_if(&*store, "c", b"1", HOUR, Condition::Absent).await);
    told("PUT", "a write of what is absent").await;
    assert!(!write_if(&*store, "c", b"1", HOUR, Condition::Absent).await);
    told("HEAD PUT", "a write of what is there").await;
    store.remaining(&["c", "none"]).await.unwrap();
    told("HEAD HEAD", "what remains of two").await;
    store.remove(&Removal::Keys(&["none"])).await.unwrap();
    told("HEAD", "removing what is not there").await;
    store.remove(&Removal::Keys(&["c"])).await.unwrap();
    told(&sorted(&["HEAD", delete]), "removing a key").await;
    write(&*store, "p:1", b"1").await;
    write(&*store, "p:2", b"1").await;
    asked(front);
    store.remove(&Removal::Prefix("p:")).await.unwrap();
    told(&sorted(&["LIST", delete_two]), "removing by prefix").await;
    store.forget_tags(&["t", "u"]).await.unwrap();
    told(&sorted(&["PUT", delete_two]), "forgetting two tags").await;
    store.counters().unwrap().add("n", 1, HOUR).await.unwrap();
    told("GET PUT", "counting").await;
    store
        .locks()
        .unwrap()
        .acquire("l", "me", LEASE)
        .await
        .unwrap();
    told("GET PUT", "locking").await;
}

fn sorted(methods: &[&str]) -> String {
    let mut methods: Vec<&str> = methods.iter().flat_map(|m| m.split(' ')).collect();
    methods.sort_unstable();
    methods.join(" ")
}

pub(crate) async fn faults_are_errors_and_pass(bed: &Bed, front: &Front) {
    let store = bed.open_with("&conditional=1&timeout=600ms&connect_timeout=300ms");
    let patient = bed.open_with("&conditional=1&timeout=1m");
    let big = headed(&[7; 200_000], 3_600_000, &[]);
    write(&*patient, "k", &big).await;
    let get = async || patient.read(&[question("k", Ask::EntryOrLease, &[])]).await;
    let hasty = async || store.read(&[question("k", Ask::EntryOrLease, &[])]).await;
    let kind = async || hasty().await.err().map(|error| error.kind());

    // What passes at once is not seen.
    for fault in [
        Fault::Status(503),
        Fault::Status(500),
        Fault::Status(429),
        Fault::Truncate,
    ] {
        front.fail(fault, 1);
        assert_eq!(
            get().await.unwrap()[0].bytes,
            Some(big.clone()),
            "{fault:?}"
        );
    }
    // What stays is an error, in time.
    let limit = Duration::from_secs(10);
    for (fault, due) in [
        (Fault::Status(503), ErrorKind::Unavailable),
        (Fault::Status(500), ErrorKind::Unavailable),
        (Fault::Status(403), ErrorKind::Store),
        (Fault::Hang, ErrorKind::Unavailable),
        (Fault::Truncate, ErrorKind::Unavailable),
    ] {
        front.fail(fault, u32::MAX);
        let started = Instant::now();
        assert_eq!(kind().await, Some(due), "{fault:?}");
        assert!(
            started.elapsed() < limit,
            "{fault:?}: {:?}",
            started.elapsed()
        );
        let removed = store.remove(&Removal::Prefix("k")).await;
        assert!(removed.is_err(), "{fault:?}");
        assert!(started.elapsed() < 2 * limit, "{fault:?}");
        front.heal();
        assert_eq!(get().await.unwrap()[0].bytes, Some(big.clone()), "healed");
    }
    // Garbage is nothing or an error, never an entry.
    front.fail(Fault::Garbage, u32::MAX);
    if let Ok(found) = get().await {
        assert_eq!(found[0].bytes, None);
    }
    let removed = patient.remove(&Removal::Prefix("k")).await;
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::Store);
    front.heal();
    assert_eq!(get().await.unwrap()[0].bytes, Some(big.clone()), "healed");
}

/// A conditional write of which nobody knows whether it was done is not made again: it would refuse itself.
pub(crate) async fn nothing_is_done_twice(bed: &Bed, front: &Front) {
    let store = bed.open_with("&conditional=1&timeout=1m");
    let counters = store.counters().unwrap();
    assert_eq!(counters.add("n", 1, HOUR).await.unwrap(), 1);
    let token = lease(&*store, "k").await;
    front.asked();
    front.fail(Fault::Late(500), 1);
    let filled = store
        .fill(&[larder::store::Fill {
            key: "k",
            bytes: b"1",
            life: HOUR,
            lease: &token,
        }])
        .await;
    assert_eq!(filled.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(asked(front), "PUT");
    assert_eq!(
        bytes(&*store, "k").await,
        Some(b"1".to_vec()),
        "it was done"
    );
    // The server says that it did nothing: then it is made again.
    front.asked();
    front.fail(Fault::Status(503), 1);
    assert!(
        fill(&*store, "k", b"2", &token).await,
        "who shares the lease fills again"
    );
    assert!(asked(front).starts_with("HEAD PUT PUT"));
    assert_eq!(bytes(&*store, "k").await, Some(b"2".to_vec()));
}

/// A round that is lost to others says nothing of the server: it is tried again for as long as a request may take.
pub(crate) async fn others_delay_and_do_not_fail(bed: &Bed, front: &Front) {
    let store = bed.open_with("&conditional=1");
    let counters = store.counters().unwrap();
    assert_eq!(counters.add("n", 1, HOUR).await.unwrap(), 1);
    // Each round is a GET and a PUT.
    front.fail(Fault::Conditions(412), 2 * 20);
    front.asked();
    assert_eq!(counters.add("n", 2, HOUR).await.unwrap(), 3);
    assert_eq!(asked(front), [["GET"; 21], ["PUT"; 21]].concat().join(" "));

    let hasty = bed.open_with("&conditional=1&timeout=3s");
    front.fail(Fault::Conditions(412), u32::MAX);
    let started = Instant::now();
    let refused = hasty.counters().unwrap().add("n", 4, HOUR).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("again and again"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20));
    front.heal();
    assert_eq!(bytes(&*store, "n").await, Some(b"3".to_vec()));
}

/// Nobody listens any more: an error at once.
pub(crate) async fn a_server_that_is_gone_is_unavailable(store: &dyn Store) {
    let started = Instant::now();
    let error = store
        .read(&[question("k", Ask::EntryOrLease, &[])])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(
        store.ping().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
}
