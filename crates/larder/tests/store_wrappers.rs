//! Name spaces, routes and unchanged writes, over stores without a server.

use std::sync::Arc;

use larder::store::*;
use larder::testing::{MemoryStore, Simulation};

mod stores;

use stores::*;

#[test]
fn a_prefixed_store_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        Arc::new(Prefixed::new(
            Arc::new(memory.place.connect()),
            format!("p*:{prefix}"),
        ))
    })
    .conforms();
    Memory::wrapped(1, |memory, prefix| {
        let inner = Prefixed::new(Arc::new(memory.place.within(prefix)), prefix);
        Arc::new(Prefixed::new(Arc::new(inner), ""))
    })
    .conforms();
}

#[test]
fn a_deduped_store_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        Arc::new(Deduped::new(Arc::new(memory.place.within(prefix))))
    })
    .conforms();
}

/// Routes that cut through the keys of the cases.
fn routed(memory: &Memory, prefix: &str) -> Arc<dyn Store> {
    let place = |n| Arc::new(memory.place(n).within(prefix)) as Arc<dyn Store>;
    let route = |rest: &str| format!("{prefix}{rest}");
    let same = place(1);
    let routed = Routed::new(place(0))
        .route(route("a"), Arc::clone(&same))
        .route(route("k"), place(2))
        .route(route("k:stays"), same)
        .route(route("missing"), place(3));
    Arc::new(routed)
}

#[test]
fn a_routed_store_does_what_every_store_must() {
    Memory::wrapped(1, routed).conforms();
}

#[test]
fn a_store_of_which_all_keys_are_routed_does_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        let place = |n| Arc::new(memory.place(n).within(prefix)) as Arc<dyn Store>;
        Arc::new(Routed::new(place(0)).route(prefix, place(1)))
    })
    .conforms();
}

#[test]
fn all_wrappers_over_each_other_do_what_every_store_must() {
    Memory::wrapped(1, |memory, prefix| {
        let near = memory.guarded(memory.place(5).within(prefix));
        let far = memory.guarded(Deduped::new(routed(memory, prefix)));
        let chain = Tiers::new(vec![Level::new(near), Level::new(far)]).unwrap();
        Arc::new(Deduped::new(Arc::new(Prefixed::new(
            Arc::new(chain),
            prefix,
        ))))
    })
    .conforms();
}

/// Counts the bytes that are sent to store entries.
#[derive(Debug)]
struct Scales {
    memory: MemoryStore,
    sent: std::sync::atomic::AtomicUsize,
}

impl Scales {
    fn weigh(&self, bytes: &[u8]) {
        self.sent
            .fetch_add(bytes.len(), std::sync::atomic::Ordering::Relaxed);
    }

    fn take(&self) -> usize {
        self.sent.swap(0, std::sync::atomic::Ordering::Relaxed)
    }
}

impl Store for Scales {
    fn name(&self) -> &str {
        "scales"
    }
    fn lease_level(&self) -> LeaseLevel {
        self.memory.lease_level()
    }
    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        self.memory.read(reads)
    }
    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        fills.iter().for_each(|fill| self.weigh(fill.bytes));
        self.memory.fill(fills)
    }
    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        writes.iter().for_each(|write| self.weigh(write.bytes));
        self.memory.write(writes)
    }
    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        self.weigh(touch.head);
        self.memory.touch(touch)
    }
    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.memory.remaining(keys)
    }
    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        self.memory.remove(removal)
    }
    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        self.memory.tag_versions(tags, life)
    }
    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.memory.forget_tags(tags)
    }
    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        self.memory.scan(scan)
    }
    fn ping(&self) -> StoreFuture<'_, ()> {
        self.memory.ping()
    }
    fn close(&self) -> StoreFuture<'_, ()> {
        self.memory.close()
    }
}

/// An entry that is stale at `at` and kept for a day, in milliseconds from the start of the simulations.
fn entry(stale_in: u64, body: &[u8]) -> Vec<u8> {
    let start = 1_800_000_000_000_u64;
    let mut bytes = vec![0xC1, 1, 0, 0, 0, 69, 1, 0, 0, 0];
    for at in [start, u64::MAX, start + stale_in, start + 86_400_000] {
        bytes.extend(at.to_be_bytes());
    }
    // No fingerprint, no budgets, no cost, no tags, no key id.
    bytes.extend([0; 8 + 4 + 4 + 8 + 2 + 1]);
    assert_eq!(bytes.len(), 69);
    assert!(Head::parse(&bytes).is_some());
    bytes.extend(body);
    bytes
}

#[test]
fn a_value_that_did_not_change_is_not_sent_again() {
    let simulation = Simulation::new(1);
    let memory = MemoryStore::new(simulation.runtime());
    let scales = Arc::new(Scales {
        memory,
        sent: Default::default(),
    });
    let store = Deduped::new(Arc::clone(&scales) as _);
    let body = vec![7; 100_000];
    let refresh = |stale_in, body: Vec<u8>| {
        simulation.block_on(async {
            let token = lease(&store, "a").await.unwrap();
            let bytes = entry(stale_in, &body);
            assert!(fill(&store, "a", &bytes, &token).await.unwrap());
            assert_eq!(get(&store, "a").await.unwrap(), Some(bytes));
        });
        scales.take()
    };
    assert_eq!(refresh(1, body.clone()), 100_069);
    let mut sent = 0;
    for n in 2..=100 {
        sent += refresh(n, body.clone());
    }
    assert_eq!(sent, 99 * 69);
    assert_eq!(store.saved(), 99 * 100_000);
    println!(
        "99 refreshes of 100 000 unchanged bytes sent {sent} bytes instead of {}",
        99 * 100_069
    );
    // One bit, one byte more, one byte less.
    for (n, changed) in [vec![6; 100_000], vec![7; 100_001], vec![7; 99_999]]
        .into_iter()
        .enumerate()
    {
        let length = changed.len();
        assert_eq!(refresh(200 + n as u64, changed), 69 + length);
    }
}

