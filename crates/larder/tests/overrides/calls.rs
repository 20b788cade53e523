//! Bypass, another ttl, another key: for one call, without changing the function.

use std::sync::Arc;

use larder::{Cache, Scope, cached, scope};

use crate::support::{Log, Oops, Origin, World, secs};

#[cached(cache = cache, key = "page:{id}", ttl = "1m")]
async fn page(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
    let _ = (cache, id);
    origin.call().await
}

#[cached(cache = cache, key = "other:{id}", ttl = "1m")]
async fn other(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
    let _ = (cache, id);
    origin.call().await
}

struct Scene {
    world: Arc<World>,
    log: Log,
    origin: Origin,
    cache: Cache,
}

impl Scene {
    fn new() -> Self {
        let (world, log) = (World::new(), Log::default());
        Self {
            cache: world.observed(log.clone()),
            origin: Origin::new(&world, 1),
            log,
            world,
        }
    }

    fn page(&self, scope: Scope, id: u64) -> Result<u64, Oops> {
        let (cache, origin) = (self.cache.clone(), self.origin.clone());
        self.world
            .run(scope.wrap(async move { page(&cache, &origin, id).await }))
    }

    fn holds(&self, key: &'static str) -> bool {
        let cache = self.cache.clone();
        self.world
            .run(async move { cache.exists(key).await })
            .unwrap()
    }
}

#[test]
fn a_bypassed_call_reads_nothing_and_stores_nothing() {
    let scene = Scene::new();
    assert_eq!(scene.page(scope(), 7), Ok(1));
    scene.origin.gives(2);
    assert_eq!(scene.page(scope().bypass(), 7), Ok(2));
    assert_eq!(scene.page(scope(), 7), Ok(1), "what was kept is kept");
    assert_eq!(scene.page(scope().bypass(), 8), Ok(2));
    assert!(!scene.holds("page:8"));
    assert_eq!(scene.log.count("stored"), 1);
}

#[test]
fn a_bypassed_put_and_get_or_load_go_past_the_cache_too() {
    #[larder::cache_put(cache = cache, key = "page:{id}", ttl = "1m")]
    async fn publish(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }

    let scene = Scene::new();
    let cache = scene.cache.clone();
    let calls = async move {
        assert_eq!(publish(&cache, 7).await, 7);
        let load = cache.get_or_load("k", || async { Ok::<_, Oops>(1_u64) });
        assert_eq!(load.ttl("1m").await.unwrap(), 1);
        let load = |keys: Vec<String>| async move {
            Ok::<_, Oops>(keys.into_iter().map(|key| (key, 1_u64)).collect())
        };
        let many = cache.get_or_load_many(["a", "b"], load).ttl("1m").await;
        assert_eq!(many.unwrap().len(), 2);
        cache.set("direct", &1_u64).ttl("1m").await.unwrap();
        assert_eq!(cache.get("direct").await.unwrap(), Some(1_u64));
    };
    scene.world.run(scope().bypass().wrap(calls));
    for key in ["page:7", "k", "a", "b"] {
        assert!(!scene.holds(key), "{key}");
    }
    assert!(
        scene.holds("direct"),
        "a direct operation is meant as it is said"
    );
}

#[test]
fn a_ttl_of_the_scope_is_that_of_what_is_loaded_in_it() {
    let scene = Scene::new();
    scene.page(scope().ttl("10s"), 7).unwrap();
    scene.page(scope(), 8).unwrap();
    scene.world.advance(secs(10));
    assert!(!scene.holds("page:7"));
    assert!(scene.holds("page:8"));
    scene.page(scope().ttl("1h"), 8).unwrap();
    scene.world.advance(secs(50));
    assert!(!scene.holds("page:8"), "a hit leaves an entry its own ttl");
}

#[test]
fn a_ttl_that_cannot_be_is_told_and_nothing_is_stored() {
    let scene = Scene::new();
    assert_eq!(scene.page(scope().ttl("soon"), 7), Ok(1));
    assert_eq!(
        scene.log.count("bad policy page:7"),
        2,
        "{:?}",
        scene.log.take()
    );
    assert!(!scene.holds("page:7"));
}

#[test]
fn a_key_of_the_scope_is_that_of_its_first_call_and_of_no_other() {
    let scene = Scene::new();
    let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
    let calls = async move {
        assert_eq!(page(&cache, &origin, 7).await, Ok(1));
        origin.gives(2);
        assert_eq!(other(&cache, &origin, 7).await, Ok(2), "its own key");
        assert_eq!(page(&cache, &origin, 8).await, Ok(2), "its own key");
        assert_eq!(page(&cache, &origin, 7).await, Ok(1), "the same call again");
    };
    scene.world.run(scope().key("preview:7").wrap(calls));
    for (key, holds) in [
        ("preview:7", true),
        ("page:7", false),
        ("other:7", true),
        ("page:8", true),
    ] {
        assert_eq!(scene.holds(key), holds, "{key}");
    }
}

#[test]
fn a_reload_behind_a_call_with_another_key_is_of_that_key() {
    #[cached(cache = cache, key = "page:{id}", ttl = "1m", stale = "1h")]
    async fn stale(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
        let _ = (cache, id);
        origin.call().await
    }

    let scene = Scene::new();
    let call = |key: &str| {
        let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
        let call = async move { stale(&cache, &origin, 7).await };
        scene.world.run(scope().key(key).wrap(call))
    };
    assert_eq!(call("preview"), Ok(1));
    scene.world.advance(secs(60));
    scene.origin.gives(2);
    assert_eq!(call("preview"), Ok(1));
    assert_eq!(call("preview"), Ok(2));
    assert!(!scene.holds("page:7"));
}

#[test]
fn a_key_lies_within_the_prefix_of_its_cache() {
    let world = World::new();
    let cache = world.builder().prefix("shop:").build().unwrap();
    let origin = Origin::new(&world, 1);
    let own = cache.clone();
    let call = async move { page(&own, &origin, 7).await };
    world.run(scope().key("preview").wrap(call)).unwrap();
    let keys = world
        .run(async move { cache.explain("preview").await })
        .unwrap();
    assert_eq!(keys.key, "shop:preview");
    assert!(keys.entry.is_some());
}
