//! A server that has too little room, or lost everything.

use larder::store::{Ask, Store};

use crate::ask::{Asked, builder};
use crate::memcached_server::{self, say, statistic};

#[tokio::test]
async fn eviction_forgets_and_never_serves_what_is_not_true() {
    let server = memcached_server::with(&["-m", "2"]);
    let store = builder(server.port()).build().unwrap();
    let leases = [(); 50].map(|()| Vec::new());
    let mut leases: Vec<Vec<_>> = leases.into();
    // Numbers rise, so whatever is found of a key must be the last that was written.
    let mut last = vec![None; 50];
    for round in 0..4_000_u32 {
        let number = (round % 50) as usize;
        let key = format!("key:{number}");
        if let Some(found) = store.value(&key).await.unwrap() {
            assert_eq!(Some(found), last[number], "of {key} in round {round}");
        }
        match round % 3 {
            0 => leases[number].push(store.lease(&key).await.unwrap()),
            1 => {
                let value = [round.to_be_bytes().to_vec(), vec![7; 8_000]].concat();
                store.put(&key, &value).await.unwrap();
                last[number] = Some(value);
            }
            _ => {
                for lease in leases[number].drain(..) {
                    let value = [round.to_be_bytes().to_vec(), vec![8; 8_000]].concat();
                    // A lease of before the last write is lost, evicted or not.
                    if store.fill_one(&key, &value, &lease).await.unwrap() {
                        assert_eq!(
                            store.found(&key, Ask::Entry, &[]).await.unwrap().bytes,
                            Some(value.clone())
                        );
                        last[number] = Some(value);
                    }
                }
            }
        }
        // Pressure by others.
        let noise = format!("noise:{round}");
        store.put(&noise, &[1; 8_000]).await.unwrap();
    }
    assert!(
        statistic(server.port(), "evictions") > 1_000,
        "nothing was evicted, so nothing was shown"
    );
}

#[tokio::test]
async fn an_evicted_placeholder_is_a_lost_lease() {
    let server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    let lease = store.lease("a").await.unwrap();
    // What eviction does to an item is what this does to all.
    say(server.port(), "flush_all");
    assert!(!store.fill_one("a", b"1", &lease).await.unwrap());
    assert_eq!(store.value("a").await.unwrap(), None);
}

#[tokio::test]
async fn after_a_restart_no_lease_no_version_and_no_epoch_of_before_holds() {
    let mut server = memcached_server::alone();
    let store = builder(server.port()).build().unwrap();
    let lease = store.lease("a").await.unwrap();
    let before = store.tag_versions(&["t"], None).await.unwrap();
    let fence = match store.locks().unwrap().acquire("l", "me", HALF).await {
        Ok(larder::store::Acquired::Held { fence }) => fence,
        other => panic!("{other:?}"),
    };
    server.kill();
    server.start_again();
    // The connection is found dead at the latest by the first who uses it.
    crate::ask::until("it is back", async || store.ping().await.is_ok()).await;
    // Versions of items begin anew, so the same numbers come again.
    for key in ["b", "c", "a", "d"] {
        store.lease(key).await.unwrap();
    }
    assert!(!store.fill_one("a", b"1", &lease).await.unwrap());
    let after = store.tag_versions(&["t"], None).await.unwrap();
    assert_ne!(before.versions, after.versions);
    assert_ne!(before.epoch, after.epoch);
    let anew = store.locks().unwrap().acquire("l", "me", HALF).await;
    match anew.unwrap() {
        larder::store::Acquired::Held { fence: next } => assert!(next > fence, "{next} {fence}"),
        other => panic!("{other:?}"),
    }
}

const HALF: std::time::Duration = std::time::Duration::from_millis(500);