#[test]
fn what_was_removed_meanwhile_is_not_touched() {
    let simulation = Simulation::new(1);
    let memory = MemoryStore::new(simulation.runtime());
    let store = Deduped::new(Arc::new(memory.connect())).remembered(2);
    simulation.block_on(async {
        for key in ["a", "b", "c"] {
            put(&store, key, &entry(1, b"body")).await.unwrap();
        }
        let token = lease(&store, "a").await.unwrap();
        forget(&memory, "a").await.unwrap();
        assert!(!fill(&store, "a", &entry(2, b"body"), &token).await.unwrap());
        assert_eq!(get(&store, "a").await.unwrap(), None);
        // Another body under the same lease, then the first one again: it is sent whole.
        let token = lease(&store, "b").await.unwrap();
        assert!(
            fill(&store, "b", &entry(2, b"other"), &token)
                .await
                .unwrap()
        );
        assert!(fill(&store, "b", &entry(3, b"body"), &token).await.unwrap());
        assert_eq!(get(&store, "b").await.unwrap(), Some(entry(3, b"body")));
        // Past the bound nothing is remembered, and everything is still stored.
        let token = lease(&store, "c").await.unwrap();
        for other in ["x", "y", "b"] {
            put(&store, other, &entry(1, b"body")).await.unwrap();
            lease(&store, other).await.unwrap();
        }
        assert!(fill(&store, "c", &entry(9, b"body"), &token).await.unwrap());
        assert_eq!(store.saved(), 0);
        assert_eq!(get(&store, "c").await.unwrap(), Some(entry(9, b"body")));
    });
}

#[test]
fn a_prefix_is_on_everything_and_seen_nowhere() {
    let simulation = Simulation::new(1);
    let memory = MemoryStore::new(simulation.runtime());
    let store = Prefixed::new(Arc::new(memory.connect()), "app:");
    simulation.block_on(async {
        put(&store, "a", b"1").await.unwrap();
        put(&memory, "b", b"outside").await.unwrap();
        assert_eq!(
            get(&memory, "app:a").await.unwrap().as_deref(),
            Some(&b"1"[..])
        );
        assert_eq!(get(&store, "b").await.unwrap(), None);
        let all = Scan {
            prefix: "",
            pattern: "*",
            cursor: None,
            limit: 10,
        };
        assert_eq!(store.scan(&all).await.unwrap().keys, ["a"]);
        store.remove(&Removal::Prefix("")).await.unwrap();
        assert_eq!(get(&memory, "app:a").await.unwrap(), None);
        assert!(get(&memory, "b").await.unwrap().is_some());
        let counters = store.counters().unwrap();
        assert_eq!(counters.add("n", 2, None).await.unwrap(), 2);
        assert_eq!(
            get(&memory, "app:n").await.unwrap().as_deref(),
            Some(&b"2"[..])
        );
        store
            .locks()
            .unwrap()
            .acquire("l", "me", secs(9))
            .await
            .unwrap();
        assert!(
            memory
                .locks()
                .unwrap()
                .held("app:l")
                .await
                .unwrap()
                .is_some()
        );
        assert!(memory.locks().unwrap().held("l").await.unwrap().is_none());
    });
}

#[test]
fn the_longest_prefix_wins_and_selectors_fan_out() {
    let simulation = Simulation::new(1);
    let [rest, users, admins] = [(); 3].map(|()| MemoryStore::new(simulation.runtime()));
    let log = Arc::new(Log::default());
    let store = Routed::new(Arc::new(rest.clone()))
        .route("user:admin:", Arc::new(admins.clone()))
        .route("user:", Arc::new(users.clone()))
        .notices(Arc::clone(&log) as _);
    let keys = ["user:1", "user:admin:1", "user", "post:1", "user:2"];
    let counts = || (rest.entries(), users.entries(), admins.entries());
    simulation.block_on(async {
        for key in keys {
            put(&store, key, key.as_bytes()).await.unwrap();
        }
        assert_eq!(counts(), (2, 2, 1));
        let asked = keys.map(|key| question(key, Ask::Entry));
        let found = store.read(&asked).await.unwrap();
        let bytes = found.into_iter().map(|found| found.bytes.unwrap());
        assert!(bytes.eq(keys.map(|key| key.as_bytes().to_vec())));

        // One store is away: its keys are missed, without a lease.
        users.refuse();
        let found = store.read(&asked).await.unwrap();
        let there: Vec<bool> = found.iter().map(|found| found.bytes.is_some()).collect();
        assert_eq!(there, [false, true, true, true, false]);
        assert_eq!(log.take(), ["skipped in read"]);
        assert!(put(&store, "user:3", b"3").await.is_err());
        assert!(store.remove(&Removal::Prefix("user:")).await.is_err());
        assert_eq!(counts(), (2, 2, 0), "the others are removed all the same");
        users.heal();

        put(&store, "user:admin:2", b"2").await.unwrap();
        assert_eq!(store.remove(&Removal::Prefix("us")).await.unwrap(), 4);
        assert_eq!(counts(), (1, 0, 0));
    });
}
