//! Loads against invalidations, on many tasks of two processes: what was invalidated while it was loaded is not served.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use larder::store::memcached::Memcached;
use larder::store::{Ask, Removal, Store};

use crate::ask::Asked;
use crate::memcached_server;

const KEYS: [&str; 4] = ["k:1", "k:2", "l:1", "l:2"];

/// What the source says of a key now, and what every reader must at least be told.
#[derive(Default)]
struct Truth {
    now: [AtomicU64; 4],
    floor: [AtomicU64; 4],
}

async fn load(store: &Memcached, truth: &Truth, key: usize, pauses: u64) {
    let floor = truth.floor[key].load(SeqCst);
    let found = store
        .found(KEYS[key], Ask::EntryOrLease, &[])
        .await
        .unwrap();
    if let Some(bytes) = found.bytes {
        let value = u64::from_be_bytes(bytes.try_into().unwrap());
        assert!(
            value >= floor,
            "{} is {value}, long since {floor}",
            KEYS[key]
        );
    }
    let Some(lease) = found.lease else { return };
    let value = truth.now[key].load(SeqCst);
    for _ in 0..pauses {
        tokio::task::yield_now().await;
    }
    let bytes = value.to_be_bytes();
    store.fill_one(KEYS[key], &bytes, &lease).await.unwrap();
}

async fn change(store: &Memcached, truth: &Truth, key: usize, how: u64) {
    let value = truth.now[key].fetch_add(1, SeqCst) + 1;
    match how {
        0 => drop(store.remove_one(KEYS[key]).await.unwrap()),
        1 => drop(store.put(KEYS[key], &u64::MAX.to_be_bytes()).await.unwrap()),
        _ => {
            let prefix = Removal::Prefix(&KEYS[key][..2]);
            store.remove(&prefix).await.unwrap();
        }
    }
    if how == 1 {
        // A written value hides what is true until it is removed.
        store.remove_one(KEYS[key]).await.unwrap();
    }
    truth.floor[key].fetch_max(value, SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_load_stores_what_was_invalidated_meanwhile() {
    let servers = [(); 2].map(|()| memcached_server::alone());
    let process = || {
        let each = servers.iter();
        let builder = each.fold(Memcached::builder(), |builder, server| {
            builder.server("127.0.0.1", server.port())
        });
        Arc::new(builder.build().unwrap())
    };
    let stores = [process(), process()];
    let truth = Arc::new(Truth::default());
    let tasks = (0..24_u64).map(|task| {
        let store = Arc::clone(&stores[task as usize % 2]);
        let truth = Arc::clone(&truth);
        tokio::spawn(async move {
            let mut seed = task;
            for _ in 0..400 {
                seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let (key, what, rest) = ((seed >> 60) as usize % 4, seed >> 50 & 7, seed >> 40 & 7);
                match what {
                    0 => change(&store, &truth, key, rest % 3).await,
                    _ => load(&store, &truth, key, rest).await,
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let filled: u64 = truth.floor.iter().map(|floor| floor.load(SeqCst)).sum();
    assert!(filled > 500, "only {filled} invalidations");
}
