//! Schedules whose source fails, panics, hangs or is raced, and those that are stopped in the middle.

use larder::background::Phase;
use larder::{Cache, ErrorKind, background};

use crate::keeping::{Scene, rates, status};
use crate::support::{Oops, Origin, World, millis, secs};

#[test]
fn an_error_is_told_and_what_is_kept_stays_until_its_own_end() {
    let world = World::new();
    let (scene, log) = Scene::new(&world);
    rates::start(&scene).unwrap();
    world.advance(secs(30));
    scene.origin.fails("down");
    log.take();
    world.advance(secs(30));
    assert_eq!(*scene.heard.lock().unwrap(), [Oops("down")]);
    assert_eq!(log.count("RunFailed"), 1);
    assert_eq!(status(&scene).failures_in_a_row, 1);
    assert_eq!(status(&scene).runs, 1);
    world.advance(millis(29_999));
    let call = scene.clone();
    assert_eq!(world.run(async move { rates(&call).await }), Ok(1));
    world.advance(millis(1));
    let call = scene.clone();
    let after = world.run(async move { rates(&call).await });
    assert_eq!(after, Err(Oops("down")), "twice the interval is over");
    assert_eq!(
        scene.heard.lock().unwrap().len(),
        2,
        "a call gets its own error back"
    );
    scene.origin.gives(2);
    world.advance(secs(30));
    assert_eq!(status(&scene).failures_in_a_row, 0);
    let call = scene.clone();
    assert_eq!(world.run(async move { rates(&call).await }), Ok(2));
}

#[test]
fn an_error_is_heard_though_a_kept_value_stands_in_for_it() {
    #[background(cache = scene.cache, key = "safe", every = "30s", fail_safe = "1h", on_error = |e| scene.heard.lock().unwrap().push(e.clone()))]
    async fn safe(scene: &Scene) -> Result<u64, Oops> {
        scene.origin.call().await
    }

    let world = World::new();
    let (scene, _) = Scene::new(&world);
    safe::start(&scene).unwrap();
    world.advance(secs(30));
    scene.origin.fails("down");
    world.advance(secs(300));
    assert_eq!(scene.heard.lock().unwrap().len(), 10);
    assert_eq!(safe::status(&scene).unwrap().failures_in_a_row, 10);
    let call = scene.clone();
    assert_eq!(world.run(async move { safe(&call).await }), Ok(1));
}

#[test]
fn a_run_that_panics_does_not_end_the_schedule() {
    let world = World::new();
    let (scene, log) = Scene::new(&world);
    rates::start(&scene).unwrap();
    scene.origin.panics("broken");
    world.advance(secs(90));
    assert_eq!(status(&scene).failures_in_a_row, 3);
    assert_eq!(log.count("RunFailed"), 3);
    scene.origin.gives(2);
    world.advance(secs(30));
    assert_eq!(status(&scene).runs, 1);
}

#[test]
fn a_run_that_hangs_is_left_after_its_limit_and_never_overlaps_the_next() {
    let world = World::new();
    let (scene, log) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let _gate = scene.origin.hold();
    world.advance(secs(30));
    assert_eq!(status(&scene).phase, Phase::Running);
    world.advance(secs(59));
    assert_eq!(
        scene.origin.calls(),
        1,
        "the interval passed and the run went on"
    );
    scene.origin.flow();
    world.advance(secs(1));
    assert_eq!(log.count("RunFailed"), 1);
    assert_eq!(scene.origin.calls(), 2, "the next one was due long ago");
    world.advance(secs(30));
    assert_eq!(scene.origin.most_at_once(), 1);
    assert_eq!(status(&scene).runs, 2);
}

#[test]
fn a_run_that_is_slower_than_the_interval_is_followed_at_once_by_one_other() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    scene.origin.takes(secs(45));
    world.advance(secs(30));
    world.advance(secs(45 * 4));
    assert_eq!(status(&scene).runs, 4);
    assert_eq!(scene.origin.most_at_once(), 1);
}

#[test]
fn an_invalidation_during_a_run_wins() {
    let world = World::new();
    let (scene, log) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let gate = scene.origin.hold();
    world.advance(secs(30));
    let at = scene.clone();
    world.run(async move { rates::invalidate(&at).await.unwrap() });
    scene.origin.flow();
    gate.open();
    world.settle();
    assert_eq!(log.count("superseded"), 1);
    let at = scene.clone();
    let kept = world.run(async move { rates::peek(&at).await.unwrap() });
    assert_eq!(kept, None);
    world.advance(secs(30));
    let at = scene.clone();
    let kept = world.run(async move { rates::peek(&at).await.unwrap() });
    assert_eq!(kept, Some(1));
}

