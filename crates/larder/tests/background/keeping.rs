//! What a schedule does to its value, in virtual time.

use std::sync::Arc;
use std::sync::Mutex;

use larder::background::Phase;
use larder::{Cache, ErrorKind, background};

use crate::support::{Log, Oops, Origin, World, millis, secs};

/// A cache in a world, and a source that does as it is told.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) cache: Cache,
    pub(crate) origin: Origin,
    pub(crate) heard: Arc<Mutex<Vec<Oops>>>,
}

impl Scene {
    pub(crate) fn new(world: &Arc<World>) -> (Self, Log) {
        let log = Log::default();
        // No jitter: the instants below are exact.
        world.set_random(0);
        let scene = Self {
            cache: world.observed(log.clone()),
            origin: Origin::new(world, 1),
            heard: Arc::default(),
        };
        (scene, log)
    }
}

#[background(cache = scene.cache, key = "rates", every = "30s", on_error = |e| scene.heard.lock().unwrap().push(e.clone()))]
pub(crate) async fn rates(scene: &Scene) -> Result<u64, Oops> {
    scene.origin.call().await
}

pub(crate) fn status(scene: &Scene) -> larder::background::Status {
    rates::status(scene).expect("it was started")
}

#[test]
fn the_first_run_is_one_interval_from_the_start_and_the_next_one_interval_later() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    world.advance(millis(29_999));
    assert_eq!(scene.origin.calls(), 0);
    assert_eq!(status(&scene).phase, Phase::Waiting);
    assert_eq!(status(&scene).next_run, Some(millis(1)));
    world.advance(millis(1));
    assert_eq!(scene.origin.calls(), 1);
    world.advance(millis(29_999));
    assert_eq!(scene.origin.calls(), 1);
    world.advance(millis(1));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(status(&scene).runs, 2);
    assert_eq!(status(&scene).next_run, Some(secs(30)));
}

#[test]
fn calls_are_hits_of_what_the_last_run_gave() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    world.advance(secs(30));
    for minute in 0..5 {
        scene.origin.gives(100 + minute);
        world.advance(secs(60));
        let call = scene.clone();
        let value = world.run(async move { rates(&call).await });
        assert_eq!(value, Ok(100 + minute));
    }
    assert_eq!(scene.origin.calls(), 11, "no call has loaded");
    assert_eq!(scene.cache.stats().fresh, 5);
}

#[test]
fn a_second_writer_of_a_key_is_refused_until_the_first_is_stopped() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let error = rates::start(&scene).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyStarted);
    let text = error.to_string();
    assert!(text.contains("`rates` has a writer already"), "{text}");
    assert!(rates::stop(&scene));
    assert!(!rates::stop(&scene), "there is none any more");
    assert_eq!(rates::status(&scene), None);
    rates::start(&scene).unwrap();
    world.advance(secs(30));
    assert_eq!(scene.origin.calls(), 1, "the first one runs no more");
}

#[test]
fn run_now_runs_at_once_and_then_one_interval_later() {
    #[background(cache = scene.cache, key = "rates", every = "30s", run_now)]
    async fn now(scene: &Scene) -> Result<u64, Oops> {
        scene.origin.call().await
    }

    let world = World::new();
    let (scene, _) = Scene::new(&world);
    now::start(&scene).unwrap();
    world.settle();
    assert_eq!(scene.origin.calls(), 1);
    world.advance(millis(29_999));
    assert_eq!(scene.origin.calls(), 1);
    world.advance(millis(1));
    assert_eq!(scene.origin.calls(), 2, "not two intervals later");
}

#[test]
fn on_demand_it_runs_when_it_is_told() {
    #[background(cache = scene.cache, key = "rates", on_demand, ttl = "10m")]
    async fn asked(scene: &Scene) -> Result<u64, Oops> {
        scene.origin.call().await
    }

    #[background(cache = scene.cache, key = "zero", every = "0s", ttl = "10m", run_now)]
    async fn zero(scene: &Scene) -> Result<u64, Oops> {
        scene.origin.call().await
    }

    let world = World::new();
    let (scene, _) = Scene::new(&world);
    asked::start(&scene).unwrap();
    assert_eq!(
        asked::start(&scene).unwrap_err().kind(),
        ErrorKind::AlreadyStarted
    );
    world.advance(secs(3_600));
    assert_eq!(scene.origin.calls(), 0);
    assert_eq!(asked::status(&scene).unwrap().next_run, None);
    let at = scene.clone();
    world.run(async move {
        asked::refresh(&at).await.unwrap();
        at.origin.gives(2);
        assert_eq!(asked(&at).await, Ok(1));
        asked::refresh(&at).await.unwrap();
        assert_eq!(asked(&at).await, Ok(2));
    });
    assert_eq!(scene.origin.calls(), 2);
    zero::start(&scene).unwrap();
    world.advance(secs(3_600));
    assert_eq!(scene.origin.calls(), 3, "once at the start");
}

