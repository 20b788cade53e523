//! Cached functions whose values are kept in a store.

use std::cell::Cell;
use std::future::IntoFuture;
use std::io;

use larder::{cached, invalidates};
use serde::{Deserialize, Serialize};

use crate::nodes::{World, seconds};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
}

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LOADS: Cell<u64> = const { Cell::new(0) };
    static FAILS: Cell<bool> = const { Cell::new(false) };
}

fn calls() -> u64 {
    CALLS.replace(0)
}

fn load(id: u64) -> io::Result<User> {
    CALLS.set(CALLS.get() + 1);
    if FAILS.get() {
        return Err(io::Error::other("down"));
    }
    LOADS.set(LOADS.get() + 1);
    let name = format!("user {id}, load {}", LOADS.get());
    Ok(User { id, name })
}

#[cached(key = "user:{id}", ttl = "10m")]
async fn user(id: u64) -> io::Result<User> {
    load(id)
}

#[cached(key = "tagged:{id}", ttl = "10m", tags = ["users"])]
async fn tagged(id: u64) -> io::Result<User> {
    load(id)
}

#[invalidates(user(id = id))]
async fn rename(id: u64) {}

#[test]
fn what_one_process_has_loaded_another_reads() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let first = world.wait(a.run(user(7))).unwrap();
    assert_eq!(
        (calls(), a.trips()),
        (1, 2),
        "a full miss is two round trips"
    );
    assert_eq!(world.wait(b.run(user(7))).unwrap(), first);
    assert_eq!((calls(), b.trips()), (0, 1), "a hit is one");
    assert_eq!(world.wait(a.run(user(7))).unwrap(), first);
    assert_eq!((calls(), a.trips()), (0, 1), "nothing is kept in memory");
    assert_eq!(b.cache.stats().store_hits, 1);
    assert_eq!(b.cache.len(), 0);
}

#[test]
fn tags_cost_no_round_trip() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let first = world.wait(a.run(tagged(7))).unwrap();
    assert_eq!(a.trips(), 2);
    assert_eq!(world.wait(b.run(tagged(7))).unwrap(), first);
    assert_eq!((calls(), b.trips()), (1, 1));
    world.wait(b.cache.delete_tags(["users"])).unwrap();
    b.trips();
    assert_ne!(world.wait(a.run(tagged(7))).unwrap(), first);
    assert_eq!((calls(), a.trips()), (1, 2));
}

#[test]
fn what_one_process_invalidates_another_loads_anew() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let first = world.wait(a.run(user(7))).unwrap();
    world.wait(b.run(rename(7)));
    assert_ne!(world.wait(a.run(user(7))).unwrap(), first);
    assert_eq!(calls(), 2);
}

#[test]
fn a_value_that_another_process_invalidated_meanwhile_is_returned_and_not_stored() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let simulation = world.simulation.clone();
    let loaded = world.wait(async {
        let load = a.cache.get_or_load("k", || async {
            simulation.sleep(seconds(5)).await;
            Ok::<_, io::Error>(1_u64)
        });
        let forget = async {
            simulation.sleep(seconds(1)).await;
            b.cache.delete("k").await.unwrap();
        };
        tokio::join!(load.ttl("1m").into_future(), forget).0
    });
    assert_eq!(loaded.unwrap(), 1);
    assert_eq!(a.cache.stats().superseded, 1);
    assert_eq!(world.wait(b.cache.get::<u64>("k")).unwrap(), None);
}

#[cached(key = "stale:{id}", ttl = "1m", stale = "1h")]
async fn stale(id: u64) -> io::Result<User> {
    load(id)
}

#[test]
fn a_stale_value_of_the_store_is_served_and_reloaded_behind() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let first = world.wait(a.run(stale(7))).unwrap();
    world.advance(seconds(90));
    assert_eq!(
        world.wait(b.run(stale(7))).unwrap(),
        first,
        "served at once"
    );
    world.wait(b.cache.idle());
    assert_eq!(calls(), 2, "and reloaded behind");
    assert_ne!(world.wait(a.run(stale(7))).unwrap(), first);
    assert_eq!(calls(), 0);
}

