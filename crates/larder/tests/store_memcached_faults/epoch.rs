//! The epoch of tags on several servers.

use larder::store::Store;

use crate::ask::{Asked, builder};
use crate::memcached_server;

#[tokio::test]
async fn leases_of_every_server_know_one_epoch_until_tags_are_forgotten() {
    let servers = [(); 3].map(|()| memcached_server::alone());
    let store = builder(servers[0].port())
        .server("127.0.0.1", servers[1].port())
        .server("127.0.0.1", servers[2].port())
        .build()
        .unwrap();
    let epochs = async || {
        let mut all = std::collections::BTreeSet::new();
        for number in 0..20 {
            let key = format!("key:{number}");
            let ask = larder::store::Ask::EntryAndLease;
            all.insert(store.found(&key, ask, &[]).await.unwrap().epoch);
        }
        all
    };
    let before = epochs().await;
    assert_eq!(before.len(), 1, "{before:?}");
    let versions = store.tag_versions(&["t"], None).await.unwrap();
    assert!(before.contains(&versions.epoch));
    store.forget_tags(&["t"]).await.unwrap();
    let after = epochs().await;
    assert_eq!(after.len(), 1, "{after:?}");
    assert!(before.is_disjoint(&after));

    // A server that lost its record does not bring back an epoch of before, and all agree again.
    memcached_server::say(servers[1].port(), "flush_all");
    let versions = store.tag_versions(&["t"], None).await.unwrap();
    assert!(!after.contains(&versions.epoch));
    let healed = epochs().await;
    assert_eq!(healed.into_iter().collect::<Vec<_>>(), [versions.epoch]);
}

#[tokio::test]
async fn a_tag_on_a_server_that_is_there_is_forgotten_though_another_is_gone() {
    let servers = [(); 2].map(|()| memcached_server::alone());
    let [first, mut second] = servers;
    let store = builder(first.port())
        .server("127.0.0.1", second.port())
        .build()
        .unwrap();
    let mut tags = Vec::new();
    for number in 0..20 {
        let tag = format!("tag:{number}");
        let versions = store.tag_versions(&[&tag], None).await.unwrap().versions;
        tags.push((tag, versions[0]));
    }
    second.kill();
    let mut keys = (0..).map(|number| format!("key:{number}"));
    let key = loop {
        let key = keys.next().unwrap();
        if store.value(&key).await.is_ok() {
            break key;
        }
    };
    let mut forgotten = 0;
    for (tag, before) in &tags {
        assert!(store.forget_tags(&[tag]).await.is_err());
        let found = store.found(&key, larder::store::Ask::Entry, &[tag]).await;
        if let Ok(found) = found {
            assert_ne!(found.versions[0], *before);
            forgotten += 1;
        }
    }
    assert!((1..20).contains(&forgotten), "{forgotten} of 20");
}
