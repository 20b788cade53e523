//! What a hit and a miss cost in round trips, counted by a proxy.

use larder::store::{Ask, Removal, Store};

use crate::ask::{Asked, builder};
use crate::memcached_server;
use crate::proxy::Proxy;

#[tokio::test]
async fn a_hit_is_one_trip_and_a_miss_with_its_fill_two() {
    let server = memcached_server::alone();
    let proxy = Proxy::to(server.port());
    let store = builder(proxy.port()).build().unwrap();
    store.ping().await.unwrap();
    // The first lease of all makes the epoch.
    store.lease("a").await.unwrap();
    let mut last = proxy.trips();
    let mut spent = || {
        let trips = proxy.trips() - last;
        last += trips;
        trips
    };
    let missed = store.found("k", Ask::EntryOrLease, &["t", "u"]).await;
    let lease = missed.unwrap().lease.unwrap();
    assert_eq!(spent(), 1, "a miss with tags that nobody knows");
    assert!(store.fill_one("k", b"1", &lease).await.unwrap());
    assert_eq!(spent(), 1, "a fill");
    let hit = store.found("k", Ask::EntryOrLease, &["t", "u"]).await;
    assert_eq!(hit.unwrap().bytes.as_deref(), Some(&b"1"[..]));
    assert_eq!(spent(), 1, "a hit");
    store.put("k", b"2").await.unwrap();
    assert_eq!(spent(), 1, "a write");
    store.remove_one("k").await.unwrap();
    assert_eq!(spent(), 1, "a removal");
    store.tag_versions(&["t", "u"], None).await.unwrap();
    assert_eq!(spent(), 2, "versions of tags, and the epoch after them");
    store.remove(&Removal::Prefix("k")).await.unwrap();
    spent();
    store.value("k").await.unwrap();
    assert_eq!(spent(), 1, "after a removal by prefix of this process");
    let other = builder(server.port()).build().unwrap();
    other.remove(&Removal::Prefix("x")).await.unwrap();
    store.value("k").await.unwrap();
    assert_eq!(spent(), 2, "another removed a prefix of other keys");
    other.remove(&Removal::Prefix("k")).await.unwrap();
    store.value("k").await.unwrap();
    assert_eq!(spent(), 3, "another removed a prefix of the key");
    store.value("k").await.unwrap();
    assert_eq!(spent(), 1, "the next time");
}