#[test]
fn a_caller_who_finds_nothing_joins_the_run_in_progress() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let gate = scene.origin.hold();
    world.advance(secs(30));
    let at = scene.clone();
    let call = world.spawn(async move { rates(&at).await });
    world.settle();
    gate.open();
    world.settle();
    assert_eq!(call.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_caller_who_loads_already_makes_a_run_unnecessary_for_now() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let gate = scene.origin.hold();
    let at = scene.clone();
    let call = world.spawn(async move { rates(&at).await });
    world.advance(secs(30));
    assert_eq!(scene.origin.calls(), 1, "no run beside the load");
    scene.origin.flow();
    gate.open();
    world.settle();
    assert!(call.is_done());
    world.advance(secs(3));
    assert_eq!(
        scene.origin.calls(),
        2,
        "it runs soon after, not an interval later"
    );
}

#[test]
fn a_refresh_waits_for_the_run_in_progress_and_then_runs() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let gate = scene.origin.hold();
    world.advance(secs(30));
    let at = scene.clone();
    let refresh = world.spawn(async move { rates::refresh(&at).await });
    world.settle();
    assert_eq!(scene.origin.calls(), 1);
    scene.origin.flow();
    scene.origin.gives(2);
    gate.open();
    world.settle();
    assert_eq!(refresh.value(), Ok(2));
    assert_eq!((scene.origin.calls(), scene.origin.most_at_once()), (2, 1));
    // One that hangs is waited for no longer than it may take.
    let _gate = scene.origin.hold();
    world.advance(secs(30));
    scene.origin.flow();
    let at = scene.clone();
    let refresh = world.spawn(async move { rates::refresh(&at).await });
    world.advance(secs(60));
    assert_eq!(refresh.value(), Ok(2));
}

#[test]
fn a_shutdown_waits_for_the_run_in_progress_and_begins_no_other() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    scene.origin.takes(secs(5));
    world.advance(secs(30));
    let cache = scene.cache.clone();
    let ending = world.spawn(async move { cache.shutdown().await });
    world.advance(millis(4_999));
    assert!(!ending.is_done());
    world.advance(millis(1));
    ending.value().unwrap();
    assert_eq!(rates::status(&scene), None);
    world.advance(secs(300));
    assert_eq!(scene.origin.calls(), 1);
    let at = scene.clone();
    assert_eq!(scene.cache.stats().stored, 1, "what it loaded was kept");
    world.run(async move { at.cache.shutdown().await.unwrap() });
    rates::start(&scene).unwrap();
}

#[test]
fn a_shutdown_that_waits_too_long_names_what_still_runs() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let _gate = scene.origin.hold();
    world.advance(secs(30));
    let cache = scene.cache.clone();
    let ending = world.spawn(async move { cache.shutdown().within("2s").await });
    world.advance(secs(2));
    let error = ending.value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error.to_string().contains("still running: `rates`"),
        "{error}"
    );
}

#[test]
fn a_cache_that_is_closed_or_gone_takes_its_schedules_with_it() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let cache = scene.cache.clone();
    world.run(async move { cache.close().await });
    world.advance(secs(60));
    assert_eq!(scene.origin.calls(), 0);
    assert_eq!(rates::start(&scene).unwrap_err().kind(), ErrorKind::Closed);

    static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

    #[background(key = "tick", every = "30s")]
    async fn tick() -> u32 {
        CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    let cache = world.cache();
    let sleepers = world.sleepers();
    let started = larder::scope().default_cache(&cache).run(tick::start);
    started.unwrap();
    world.settle();
    assert_eq!(world.sleepers(), sleepers + 1);
    drop(cache);
    world.settle();
    world.advance(secs(60));
    assert_eq!(CALLS.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[test]
fn a_keeper_that_its_runtime_drops_frees_the_key() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    world.settle();
    world.drop_chores();
    assert_eq!(rates::status(&scene), None);
    rates::start(&scene).unwrap();
    world.advance(secs(30));
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_run_that_its_runtime_drops_is_a_failed_one() {
    let world = World::new();
    let (scene, log) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let _gate = scene.origin.hold();
    world.advance(secs(30));
    world.drop_loads();
    world.settle();
    assert_eq!(log.count("RunFailed"), 1);
    assert_eq!(status(&scene).phase, Phase::Waiting);
    scene.origin.flow();
    world.advance(secs(30));
    assert_eq!(status(&scene).runs, 1);
}

#[test]
fn no_room_among_the_loads_behind_is_a_run_soon_after() {
    #[background(cache = cache, key = "n:{n}", every = "30s")]
    async fn number(cache: &Cache, origin: &Origin, n: u64) -> Result<u64, Oops> {
        let _ = (cache, n);
        origin.call().await
    }

    let world = World::new();
    world.set_random(0);
    let cache = world.builder().background_loads(1).build().unwrap();
    let origin = Origin::new(&world, 1);
    origin.takes(secs(1));
    for n in 0..2 {
        number::start(&cache, &origin, n).unwrap();
    }
    world.advance(secs(30));
    assert_eq!(origin.calls(), 1);
    assert_eq!(cache.stats().refreshes_refused, 1);
    world.advance(secs(3));
    assert_eq!(origin.calls(), 2);
    assert_eq!(origin.most_at_once(), 1);
    world.advance(secs(1));
    world.run(async move { cache.idle().await });
}
