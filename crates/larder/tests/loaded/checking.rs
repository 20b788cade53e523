//! `kept`: the source sees what it is about to replace, and may say that it is still true.

use std::sync::{Arc, Mutex};

use larder::{Cache, Kept, Loaded, Operations, cached, cached_stream, kept};

use crate::support::{Gate, Log, Oops, World, millis, secs};

/// An origin as HTTP has them: a version, and an answer without a body for who knows it.
#[derive(Clone)]
struct Site(Arc<Mutex<(u64, Vec<String>)>>);

impl Site {
    fn new() -> Self {
        Self(Arc::new(Mutex::new((1, Vec::new()))))
    }

    fn publishes(&self, version: u64) {
        self.0.lock().unwrap().0 = version;
    }

    /// What it was asked since the last look.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }

    fn fetch(&self) -> Loaded<String> {
        let mut site = self.0.lock().unwrap();
        let tag = format!("\"v{}\"", site.0);
        let kept = kept::<String>();
        site.1.push(match &kept {
            Some(kept) => format!("{:?} {:?}", kept.validator(), kept.age()),
            None => "all".into(),
        });
        match kept {
            Some(kept) if kept.validator() == Some(&tag) => kept.not_modified(),
            _ => Loaded::new(format!("page {}", site.0)).validator(tag),
        }
    }
}

#[cached(cache = cache, key = "page:{id}", ttl = "1m", fail_safe = "1h")]
async fn page(cache: &Cache, site: &Site, id: u64) -> Result<Loaded<String>, Oops> {
    let _ = (cache, id);
    Ok(site.fetch())
}

struct Scene {
    world: Arc<World>,
    log: Log,
    cache: Cache,
    site: Site,
}

impl Scene {
    fn new() -> Self {
        let (world, log) = (World::new(), Log::default());
        Self {
            cache: world.observed(log.clone()),
            site: Site::new(),
            world,
            log,
        }
    }

    fn page(&self) -> String {
        let (cache, site) = (self.cache.clone(), self.site.clone());
        let call = async move { page(&cache, &site, 7).await };
        self.world.run(call).unwrap().into_value()
    }
}

#[test]
fn what_is_still_true_is_renewed_without_a_new_value() {
    let scene = Scene::new();
    assert_eq!(scene.page(), "page 1");
    scene.world.advance(secs(70));
    assert_eq!(scene.page(), "page 1");
    assert_eq!(scene.site.asked(), ["all", "Some(\"\\\"v1\\\"\") 70s"]);
    assert_eq!(scene.log.count("not modified page:7"), 1);
    assert_eq!(scene.log.count("stored page:7"), 2);
    let stats = scene.cache.stats();
    assert_eq!((stats.loads, stats.not_modified), (2, 1));
    scene.world.advance(secs(59));
    assert_eq!(scene.page(), "page 1");
    assert!(scene.site.asked().is_empty(), "it has a whole ttl again");
    scene.world.advance(secs(1));
    assert_eq!(scene.page(), "page 1");
    assert_eq!(scene.site.asked().len(), 1, "and its validator");
    assert_eq!(scene.log.count("not modified page:7"), 2);
}

#[cached(cache = cache, key = "book", ttl = "1m", fail_safe = "1h", tags = ["books"])]
async fn book(cache: &Cache) -> Loaded<String> {
    let _ = cache;
    match kept::<String>() {
        Some(kept) => kept.not_modified(),
        None => Loaded::new("of author 7".to_owned()).tags(["author:7"]),
    }
}

#[test]
fn what_is_renewed_is_still_forgotten_by_the_tags_that_it_was_given() {
    let scene = Scene::new();
    let cache = scene.cache.clone();
    scene
        .world
        .run(async move { book(&cache).await.into_value() });
    scene.world.advance(secs(70));
    let cache = scene.cache.clone();
    scene
        .world
        .run(async move { book(&cache).await.into_value() });
    assert_eq!(scene.log.count("not modified book"), 1);
    let blocking = scene.cache.blocking();
    assert!(blocking.exists("book").unwrap());
    blocking.delete_tags(["author:7"]).unwrap();
    assert!(!blocking.exists("book").unwrap());
}

