//! Warming while it is dropped, panics, meets others, or has a million items.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Cache, cached};

use crate::support::{Log, Oops, Origin, World, millis, secs};

#[cached(cache = cache, key = "user:{id}", ttl = "10m")]
async fn user(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
    let _ = cache;
    origin.call().await
}

#[test]
fn a_dropped_warming_drops_what_is_under_way_and_tells_how_far_it_came() {
    let world = World::new();
    let log = Log::default();
    let (cache, origin) = (world.observed(log.clone()), Origin::new(&world, 1));
    origin.takes(secs(1));
    let (at, from) = (cache.clone(), origin.clone());
    let running = world.spawn(async move {
        let items = (0..100).map(|id| (&at, &from, id));
        user::warm(items).concurrency(10).await
    });
    world.advance(millis(1_500));
    assert_eq!(origin.calls(), 20);
    running.cancel();
    world.advance(secs(10));
    assert_eq!(origin.calls(), 20);
    assert_eq!(cache.len(), 10, "what was loaded stays");
    let told = log.take().into_iter().find(|e| e.starts_with("Warmed"));
    assert!(told.unwrap().contains("next: 10"));
}

#[test]
fn the_items_of_a_long_stream_are_never_held_together() {
    static HELD: AtomicU64 = AtomicU64::new(0);
    static MOST: AtomicU64 = AtomicU64::new(0);

    /// Counts itself.
    #[derive(Debug)]
    struct Id(u64);

    impl Id {
        fn new(id: u64) -> Self {
            MOST.fetch_max(HELD.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            Self(id)
        }
    }

    impl Drop for Id {
        fn drop(&mut self) {
            HELD.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[cached(cache = cache, key = "half:{id.0}", ttl = "10m")]
    async fn half(cache: &Cache, id: &Id) -> u64 {
        let _ = cache;
        id.0 / 2
    }

    let world = World::new();
    let cache = world.builder().size(100).build().unwrap();
    let warmed = world.run(async move {
        let items = (0..20_000).map(|id| (&cache, Id::new(id)));
        half::warm(items).concurrency(16).await.unwrap()
    });
    assert_eq!(warmed.loaded, 20_000);
    assert!(MOST.load(Ordering::Relaxed) <= 16);
}

#[test]
fn who_shares_the_thread_gets_a_turn_though_nothing_has_to_be_waited_for() {
    let world = World::new();
    let (cache, origin) = (world.cache(), Origin::new(&world, 1));
    let seen = Arc::new(AtomicU64::new(0));
    let (at, progress) = (cache.clone(), Arc::clone(&seen));
    let warming = world.spawn(async move {
        let items = (0..10_000).map(|id| (&at, &origin, id));
        let warm = user::warm(items)
            .on_progress(move |warmed| progress.store(warmed.done(), Ordering::Relaxed));
        warm.await.unwrap()
    });
    let other = world.spawn(async move { seen.load(Ordering::Relaxed) });
    world.settle();
    assert!(other.value() < 1_000);
    assert_eq!(warming.value().loaded, 10_000);
}

#[test]
fn a_key_that_another_loads_is_waited_for_and_not_loaded_twice() {
    let world = World::new();
    let (cache, origin) = (world.cache(), Origin::new(&world, 1));
    let gate = origin.hold();
    let (at, from) = (cache.clone(), origin.clone());
    let call = world.spawn(async move { user(&at, &from, 7).await });
    world.settle();
    let (at, from) = (cache.clone(), origin.clone());
    let warming = world.spawn(async move {
        user::warm([(&at, &from, 7), (&at, &from, 7)])
            .await
            .unwrap()
    });
    world.settle();
    gate.open();
    world.settle();
    assert_eq!(call.value(), Ok(1));
    let warmed = warming.value();
    assert_eq!((warmed.loaded, warmed.skipped), (0, 2));
    assert_eq!(origin.calls(), 1);
}

#[test]
fn an_invalidation_during_the_load_wins_over_a_warming() {
    let world = World::new();
    let (cache, origin) = (world.cache(), Origin::new(&world, 1));
    let gate = origin.hold();
    let (at, from) = (cache.clone(), origin.clone());
    let warming = world.spawn(async move { user::warm([(&at, &from, 7)]).await.unwrap() });
    world.settle();
    let at = cache.clone();
    world.run(async move { at.delete("user:7").await.unwrap() });
    gate.open();
    world.settle();
    assert_eq!(warming.value().loaded, 1);
    assert_eq!(
        cache.len(),
        0,
        "what was invalidated meanwhile is not stored"
    );
    assert_eq!(cache.stats().superseded, 1);
}

#[test]
fn a_source_that_panics_takes_the_warming_with_it_and_nothing_else() {
    let world = World::new();
    let (cache, origin) = (world.cache(), Origin::new(&world, 1));
    origin.panics("broken");
    let (at, from) = (cache.clone(), origin.clone());
    let warming = world.spawn(async move { user::warm([(&at, &from, 7)]).await });
    world.settle();
    assert_eq!(warming.panic(), "broken");
    origin.gives(5);
    let at = cache.clone();
    assert_eq!(world.run(async move { user(&at, &origin, 7).await }), Ok(5));
}

#[test]
fn no_items_are_nothing_to_do() {
    let world = World::new();
    let (cache, origin) = (world.cache(), Origin::new(&world, 1));
    let none: [(Cache, Origin, u64); 0] = [];
    let warmed = world.run(async move { user::warm(none).await.unwrap() });
    assert_eq!(warmed.done(), 0);
    let past_the_end = [(cache, origin, 1)];
    let warmed = world.run(async move {
        user::warm(past_the_end)
            .resume_from(u64::MAX)
            .await
            .unwrap()
    });
    assert_eq!(warmed.done(), 0);
}
