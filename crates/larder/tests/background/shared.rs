//! What several processes share through a store: who writes, and what is read while the store is away.

use std::sync::Arc;

use larder::background::Phase;
use larder::testing::MemoryStore;
use larder::{Cache, background};

use crate::support::{Log, Oops, Origin, World, secs};

/// A cache over a store that other caches share, and that can be taken away.
fn with(world: &World, store: &MemoryStore, log: &Log) -> Cache {
    let builder = world.builder().observer(log.clone());
    builder.store(Arc::new(store.clone())).build().unwrap()
}

#[test]
fn a_store_that_is_down_leaves_the_copy_until_its_ttl() {
    let world = World::new();
    world.set_random(0);
    let store = MemoryStore::new(world.clone());
    let log = Log::default();
    let (writer, cache) = (with(&world, &store, &log), with(&world, &store, &log));
    writer
        .blocking()
        .set("rates", &8_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    let reader = cache.reader::<u64>("rates").every("10s").start().unwrap();
    world.settle();
    assert_eq!(reader.value(), Some(8));
    store.refuse();
    world.advance(secs(19));
    assert_eq!(reader.value(), Some(8));
    assert_eq!(reader.status().failures_in_a_row, 1);
    assert!(log.count("StoreFailed") > 0);
    world.advance(secs(1));
    assert_eq!(reader.value(), None, "twice the interval is over");
    assert!(reader.pull().wait().is_err());
    store.heal();
    assert_eq!(reader.pull().wait().unwrap(), Some(8));
    assert_eq!(reader.value(), Some(8));
}

#[test]
fn one_of_several_processes_writes_and_another_takes_over() {
    #[background(cache = cache, key = "rates", every = "30s")]
    async fn shared(cache: &Cache, origin: &Origin) -> Result<u64, Oops> {
        let _ = cache;
        origin.call().await
    }

    let world = World::new();
    world.set_random(0);
    let store = MemoryStore::new(world.clone());
    let log = Log::default();
    let first = (with(&world, &store, &log), Origin::new(&world, 1));
    let second = (with(&world, &store, &log), Origin::new(&world, 2));
    world.set_random(1 << 8);
    shared::start(&first.0, &first.1).unwrap();
    world.set_random(2 << 8);
    shared::start(&second.0, &second.1).unwrap();
    world.set_random(0);
    world.advance(secs(300));
    assert_eq!((first.1.calls(), second.1.calls()), (10, 0));
    assert_eq!((log.count("Writing"), log.count("StandingBy")), (1, 1));
    let status = shared::status(&second.0, &second.1).unwrap();
    assert_eq!(status.phase, Phase::Standby);
    let at = second.clone();
    let read = world.run(async move { shared(&at.0, &at.1).await });
    assert_eq!(read, Ok(1), "it reads what the other one wrote");
    // One that ends in good order gives its place back.
    let cache = first.0.clone();
    world.run(async move { cache.shutdown().await.unwrap() });
    world.advance(secs(15));
    assert_eq!(second.1.calls(), 1);
    assert_eq!(log.count("Writing"), 2);
    shared::start(&first.0, &first.1).unwrap();
    // One that is killed does not; its place ends by itself, before what it wrote last does.
    world.advance(secs(90));
    let before = (first.1.calls(), second.1.calls());
    assert_eq!(before.0, 10);
    world.drop_chores();
    shared::start(&first.0, &first.1).unwrap();
    world.advance(secs(59));
    assert_eq!(first.1.calls(), 11, "it took over");
    assert_eq!(second.1.calls(), before.1);
}

#[test]
fn a_store_that_is_down_does_not_stop_the_runs() {
    #[background(cache = cache, key = "rates", every = "30s")]
    async fn alone(cache: &Cache, origin: &Origin) -> Result<u64, Oops> {
        let _ = cache;
        origin.call().await
    }

    let world = World::new();
    world.set_random(0);
    let store = MemoryStore::new(world.clone());
    let log = Log::default();
    let cache = with(&world, &store, &log);
    let origin = Origin::new(&world, 1);
    alone::start(&cache, &origin).unwrap();
    store.refuse();
    world.advance(secs(30));
    assert_eq!(origin.calls(), 1);
    assert!(log.count("StoreFailed") > 0);
    store.heal();
    world.advance(secs(30));
    let at = (cache.clone(), origin.clone());
    let kept = world.run(async move { alone(&at.0, &at.1).await });
    assert_eq!((kept, origin.calls()), (Ok(1), 2), "the next run fills it");
}