#[test]
fn what_has_changed_is_replaced_with_its_validator() {
    let scene = Scene::new();
    scene.page();
    scene.world.advance(secs(60));
    scene.site.publishes(2);
    assert_eq!(scene.page(), "page 2");
    scene.world.advance(secs(60));
    assert_eq!(scene.page(), "page 2");
    assert_eq!(scene.log.count("not modified"), 1);
}

#[test]
fn what_was_invalidated_is_not_offered() {
    let scene = Scene::new();
    scene.page();
    scene.site.asked();
    let cache = scene.cache.clone();
    scene
        .world
        .run(async move { cache.delete("page:7").await })
        .unwrap();
    scene.page();
    assert_eq!(scene.site.asked(), ["all"]);
}

#[test]
fn what_is_invalidated_while_its_source_checks_it_is_not_renewed() {
    #[cached(cache = cache, key = "page:{id}", ttl = "1m", fail_safe = "1h")]
    async fn checked(cache: &Cache, site: &Site, id: u64) -> Result<Loaded<String>, Oops> {
        let loaded = site.fetch();
        if loaded.as_str() == "page 1" && cache.stats().loads == 1 {
            cache.delete(format!("page:{id}")).await.unwrap();
        }
        Ok(loaded)
    }

    let scene = Scene::new();
    let call = || {
        let (cache, site) = (scene.cache.clone(), scene.site.clone());
        let call = async move { checked(&cache, &site, 7).await };
        scene.world.run(call).unwrap().into_value()
    };
    call();
    scene.world.advance(secs(60));
    scene.log.take();
    assert_eq!(call(), "page 1");
    assert_eq!(scene.log.count("superseded page:7"), 1);
    assert_eq!(scene.log.count("stored"), 0);
}

#[test]
fn past_its_life_nothing_is_offered() {
    let scene = Scene::new();
    scene.page();
    scene.world.advance(secs(60 + 3_600));
    scene.page();
    assert_eq!(scene.site.asked(), ["all", "all"]);
}

#[test]
fn a_refresh_and_a_reload_behind_see_it_too() {
    #[cached(cache = cache, key = "page:{id}", ttl = "1m", stale = "1h")]
    async fn stale(cache: &Cache, site: &Site, id: u64) -> Loaded<String> {
        let _ = (cache, id);
        site.fetch()
    }

    let scene = Scene::new();
    let (cache, site) = (scene.cache.clone(), scene.site.clone());
    scene
        .world
        .run(async move { stale(&cache, &site, 7).await });
    scene.world.advance(secs(60));
    let (cache, site) = (scene.cache.clone(), scene.site.clone());
    scene
        .world
        .run(async move { stale(&cache, &site, 7).await });
    assert_eq!(
        scene.log.count("not modified page:7"),
        1,
        "behind its reader"
    );
    scene.world.advance(secs(1));
    let (cache, site) = (scene.cache.clone(), scene.site.clone());
    scene
        .world
        .run(async move { stale::refresh(&cache, &site, 7).await });
    assert_eq!(
        scene.site.asked().last().unwrap(),
        "Some(\"\\\"v1\\\"\") 1s"
    );
}

#[test]
fn a_plain_value_is_offered_without_a_validator() {
    #[cached(cache = cache, key = "total:{id}", ttl = "1m", fail_safe = "1h")]
    fn total(cache: &Cache, id: u64) -> u64 {
        let _ = (cache, id);
        match kept::<u64>() {
            Some(kept) => {
                assert_eq!((kept.validator(), kept.age()), (None, secs(60)));
                kept.value() + 1
            }
            None => 1,
        }
    }

    let world = World::new();
    let cache = world.cache();
    assert_eq!(total(&cache, 7), 1);
    world.advance(secs(60));
    assert_eq!(total(&cache, 7), 2);
}

