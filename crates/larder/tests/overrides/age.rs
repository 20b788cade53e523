//! How old a value may be: `max_stale` and `require_fresh`.

use std::sync::Arc;

use larder::{Cache, Scope, cached, scope};

use crate::support::{Log, Oops, Origin, Running, World, millis, secs};

#[cached(cache = cache, key = "stale:{id}", ttl = "1m", stale = "1h")]
async fn stale(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
    let _ = (cache, id);
    origin.call().await
}

#[cached(cache = cache, key = "safe:{id}", ttl = "1m", fail_safe = "1h", timeout = "200ms")]
async fn safe(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
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
    /// Entries that are so far past their ttl.
    fn overdue(seconds: u64) -> Self {
        let (world, log) = (World::new(), Log::default());
        let scene = Self {
            cache: world.observed(log.clone()),
            origin: Origin::new(&world, 1),
            log,
            world,
        };
        assert_eq!(scene.stale(scope()).value(), Ok(1));
        assert_eq!(scene.safe(scope()).value(), Ok(1));
        scene.world.advance(secs(60 + seconds));
        scene.origin.gives(2);
        scene
    }

    fn stale(&self, scope: Scope) -> Running<Result<u64, Oops>> {
        let (cache, origin) = (self.cache.clone(), self.origin.clone());
        let call = scope.wrap(async move { stale(&cache, &origin, 7).await });
        let running = self.world.spawn(call);
        self.world.settle();
        running
    }

    fn safe(&self, scope: Scope) -> Running<Result<u64, Oops>> {
        let (cache, origin) = (self.cache.clone(), self.origin.clone());
        let call = scope.wrap(async move { safe(&cache, &origin, 7).await });
        let running = self.world.spawn(call);
        self.world.settle();
        running
    }
}

#[test]
fn what_is_overdue_for_longer_is_loaded_in_the_foreground() {
    let scene = Scene::overdue(10);
    assert_eq!(scene.stale(scope().max_stale("10s")).value(), Ok(2));
    let scene = Scene::overdue(9);
    assert_eq!(scene.stale(scope().max_stale("10s")).value(), Ok(1));
    scene.world.settle();
    assert_eq!(
        scene.stale(scope()).value(),
        Ok(2),
        "reloaded behind as ever"
    );
}

#[test]
fn who_requires_a_fresh_value_is_given_no_other() {
    let scene = Scene::overdue(0);
    assert_eq!(scene.stale(scope().require_fresh()).value(), Ok(2));
    scene.origin.gives(3);
    assert_eq!(
        scene.stale(scope().require_fresh()).value(),
        Ok(2),
        "it is fresh"
    );
}

#[test]
fn a_failure_is_told_to_whom_no_old_value_will_do() {
    let scene = Scene::overdue(10);
    scene.origin.fails("down");
    assert_eq!(
        scene.safe(scope().max_stale("10s")).value(),
        Err(Oops("down"))
    );
    assert_eq!(
        scene.safe(scope().require_fresh()).value(),
        Err(Oops("down"))
    );
    assert_eq!(scene.safe(scope().max_stale("11s")).value(), Ok(1));
    assert_eq!(scene.safe(scope()).value(), Ok(1), "throttled");
    let calls = scene.origin.calls();
    assert_eq!(
        scene.safe(scope().require_fresh()).value(),
        Err(Oops("down"))
    );
    assert_eq!(
        scene.origin.calls(),
        calls + 1,
        "the throttle is for those who would have it"
    );
}

#[test]
fn a_timeout_does_not_serve_what_is_too_old() {
    let scene = Scene::overdue(10);
    scene.origin.takes(secs(1));
    let strict = scene.safe(scope().max_stale("10s"));
    let follower = scene.safe(scope().require_fresh());
    let easy = scene.safe(scope());
    scene.world.advance(millis(200));
    assert!(!strict.is_done() && !follower.is_done());
    assert_eq!(easy.value(), Ok(1));
    scene.world.advance(millis(800));
    assert_eq!((strict.value(), follower.value()), (Ok(2), Ok(2)));
    assert_eq!(scene.origin.calls(), 3);
}

#[test]
fn an_answer_of_another_call_that_is_too_old_is_not_taken() {
    let scene = Scene::overdue(10);
    scene.origin.fails("down");
    let gate = scene.origin.hold();
    let saved = scene.safe(scope());
    let strict = scene.safe(scope().require_fresh());
    gate.open();
    scene.world.settle();
    assert_eq!(saved.value(), Ok(1));
    assert_eq!(
        strict.value(),
        Err(Oops("down")),
        "it has asked the source itself"
    );
    assert_eq!(scene.origin.calls(), 4);
}

#[test]
fn an_entry_whose_hits_are_used_up_is_not_fresh() {
    #[cached(cache = cache, key = "few:{id}", ttl = "1h", refresh_hits = 1)]
    async fn few(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
        let _ = (cache, id);
        origin.call().await
    }

    let scene = Scene::overdue(0);
    let call = |scope: Scope| {
        let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
        let call = async move { few(&cache, &origin, 7).await };
        scene.world.run(scope.wrap(call))
    };
    assert_eq!(call(scope()), Ok(2));
    assert_eq!(call(scope()), Ok(2));
    scene.origin.gives(3);
    assert_eq!(call(scope().require_fresh()), Ok(3));
}

#[test]
fn get_and_get_or_load_are_bound_by_it_too() {
    let scene = Scene::overdue(5);
    let cache = scene.cache.clone();
    let read = async move {
        let own = cache.clone();
        let get = async move { own.get::<u64>("stale:7").await.unwrap() };
        assert_eq!(scope().require_fresh().wrap(get).await, None);
        assert_eq!(cache.get::<u64>("stale:7").await.unwrap(), Some(1));
        let fail = || async { Err::<u64, _>(Oops("down")) };
        let asked = cache.get_or_load("stale:7", fail).ttl("1m");
        assert_eq!(asked.max_stale("6s").await.unwrap(), 1);
        let asked = cache.get_or_load("stale:7", fail).ttl("1m");
        assert!(asked.require_fresh().await.is_err());
        let load = || async { Ok::<_, Oops>(5_u64) };
        let asked = cache.get_or_load("stale:7", load).ttl("1m");
        assert_eq!(asked.require_fresh().await.unwrap(), 5);
        let asked = cache.get_or_load("stale:7", load).ttl("1m");
        assert_eq!(asked.require_fresh().await.unwrap(), 5, "a hit");
    };
    scene.world.run(read);
}

#[test]
fn a_span_that_cannot_be_is_told_and_nothing_is_stored() {
    let scene = Scene::overdue(5);
    scene.log.take();
    let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
    let call = async move { stale(&cache, &origin, 8).await };
    assert_eq!(scene.world.run(scope().max_stale("-1s").wrap(call)), Ok(2));
    assert!(scene.log.count("bad policy stale:8") > 0);
    assert_eq!(scene.log.count("stored"), 0);
}

#[test]
fn a_scope_inside_another_allows_no_more_than_it() {
    let scene = Scene::overdue(5);
    let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
    let inner = async move {
        let call = async move { stale(&cache, &origin, 7).await };
        scope().max_stale("1h").wrap(call).await
    };
    assert_eq!(scene.world.run(scope().require_fresh().wrap(inner)), Ok(2));
}
