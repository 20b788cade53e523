//! Warming over a store, where more is fresh than memory knows of.

use std::sync::Arc;

use larder::testing::MemoryStore;
use larder::{Warmed, cached};

use crate::support::{Oops, Origin, World, secs};
use crate::warming::{Scene, counts};

/// A cache over a store, whose copies in memory end long before the entries do, with a source of its own.
fn over(world: &Arc<World>, store: &MemoryStore) -> Scene {
    let cache = world.builder().store(Arc::new(store.clone()));
    Scene {
        cache: cache.memory_ttl("10s").build().unwrap(),
        origin: Origin::new(world, 1),
    }
}

#[cached(cache = scene.cache, key = "team:{id}", ttl = "10m", tags = ["teams"])]
async fn team(scene: &Scene, id: u64) -> Result<u64, Oops> {
    Ok(scene.origin.call().await? + id)
}

async fn warm_teams(scene: Scene) -> Warmed {
    team::warm((0..3).map(|id| (&scene, id))).await.unwrap()
}

#[test]
fn what_has_ended_in_memory_and_is_fresh_in_the_store_is_skipped() {
    let world = World::new();
    let scene = over(&world, &MemoryStore::new(world.clone()));
    let warmed = world.run(warm_teams(scene.clone()));
    assert_eq!(counts(&warmed), (3, 0, 0, 3));
    world.clock_on(secs(11));
    assert_eq!(scene.cache.len(), 3, "nothing is swept yet");
    let warmed = world.run(warm_teams(scene.clone()));
    assert_eq!(counts(&warmed), (0, 3, 0, 3));
    assert_eq!(scene.origin.calls(), 3);
}

#[test]
fn what_another_process_has_loaded_since_its_tag_was_forgotten_here_is_skipped() {
    let world = World::new();
    let store = MemoryStore::new(world.clone());
    let (here, there) = (over(&world, &store), over(&world, &store));
    world.run(warm_teams(here.clone()));
    let cache = here.cache.clone();
    world.run(async move { cache.delete_tags(["teams"]).await.unwrap() });
    assert_eq!(here.cache.len(), 3, "nothing is swept yet");
    there.origin.gives(2);
    let warmed = world.run(warm_teams(there));
    assert_eq!(counts(&warmed), (3, 0, 0, 3));
    let warmed = world.run(warm_teams(here.clone()));
    assert_eq!(counts(&warmed), (0, 3, 0, 3));
    assert_eq!(here.origin.calls(), 3);
    let at = here.clone();
    assert_eq!(world.run(async move { team(&at, 1).await }), Ok(3));
}
