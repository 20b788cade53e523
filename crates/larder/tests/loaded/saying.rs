//! `Loaded`: a ttl, tags, or "do not store", said by the load itself.

use std::sync::Arc;

use larder::{Cache, Loaded, cached};

use crate::support::{Log, Oops, World, secs};

/// What the source says of its results.
#[derive(Clone)]
struct Says(Arc<dyn Fn(Loaded<u64>) -> Loaded<u64> + Send + Sync>);

#[cached(cache = cache, key = "page:{id}", ttl = "1m", tags = ["pages"])]
async fn page(cache: &Cache, says: &Says, id: u64) -> Result<Loaded<u64>, Oops> {
    let _ = cache;
    Ok(says.0(Loaded::new(id)))
}

struct Scene {
    world: Arc<World>,
    log: Log,
    cache: Cache,
    says: Says,
}

impl Scene {
    fn new(says: impl Fn(Loaded<u64>) -> Loaded<u64> + Send + Sync + 'static) -> Self {
        let (world, log) = (World::new(), Log::default());
        Self {
            cache: world.observed(log.clone()),
            says: Says(Arc::new(says)),
            world,
            log,
        }
    }

    fn page(&self) -> Loaded<u64> {
        let (cache, says) = (self.cache.clone(), self.says.clone());
        let call = async move { page(&cache, &says, 7).await };
        self.world.run(call).unwrap()
    }

    /// How often the source has run.
    fn loads(&self) -> u64 {
        self.cache.stats().loads
    }
}

#[test]
fn a_function_returns_what_it_says_and_the_caller_sees_the_value_through_it() {
    let scene = Scene::new(|page| page.validator("\"v1\""));
    let page = scene.page();
    assert_eq!(*page, 7);
    assert_eq!(page.validated_by(), Some("\"v1\""));
    let hit = scene.page();
    assert_eq!(hit, page, "a hit has the validator too");
    assert_eq!(hit.into_value(), 7);
    assert_eq!(scene.loads(), 1);
}

#[test]
fn a_ttl_of_the_result_counts_in_place_of_that_of_the_function() {
    let scene = Scene::new(|page| page.ttl("10s"));
    scene.page();
    scene.world.advance(secs(9));
    scene.page();
    assert_eq!(scene.loads(), 1);
    scene.world.advance(secs(1));
    scene.page();
    assert_eq!(scene.loads(), 2);
}

#[test]
fn tags_of_the_result_are_added_to_those_of_the_function() {
    let scene = Scene::new(|page| page.tags(["site:1"]));
    for tag in ["site:1", "pages"] {
        let before = scene.loads();
        scene.page();
        scene.page();
        assert_eq!(scene.loads(), before + 1);
        let cache = scene.cache.clone();
        scene
            .world
            .run(async move { cache.delete_tags([tag]).await })
            .unwrap();
    }
    scene.page();
    assert_eq!(scene.loads(), 3);
}

#[test]
fn a_result_that_is_not_to_be_stored_is_returned_only() {
    let scene = Scene::new(Loaded::skip_store);
    assert_eq!(*scene.page(), 7);
    assert_eq!(*scene.page(), 7);
    assert_eq!(scene.loads(), 2);
    assert_eq!(scene.log.count("stored"), 0);
}

#[test]
fn a_ttl_that_cannot_be_is_told_and_nothing_is_stored() {
    let scene = Scene::new(|page| page.ttl("soon"));
    assert_eq!(*scene.page(), 7);
    assert_eq!(scene.log.count("bad policy page:7"), 1);
    assert_eq!(scene.log.count("stored"), 0);
}

#[test]
fn a_decision_of_the_attribute_comes_after_the_word_of_the_source() {
    #[cached(cache = cache, key = "page:{id}", ttl_with = |page: &Loaded<u64>| secs(**page))]
    fn page(cache: &Cache, id: u64) -> Loaded<u64> {
        let _ = cache;
        Loaded::new(id).ttl("1h")
    }

    let world = World::new();
    let cache = world.cache();
    page(&cache, 7);
    world.advance(secs(7));
    page(&cache, 7);
    assert_eq!(cache.stats().loads, 2);
}

#[test]
fn an_option_and_an_arc_of_it_say_the_same() {
    #[cached(cache = cache, key = "option:{id}", ttl = "1m")]
    fn option(cache: &Cache, id: u64) -> Option<Loaded<u64>> {
        let _ = cache;
        Some(Loaded::new(id).skip_store())
    }

    #[cached(cache = cache, key = "arc:{id}", ttl = "1m")]
    fn arc(cache: &Cache, id: u64) -> Arc<Loaded<u64>> {
        let _ = cache;
        Arc::new(Loaded::new(id).skip_store())
    }

    let cache = Cache::builder().build().unwrap();
    for _ in 0..2 {
        assert_eq!(option(&cache, 7).as_deref(), Some(&7));
        assert_eq!(**arc(&cache, 7), 7);
    }
    assert_eq!(cache.stats().loads, 4);
}

#[test]
fn get_or_load_and_put_obey_it_too() {
    let world = World::new();
    let cache = world.cache();
    let own = cache.clone();
    world.run(async move {
        let load = || async { Ok::<_, Oops>(Loaded::new(7_u64).skip_store()) };
        own.get_or_load("k", load).ttl("1m").await.unwrap();
        assert!(!own.exists("k").await.unwrap());
        let load = || async { Ok::<_, Oops>(Loaded::new(7_u64).ttl("10s").tags(["t"])) };
        own.get_or_load("k", load).ttl("1m").await.unwrap();
        assert_eq!(
            own.get::<Loaded<u64>>("k").await.unwrap().as_deref(),
            Some(&7)
        );
        own.delete_tags(["t"]).await.unwrap();
        assert!(!own.exists("k").await.unwrap());
        let says = Says(Arc::new(|page| page));
        let put = Loaded::new(8).ttl("10s");
        page::put(&own, &says, 7, put).await.unwrap();
    });
    world.advance(secs(10));
    let own = cache.clone();
    assert!(
        !world
            .run(async move { own.exists("page:7").await })
            .unwrap()
    );
}

#[test]
fn what_was_said_of_one_load_is_not_said_of_the_clones_that_are_kept() {
    #[cached(cache = cache, key = "outer:{id}", ttl = "1m")]
    fn outer(cache: &Cache, id: u64) -> Loaded<u64> {
        inner(cache, id)
    }

    #[cached(cache = cache, key = "inner:{id}", ttl = "1m")]
    fn inner(cache: &Cache, id: u64) -> Loaded<u64> {
        let _ = cache;
        Loaded::new(id).ttl("10s")
    }

    let world = World::new();
    let cache = world.cache();
    inner(&cache, 7);
    outer(&cache, 7);
    world.advance(secs(10));
    outer(&cache, 7);
    assert_eq!(cache.stats().loads, 2, "the outer one has its own ttl");
}