#[cached(key = "safe:{id}", ttl = "1m", fail_safe = "1h")]
async fn safe(id: u64) -> io::Result<User> {
    load(id)
}

#[test]
fn an_entry_of_the_store_stands_in_for_a_failing_source() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let first = world.wait(a.run(safe(7))).unwrap();
    world.advance(seconds(90));
    FAILS.set(true);
    assert_eq!(world.wait(b.run(safe(7))).unwrap(), first);
    assert_eq!(calls(), 2);
    assert_eq!(world.wait(b.run(safe(7))).unwrap(), first);
    assert_eq!(calls(), 0, "the source is left alone for a while");
    world.advance(seconds(11));
    assert_eq!(world.wait(b.run(safe(7))).unwrap(), first);
    assert_eq!(calls(), 1);
    FAILS.set(false);
}

#[test]
fn a_copy_in_memory_costs_no_round_trip_and_ends_with_its_cap() {
    let world = World::new(1);
    let (a, b) = (world.node_with(|b| b.memory_ttl("10s")), world.node());
    world.wait(b.run(user(7))).unwrap();
    let first = world.wait(a.run(user(7))).unwrap();
    a.trips();
    assert_eq!(world.wait(a.run(user(7))).unwrap(), first);
    assert_eq!(a.trips(), 0);
    world.wait(b.run(rename(7)));
    world.advance(seconds(9));
    assert_eq!(world.wait(a.run(user(7))).unwrap(), first, "not told");
    world.advance(seconds(1));
    assert_ne!(world.wait(a.run(user(7))).unwrap(), first);
    assert_eq!(calls(), 2);
}

#[test]
fn a_store_that_is_cut_off_is_a_miss() {
    let world = World::new(1);
    let a = world.node();
    world.wait(a.run(user(7))).unwrap();
    a.store.refuse();
    let again = world.wait(a.run(user(7))).unwrap();
    assert_eq!((calls(), again.id), (2, 7));
    assert!(a.cache.stats().store_failures > 0);
    a.store.heal();
    world.wait(a.run(user(7))).unwrap();
    assert_eq!(calls(), 0);
}

#[derive(Clone, Debug)]
struct Handle(u64);

#[cached(key = "handle:{id}", ttl = "10m", local)]
async fn handle(id: u64) -> Handle {
    CALLS.set(CALLS.get() + 1);
    Handle(id)
}

#[test]
fn what_is_local_stays_in_memory() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    assert_eq!(world.wait(a.run(handle(7))).0, 7);
    world.wait(a.run(handle(7)));
    world.wait(b.run(handle(7)));
    assert_eq!((calls(), a.trips()), (2, 0));
}

#[cached(key = "sync:{id}", ttl = "10m")]
fn user_sync(id: u64) -> io::Result<User> {
    load(id)
}

#[test]
fn sync_functions_read_the_same_store() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let first = larder::scope()
        .default_cache(&a.cache)
        .run(|| user_sync(7))
        .unwrap();
    let second = larder::scope()
        .default_cache(&b.cache)
        .run(|| user_sync(7))
        .unwrap();
    assert_eq!((first, calls()), (second, 1));
}

#[test]
fn a_store_that_tells_of_changes_keeps_copies_true() {
    let world = World::new(1);
    let (a, b) = (world.listening_node(), world.node());
    let first = world.wait(b.run(user(7))).unwrap();
    assert_eq!(world.wait(a.run(user(7))).unwrap(), first);
    a.trips();
    assert_eq!(world.wait(a.run(user(7))).unwrap(), first);
    assert_eq!((calls(), a.trips()), (1, 0), "from memory");
    world.wait(b.run(rename(7)));
    world.simulation.run();
    assert_ne!(world.wait(a.run(user(7))).unwrap(), first, "told");
    let tagged_first = world.wait(a.run(tagged(7))).unwrap();
    world.wait(b.cache.delete_tags(["users"])).unwrap();
    world.simulation.run();
    assert_ne!(world.wait(a.run(tagged(7))).unwrap(), tagged_first);
    world.wait(b.cache.clear()).unwrap();
    world.simulation.run();
    calls();
    world.wait(a.run(user(7))).unwrap();
    assert_eq!(calls(), 1);
}