#[test]
fn options_arcs_and_other_types_are_told_apart() {
    #[cached(cache = cache, key = "option:{id}", ttl = "1m", fail_safe = "1h")]
    fn option(cache: &Cache, id: u64) -> Option<u64> {
        let _ = cache;
        assert!(kept::<String>().is_none(), "it is no text");
        Some(kept::<u64>().map_or(id, |kept| kept.into_value() + 1))
    }

    #[cached(cache = cache, key = "arc:{id}", ttl = "1m", fail_safe = "1h")]
    fn arc(cache: &Cache, id: u64) -> Arc<u64> {
        let _ = cache;
        Arc::new(kept::<Arc<u64>>().map_or(id, |kept| **kept.value() + 1))
    }

    let world = World::new();
    let cache = world.cache();
    assert_eq!((option(&cache, 1), *arc(&cache, 1)), (Some(1), 1));
    world.advance(secs(60));
    assert_eq!((option(&cache, 1), *arc(&cache, 1)), (Some(2), 2));
}

#[test]
fn a_load_inside_a_load_sees_its_own() {
    #[cached(cache = cache, key = "outer", ttl = "1m", fail_safe = "1h")]
    async fn outer(cache: &Cache) -> String {
        let inner = inner(cache).await;
        let own = kept::<String>().map(larder::Kept::into_value);
        format!("{inner} in {own:?}")
    }

    #[cached(cache = cache, key = "inner", ttl = "90s", fail_safe = "1h")]
    async fn inner(cache: &Cache) -> u64 {
        let _ = cache;
        assert!(kept::<String>().is_none(), "that is the outer one's");
        kept::<u64>().map_or(1, |kept| kept.into_value() + 1)
    }

    let world = World::new();
    let cache = world.cache();
    let call = |world: &World, cache: &Cache| {
        let cache = cache.clone();
        world.run(async move { outer(&cache).await })
    };
    assert_eq!(call(&world, &cache), "1 in None");
    world.advance(secs(100));
    assert_eq!(call(&world, &cache), "2 in Some(\"1 in None\")");
    assert!(kept::<u64>().is_none(), "outside of a load nothing is");
}

#[test]
fn get_or_load_offers_it_to_its_source() {
    let world = World::new();
    let cache = world.cache();
    let call = |world: &World| {
        let cache = cache.clone();
        world.run(async move {
            let source = || async { Ok::<_, Oops>(kept::<u64>().map_or(1, |k| k.value() + 1)) };
            let load = cache.get_or_load("k", source).ttl("1m");
            load.fail_safe("1h").await.unwrap()
        })
    };
    assert_eq!(call(&world), 1);
    world.advance(secs(60));
    assert_eq!(call(&world), 2);
}

#[test]
fn a_value_whose_clone_loads_harms_nothing() {
    #[derive(Debug)]
    struct Nosy(u64);

    impl Clone for Nosy {
        fn clone(&self) -> Self {
            let cache = Cache::builder().build().unwrap();
            let one = || Ok::<_, Oops>(kept::<u64>().map_or(1, |kept| kept.into_value()));
            assert_eq!(
                cache
                    .blocking()
                    .get_or_load("k", one)
                    .ttl("1m")
                    .wait()
                    .unwrap(),
                1
            );
            Self(self.0)
        }
    }

    #[cached(cache = cache, key = "nosy", ttl = "1m", fail_safe = "1h", local)]
    fn nosy(cache: &Cache) -> Nosy {
        let _ = cache;
        kept::<Nosy>().map_or(Nosy(1), |kept| Nosy(kept.value().0 + 1))
    }

    let world = World::new();
    let cache = world.cache();
    assert_eq!(nosy(&cache).0, 1);
    world.advance(secs(60));
    assert_eq!(nosy(&cache).0, 2);
}

