//! The same over a store.

use std::sync::Arc;

use larder::Cache;
use larder::middleware::{Action, Lowercase, Prefix};
use larder::runtime::SystemRuntime;
use larder::store::Store;
use larder::testing::MemoryStore;

use crate::Spy;

fn node(store: &Arc<MemoryStore>, spy: &Spy) -> Cache {
    Cache::builder()
        .store(Arc::clone(store) as Arc<dyn Store>)
        .memory_ttl("1m")
        .middleware(Lowercase)
        .middleware(Prefix::new("x*:"))
        .middleware(spy.clone())
        .build()
        .unwrap()
}

#[test]
fn processes_meet_under_the_rewritten_key() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let (spy, other) = (Spy::new(), Spy::new());
    let (a, b) = (node(&store, &spy), node(&store, &other));
    a.blocking().set("User:7", &7_u64).ttl("1m").wait().unwrap();
    assert_eq!(b.blocking().get::<u64>("USER:7").unwrap(), Some(7));
    assert_eq!(
        other.take(),
        ["get x*:user:7: Hit"],
        "one read, wherever the entry was"
    );
    assert_eq!(b.blocking().scan("user:?").unwrap(), ["user:7"]);
    assert!(b.blocking().delete_prefix("User:").unwrap() > 0);
    let third = node(&store, &Spy::new());
    assert_eq!(third.blocking().remaining_ttl("user:7").unwrap(), None);
}

#[test]
fn patterns_and_prefixes_reach_the_store() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let (spy, other) = (Spy::new(), Spy::new());
    let (a, b) = (node(&store, &spy), node(&store, &other));
    for key in ["User:1", "User:2", "Order:1"] {
        a.blocking().set(key, &1_u64).ttl("1m").wait().unwrap();
    }
    assert_eq!(b.blocking().delete_pattern("USER:*").unwrap(), 2);
    assert_eq!(b.blocking().delete_many(["ORDER:1"]).unwrap(), 1);
    assert!(b.blocking().scan("*").unwrap().is_empty());
}

#[test]
fn a_read_that_is_left_out_asks_no_store() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let writer = node(&store, &Spy::new());
    writer.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    let reader = node(&store, &Spy::new().refusing(Action::Get, "k"));
    assert_eq!(reader.blocking().get::<u64>("k").unwrap(), None);
    let loaded = reader
        .blocking()
        .get_or_load("k", || Ok::<_, std::io::Error>(2_u64))
        .ttl("1m");
    assert_eq!(loaded.wait().unwrap(), 2);
}

#[test]
fn a_function_is_one_read_one_load_and_one_write() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let (spy, other) = (Spy::new(), Spy::new());
    let (a, b) = (node(&store, &spy), node(&store, &other));
    let call = |cache: &Cache| {
        let load = || Ok::<_, std::io::Error>(2_u64);
        cache
            .blocking()
            .get_or_load("K", load)
            .ttl("1m")
            .wait()
            .unwrap()
    };
    assert_eq!(call(&a), 2);
    assert_eq!(
        spy.take(),
        ["get x*:k: Miss", "load x*:k: Done", "set x*:k: Done"]
    );
    assert_eq!(call(&b), 2);
    assert_eq!(other.take(), ["get x*:k: Hit"]);
    assert_eq!(call(&b), 2);
    assert_eq!(other.take(), ["get x*:k: Hit"]);
}

#[test]
fn a_batch_over_a_store_tells_each_key() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let (spy, other) = (Spy::new(), Spy::new());
    let (a, b) = (node(&store, &spy), node(&store, &other));
    a.blocking().set("A", &1_u64).ttl("1m").wait().unwrap();
    let load = |keys: Vec<String>| async move {
        Ok::<_, std::io::Error>(keys.into_iter().map(|key| (key, 2_u64)).collect())
    };
    let found = b
        .get_or_load_many(["A", "B"], load)
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!((found["A"], found["B"]), (1, 2));
    let expected = [
        "get x*:a: Hit",
        "get x*:b: Miss",
        "load x*:b: Done",
        "set x*:b: Done",
    ];
    assert_eq!(other.take(), expected);
}
