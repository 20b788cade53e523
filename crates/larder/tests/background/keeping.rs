//! What a schedule does to its value, in virtual time.

use std::sync::Arc;
use std::sync::Mutex;

use larder::background::Phase;
use larder::{Cache, ErrorKind, background};

use crate::support::{Log, Oops, Origin, World, millis, secs};

/// A cache in a world, and a source that does as it is told.
#[derive(Clone)]
struct Scene {
    cache: Cache,
    origin: Origin,
    heard: Arc<Mutex<Vec<Oops>>>,
}

impl Scene {
    fn new(world: &Arc<World>) -> (Self, Log) {
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
async fn rates(scene: &Scene) -> Result<u64, Oops> {
    scene.origin.call().await
}

fn status(scene: &Scene) -> larder::background::Status {
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