#[test]
fn a_load_that_is_left_behind_still_sees_it() {
    #[cached(
        cache = cache, key = "page:{id}", ttl = "1m", fail_safe = "1h", timeout = "100ms"
    )]
    async fn slow(cache: &Cache, site: &Site, gate: &Gate, id: u64) -> Loaded<String> {
        let _ = (cache, id);
        gate.pass().await;
        site.fetch()
    }

    let scene = Scene::new();
    let gate = Gate::default();
    gate.open();
    let start = |gate: &Gate| {
        let (cache, site, gate) = (scene.cache.clone(), scene.site.clone(), gate.clone());
        let call = async move { slow(&cache, &site, &gate, 7).await.into_value() };
        let call = scene.world.spawn(call);
        scene.world.settle();
        call
    };
    assert_eq!(start(&gate).value(), "page 1");
    scene.world.advance(secs(60));
    let gate = Gate::default();
    let call = start(&gate);
    scene.world.advance(millis(100));
    assert_eq!(call.value(), "page 1");
    gate.open();
    scene.world.settle();
    assert_eq!(scene.log.count("not modified page:7"), 1);
    assert_eq!(scene.site.asked(), ["all", "Some(\"\\\"v1\\\"\") 60s"]);
}

#[cached(cache = cache, key = "part", ttl = "1m", bypass = past)]
async fn part(cache: &Cache, past: bool) -> String {
    let _ = (cache, past);
    kept::<String>().map_or("made".into(), Kept::into_value)
}

#[cached(cache = cache, key = "part", ttl = "1m")]
fn part_sync(cache: &Cache) -> String {
    let _ = cache;
    kept::<String>().map_or("made".into(), Kept::into_value)
}

#[cached_stream(cache = cache, key = "parts", ttl = "1m")]
fn parts(cache: &Cache) -> impl Iterator<Item = String> {
    let _ = cache;
    std::iter::once_with(|| kept::<String>().map_or("made".into(), Kept::into_value))
}

struct Parts(Cache);

impl Parts {
    #[cached(cache = self.0, key = "part", ttl = "1m")]
    async fn part(&self) -> String {
        kept::<String>().map_or("made".into(), Kept::into_value)
    }

    #[cached(cache = self.0, key = "part", ttl = "1m")]
    fn part_sync(&self) -> String {
        kept::<String>().map_or("made".into(), Kept::into_value)
    }
}

#[cached(cache = cache, key = "whole:{way}", ttl = "1m", fail_safe = "1h")]
async fn whole(cache: &Cache, way: &str) -> Loaded<String> {
    let off = || larder::scope().off(Operations::READ | Operations::WRITE);
    let methods = Parts(cache.clone());
    let part = match way {
        "uncached" => part::uncached(cache, false).await,
        "sync" => part_sync::uncached(cache),
        "method" => methods.part_cache().uncached().await,
        "sync method" => methods.part_sync_cache().uncached(),
        "bypass" => part(cache, true).await,
        "off" => off().wrap(part(cache, false)).await,
        "stream" => parts(cache).next().unwrap(),
        _ => unreachable!(),
    };
    Loaded::new(format!("{way} of {part}"))
}

#[test]
fn what_is_kept_of_one_load_is_not_shown_to_a_body_past_the_cache() {
    for way in [
        "uncached",
        "sync",
        "method",
        "sync method",
        "bypass",
        "off",
        "stream",
    ] {
        let scene = Scene::new();
        let get = || {
            let cache = scene.cache.clone();
            scene.world.run(async move { whole(&cache, way).await })
        };
        let before = whole::stats().loads;
        let first = get();
        assert_eq!(*first, format!("{way} of made"));
        scene.world.advance(secs(70));
        assert_eq!(get(), first);
        assert_eq!(whole::stats().loads - before, 2, "made anew");
    }
}