#[test]
fn the_interval_may_be_an_expression_and_its_fault_is_told_at_the_start() {
    #[background(cache = scene.cache, key = "rates", every = interval)]
    async fn configured(scene: &Scene, interval: &'static str) -> Result<u64, Oops> {
        let _ = interval;
        scene.origin.call().await
    }

    let world = World::new();
    let (scene, _) = Scene::new(&world);
    for wrong in ["soon", "forever", "-1s"] {
        let error = configured::start(&scene, wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{wrong}");
    }
    configured::start(&scene, "1m").unwrap();
    world.advance(secs(60));
    assert_eq!(scene.origin.calls(), 1);
    let at = scene.clone();
    let left = world.run(async move { at.cache.remaining_ttl("rates").await.unwrap() });
    assert_eq!(left, Some(larder::Remaining::For(secs(120))));
}

#[test]
fn jitter_shortens_intervals_and_never_lengthens_them() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    world.set_random(u64::MAX);
    rates::start(&scene).unwrap();
    world.advance(secs(27));
    assert_eq!(scene.origin.calls(), 1, "a tenth, unless it is told");
    world.set_random(0);
    world.advance(secs(27));
    assert_eq!(scene.origin.calls(), 2, "drawn anew for each run");
    world.advance(secs(30));
    assert_eq!(scene.origin.calls(), 3);
}

#[test]
fn a_sync_function_stays_one() {
    #[background(cache = scene.cache, key = "sync", every = "30s", on_error = |e| scene.heard.lock().unwrap().push(e.clone()))]
    fn numbers(scene: &Scene) -> Result<u64, Oops> {
        scene.origin.call_now()
    }

    let world = World::new();
    let (scene, _) = Scene::new(&world);
    numbers::start(&scene).unwrap();
    world.advance(secs(30));
    assert_eq!(numbers(&scene), Ok(1));
    scene.origin.fails("down");
    world.advance(secs(30));
    assert_eq!(*scene.heard.lock().unwrap(), [Oops("down")]);
    scene.origin.panics("broken");
    world.advance(secs(30));
    scene.origin.gives(7);
    world.advance(secs(30));
    assert_eq!(numbers(&scene), Ok(7));
    assert_eq!(scene.origin.calls(), 4);
    assert!(numbers::stop(&scene));
}

#[test]
fn arguments_are_owned_and_each_key_has_a_schedule_of_its_own() {
    #[background(cache = scene.cache, key = "rate:{base}:{to}", every = "30s")]
    async fn rate(scene: &Scene, base: &str, to: String) -> Result<u64, Oops> {
        Ok(scene.origin.call().await? + base.len() as u64 + to.len() as u64)
    }

    let world = World::new();
    let (scene, _) = Scene::new(&world);
    for base in ["EUR", "USD"] {
        // Nothing of this is there any more when it runs.
        let borrowed = base.to_owned();
        rate::start(&scene, &borrowed, "GBP".to_owned()).unwrap();
    }
    assert!(rate::start(&scene, "EUR", "GBP".to_owned()).is_err());
    rate::start(&scene, "EUR", "CHF".to_owned()).unwrap();
    world.advance(secs(90));
    assert_eq!(scene.origin.calls(), 9);
    let at = scene.clone();
    let value = world.run(async move { rate(&at, "EUR", "GBP".to_owned()).await });
    assert_eq!(value, Ok(7));
    assert_eq!(scene.origin.calls(), 9);
}

#[test]
fn a_call_before_the_first_run_loads_once() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let at = scene.clone();
    world.run(async move {
        assert_eq!(rates(&at).await, Ok(1));
        assert_eq!(rates(&at).await, Ok(1));
    });
    assert_eq!(scene.origin.calls(), 1, "with or without a schedule");
}
