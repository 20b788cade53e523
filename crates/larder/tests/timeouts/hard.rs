//! `hard_timeout`: no call waits for longer.

use std::sync::Arc;
use std::time::Duration;

use larder::{Cache, Event, Policy, Reason, Refused, cached};
use std::sync::Mutex;

use crate::support::{Log, Oops, Origin, Running, World, millis, secs};

#[derive(Debug, PartialEq)]
enum PageError {
    Late(String),
    Broken,
}

impl From<Refused> for PageError {
    fn from(refused: Refused) -> Self {
        assert_eq!(refused.reason(), Reason::TimedOut);
        Self::Late(refused.to_string())
    }
}

impl From<Oops> for PageError {
    fn from(_: Oops) -> Self {
        Self::Broken
    }
}

/// Borrows, so that its load goes with its caller.
#[cached(cache = cache, key = "page:{id}", ttl = "1m", fail_safe = "1h", hard_timeout = "5s")]
async fn page(cache: &Cache, origin: &mut Origin, id: u64) -> Result<u64, PageError> {
    let _ = (cache, id);
    Ok(origin.call().await?)
}

/// Owns, so that its load goes on.
#[cached(
    cache = cache, key = "page:{id}", ttl = "1m", fail_safe = "1h", timeout = "1s", hard_timeout = "5s"
)]
async fn owned(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, PageError> {
    let _ = (cache, id);
    Ok(origin.call().await?)
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

    fn page(&self, id: u64) -> Running<Result<u64, PageError>> {
        let (cache, mut origin) = (self.cache.clone(), self.origin.clone());
        let running = self
            .world
            .spawn(async move { page(&cache, &mut origin, id).await });
        self.world.settle();
        running
    }

    fn owned(&self, id: u64) -> Running<Result<u64, PageError>> {
        let (cache, origin) = (self.cache.clone(), self.origin.clone());
        let running = self
            .world
            .spawn(async move { owned(&cache, &origin, id).await });
        self.world.settle();
        running
    }
}

fn late() -> Result<u64, PageError> {
    Err(PageError::Late(
        "hard_timeout `page:7`: the call took longer than it may".into(),
    ))
}

#[test]
fn a_call_is_refused_after_its_time_and_a_source_that_borrows_is_dropped() {
    let scene = Scene::new();
    let gate = scene.origin.hold();
    let call = scene.page(7);
    scene.world.advance(secs(5) - millis(1));
    assert!(!call.is_done());
    scene.world.advance(millis(1));
    assert_eq!(call.value(), late());
    assert_eq!(scene.log.count("timed out page:7 5s"), 1);
    assert_eq!(scene.log.count("refused page:7"), 1);
    assert_eq!(
        scene.cache.stats().load_failures,
        0,
        "the source said nothing"
    );
    gate.open();
    scene.world.settle();
    assert_eq!(scene.log.count("stored"), 0);
    scene.origin.flow();
    assert_eq!(scene.page(7).value(), Ok(1));
}

#[test]
fn what_is_kept_stands_in_for_a_refusal() {
    let scene = Scene::new();
    assert_eq!(scene.page(7).value(), Ok(1));
    scene.world.advance(secs(60));
    let _gate = scene.origin.hold();
    let call = scene.page(7);
    scene.world.advance(secs(5));
    assert_eq!(call.value(), Ok(1));
    assert_eq!(scene.log.count("saved page:7"), 1);
    assert_eq!(scene.log.count("refused"), 0);
    assert_eq!(scene.page(7).value(), Ok(1), "throttled as after a failure");
}

#[test]
fn a_source_that_owns_its_arguments_finishes_behind_a_refused_call() {
    let scene = Scene::new();
    scene.origin.takes(secs(6));
    let call = scene.owned(7);
    scene.world.advance(secs(5));
    assert_eq!(call.value(), late());
    scene.world.advance(secs(1));
    assert_eq!(scene.log.count("stored page:7"), 1);
    assert_eq!(scene.owned(7).value(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn who_waits_for_another_is_refused_after_its_own_time() {
    let scene = Scene::new();
    scene.origin.takes(secs(7));
    let first = scene.owned(7);
    scene.world.advance(secs(3));
    let second = scene.owned(7);
    scene.world.advance(secs(2));
    assert_eq!(first.value(), late());
    assert!(!second.is_done());
    scene.world.advance(secs(2));
    assert_eq!(
        second.value(),
        Ok(1),
        "the load behind has come in its time"
    );
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn whoever_goes_to_the_source_itself_after_waiting_is_bounded_too() {
    #[cached(
        cache = cache, key = "page:{id}", ttl = "1m", wait = "1s", hard_timeout = "5s"
    )]
    async fn impatient(cache: &Cache, origin: &mut Origin, id: u64) -> Result<u64, PageError> {
        let _ = (cache, id);
        Ok(origin.call().await?)
    }

    let scene = Scene::new();
    let _gate = scene.origin.hold();
    let _first = scene.page(7);
    let (cache, mut origin) = (scene.cache.clone(), scene.origin.clone());
    let call = scene
        .world
        .spawn(async move { impatient(&cache, &mut origin, 7).await });
    scene.world.advance(secs(1));
    assert_eq!(scene.log.count("waited too long page:7"), 1);
    assert_eq!(scene.origin.calls(), 2);
    scene.world.advance(secs(4));
    assert_eq!(call.value(), late());
}

#[test]
fn a_refresh_that_was_asked_for_is_refused_although_an_entry_is_there() {
    let scene = Scene::new();
    assert_eq!(scene.owned(7).value(), Ok(1));
    let _gate = scene.origin.hold();
    let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
    let refresh = async move { owned::refresh(&cache, &origin, 7).await };
    let refresh = scene.world.spawn(refresh);
    scene.world.advance(secs(5));
    assert_eq!(refresh.value(), late());
    assert_eq!(scene.owned(7).value(), Ok(1), "the entry stays as it is");
}

#[test]
fn a_default_of_the_cache_bounds_functions_whose_error_can_carry_a_refusal() {
    #[cached(cache = cache, key = "can:{id}", ttl = "1m")]
    async fn can(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, PageError> {
        let _ = (cache, id);
        Ok(origin.call().await?)
    }

    #[cached(cache = cache, key = "cannot:{id}", ttl = "default")]
    async fn cannot(cache: &Cache, origin: &Origin, id: u64) -> Result<u64, Oops> {
        let _ = (cache, id);
        origin.call().await
    }

    let (world, log) = (World::new(), Log::default());
    let defaults = Policy::new().ttl("1m").hard_timeout("5s");
    let builder = world.builder().observer(log.clone()).defaults(defaults);
    let cache = builder.build().unwrap();
    let origin = Origin::new(&world, 1);
    origin.takes(secs(8));
    let (own, from) = (cache.clone(), origin.clone());
    let never = world.spawn(async move { can(&own, &from, 7).await });
    let (own, from) = (cache.clone(), origin.clone());
    let waits = world.spawn(async move { cannot(&own, &from, 7).await });
    world.advance(secs(5));
    assert!(
        !never.is_done(),
        "it says a ttl, so the defaults are not its own"
    );
    assert!(!waits.is_done(), "there is no error to say it with");
    assert_eq!(log.count("timed out cannot:7 5s"), 1, "but it is told");
    world.advance(secs(3));
    assert_eq!(waits.value(), Ok(1));
}

#[test]
fn get_or_load_is_bounded_as_far_as_its_source_allows() {
    let scene = Scene::new();
    scene.origin.takes(secs(10));
    let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
    let load = async move {
        let load = cache.get_or_load("page:7", || origin.call());
        load.ttl("1m").hard_timeout("5s").await
    };
    let call = scene.world.spawn(load);
    scene.world.advance(secs(5));
    let error = call.value().unwrap_err();
    let refused = error.source_as::<Refused>().expect("a refusal");
    assert_eq!(refused.reason(), Reason::TimedOut);

    scene.origin.takes(Duration::ZERO);
    let start = |takes| {
        scene.origin.takes(takes);
        let (cache, origin) = (scene.cache.clone(), scene.origin.clone());
        let call = async move {
            let load = move || async move { origin.call().await };
            let load = cache.get_or_load("page:8", load).ttl("1m");
            load.fail_safe("1h").timeout("1s").await
        };
        let call = scene.world.spawn(call);
        scene.world.settle();
        call
    };
    assert_eq!(start(Duration::ZERO).value().unwrap(), 1);
    scene.world.advance(secs(60));
    scene.origin.gives(2);
    let late = start(secs(3));
    scene.world.advance(secs(1));
    assert_eq!(late.value().unwrap(), 1);
    scene.world.advance(secs(2));
    assert_eq!(start(Duration::ZERO).value().unwrap(), 2);
}

#[test]
fn a_batch_is_refused_after_its_time() {
    let scene = Scene::new();
    let cache = scene.cache.clone();
    let world = Arc::clone(&scene.world);
    let call = async move {
        let load = |keys: Vec<String>| {
            let sleep = larder::runtime::Runtime::sleep(&*world, secs(10));
            async move {
                sleep.await;
                Ok::<_, Oops>(keys.into_iter().map(|key| (key, 1_u64)).collect())
            }
        };
        let policy = Policy::new().ttl("1m").hard_timeout("5s");
        cache
            .get_or_load_many(["a", "b"], load)
            .policy(policy)
            .await
    };
    let call = scene.world.spawn(call);
    scene.world.advance(secs(5));
    let error = call.value().unwrap_err();
    assert_eq!(
        error.source_as::<Refused>().map(Refused::reason),
        Some(Reason::TimedOut)
    );
}

#[test]
fn timeouts_that_contradict_each_other_are_refused() {
    let policy = Policy::new().ttl("1m").timeout("5s").hard_timeout("5s");
    let error = policy.check().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`timeout` must be shorter than `hard_timeout`")
    );
    assert!(Policy::new().timeout("0s").check().is_err());
    assert!(Policy::new().timeout("forever").check().is_err());
    assert!(Policy::new().hard_timeout("forever").check().is_err());
    assert!(Policy::new().hard_timeout("90000d").check().is_err());
}

#[test]
fn the_event_says_which_limit_has_come() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let world = World::new();
    let cache = world.observed(move |event: &Event<'_>| {
        if matches!(event, Event::TimedOut { .. } | Event::Refused { .. }) {
            tell.lock().unwrap().push(event.to_string());
        }
    });
    let origin = Origin::new(&world, 1);
    let _gate = origin.hold();
    let call = world.spawn(async move { owned(&cache, &origin, 7).await });
    world.advance(secs(5));
    assert_eq!(call.value(), late());
    assert_eq!(
        *told.lock().unwrap(),
        [
            "load of `page:7` takes longer than 5s",
            "refused: hard_timeout `page:7`: the call took longer than it may"
        ]
    );
}
