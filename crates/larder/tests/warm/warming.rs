//! What a warming loads, leaves out and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::{Cache, ErrorKind, Operations, Warmed, cached};

use crate::support::{Log, Oops, Origin, World, millis, secs};

#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) cache: Cache,
    pub(crate) origin: Origin,
}

impl Scene {
    fn new(world: &Arc<World>) -> (Self, Log) {
        let log = Log::default();
        let scene = Self {
            cache: world.observed(log.clone()),
            origin: Origin::new(world, 1),
        };
        (scene, log)
    }
}

#[cached(cache = scene.cache, key = "user:{org}:{id}", ttl = "10m", fail_safe = "1h")]
async fn user(scene: &Scene, org: &str, id: u64) -> Result<u64, Oops> {
    if id % 10 == 9 {
        return Err(Oops("no such user"));
    }
    Ok(scene.origin.call().await? + id + org.len() as u64)
}

pub(crate) fn counts(warmed: &Warmed) -> (u64, u64, u64, u64) {
    let Warmed {
        loaded,
        skipped,
        failed,
        next,
        ..
    } = warmed;
    (*loaded, *skipped, *failed, *next)
}

#[test]
fn what_was_warmed_is_a_hit() {
    let world = World::new();
    let (scene, log) = Scene::new(&world);
    let at = scene.clone();
    let warmed = world.run(async move {
        // An item may own what the function borrows.
        let items = (0..5).map(|id| (&at, "acme".to_owned(), id));
        user::warm(items).await.unwrap()
    });
    assert_eq!(counts(&warmed), (5, 0, 0, 5));
    assert_eq!(log.count("Warmed"), 1);
    assert_eq!(scene.origin.calls(), 5);
    let at = scene.clone();
    let value = world.run(async move { user(&at, "acme", 3).await });
    assert_eq!(value, Ok(8));
    assert_eq!(scene.origin.calls(), 5);
}

#[test]
fn what_is_fresh_is_skipped_and_what_is_kept_past_its_time_is_loaded() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let warm = |scene: Scene, ids: std::ops::Range<u64>| async move {
        user::warm(ids.map(|id| (&scene, "acme", id)))
            .await
            .unwrap()
    };
    assert_eq!(counts(&world.run(warm(scene.clone(), 0..3))), (3, 0, 0, 3));
    assert_eq!(counts(&world.run(warm(scene.clone(), 0..5))), (2, 3, 0, 5));
    world.advance(secs(601));
    assert_eq!(counts(&world.run(warm(scene.clone(), 0..3))), (3, 0, 0, 3));
    assert_eq!(scene.origin.calls(), 8);
}

#[test]
fn errors_are_counted_and_stop_nothing() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let at = scene.clone();
    let warmed = world.run(async move {
        user::warm((0..30).map(|id| (&at, "acme", id)))
            .await
            .unwrap()
    });
    assert_eq!(counts(&warmed), (27, 0, 3, 30));
    assert_eq!(warmed.done(), 30);
    assert_eq!(warmed.to_string(), "27 loaded, 0 skipped, 3 failed");
}

#[test]
fn a_failure_that_a_kept_entry_stands_in_for_is_one() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let warm = |scene: Scene| async move {
        user::warm((0..2).map(|id| (&scene, "acme", id)))
            .await
            .unwrap()
    };
    world.run(warm(scene.clone()));
    world.advance(secs(601));
    scene.origin.fails("down");
    assert_eq!(counts(&world.run(warm(scene.clone()))), (0, 0, 2, 2));
}

#[test]
fn it_stops_after_so_many_failures_if_told_and_goes_on_from_there() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let at = scene.clone();
    let warmed = world.run(async move {
        let items = (0..100).map(|id| (&at, "acme", id));
        user::warm(items)
            .stop_after(2)
            .concurrency(1)
            .await
            .unwrap()
    });
    assert_eq!(counts(&warmed), (18, 0, 2, 20));
    let at = scene.clone();
    let warmed = world.run(async move {
        let items = (0..100).map(|id| (&at, "acme", id));
        user::warm(items).resume_from(warmed.next).await.unwrap()
    });
    assert_eq!(counts(&warmed), (72, 0, 8, 100));
    assert_eq!(scene.origin.calls(), 90, "no item was loaded twice");
}

#[test]
fn no_more_items_are_under_way_than_the_concurrency_says() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    scene.origin.takes(millis(100));
    for (concurrency, seconds) in [(Some(4), 4), (None, 2), (Some(16), 1)] {
        let (at, most) = (scene.clone(), concurrency.unwrap_or(8));
        let running = world.spawn(async move {
            let warm = user::warm(
                (0..144)
                    .filter(|id| id % 10 != 9)
                    .map(|id| (&at, "acme", id)),
            );
            match concurrency {
                Some(concurrency) => warm.concurrency(concurrency).await,
                None => warm.await,
            }
        });
        world.advance(secs(seconds));
        world.advance(secs(3));
        assert_eq!(scene.origin.most_at_once(), most);
        assert_eq!(running.value().unwrap().loaded, 130);
        world.run({
            let cache = scene.cache.clone();
            async move { cache.clear().await.unwrap() }
        });
    }
}

#[test]
fn progress_is_told_after_each_item() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let told = Arc::new(AtomicU64::new(0));
    let (at, sum) = (scene.clone(), Arc::clone(&told));
    world.run(async move {
        let items = (0..10).map(|id| (&at, "acme", id));
        let warm = user::warm(items).on_progress(move |warmed| {
            sum.fetch_add(warmed.done(), Ordering::Relaxed);
        });
        warm.await.unwrap();
    });
    assert_eq!(told.load(Ordering::Relaxed), (1..=10).sum::<u64>());
}

#[test]
fn a_sync_function_is_warmed_on_the_thread_that_waits() {
    #[cached(cache = cache, key = "square:{n}", ttl = "10m")]
    fn square(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        assert_eq!(std::thread::current().name(), Some("here"));
        n * n
    }

    let cache = Cache::builder().build().unwrap();
    let here = std::thread::Builder::new().name("here".into());
    let warm = move || {
        square::put(&cache, 3, 9).unwrap();
        let warmed = square::warm((0..10).map(|n| (&cache, n))).wait().unwrap();
        assert_eq!(counts(&warmed), (9, 1, 0, 10));
        assert_eq!(square::stats().loads, 9);
    };
    here.spawn(warm).unwrap().join().unwrap();
}

#[test]
fn one_argument_is_an_item_by_itself() {
    #[cached(key = "warm_names:{name}", ttl = "10m", local)]
    async fn greeting(name: &str) -> String {
        format!("hello {name}")
    }

    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let names = vec!["Ada".to_owned(), "Grace".to_owned()];
        let warm = async {
            let borrowed = names.iter().map(String::as_str);
            greeting::warm(borrowed).await.unwrap();
            greeting::warm(names.clone()).await.unwrap()
        };
        let warmed = larder::scope().default_cache(&cache).wrap(warm).await;
        assert_eq!(counts(&warmed), (0, 2, 0, 2));
    });
}

#[test]
fn methods_are_warmed_through_their_handle() {
    #[derive(Clone)]
    struct Service {
        cache: Cache,
        origin: Origin,
    }

    impl Service {
        #[cached(cache = self.cache, key = "user:{id}", ttl = "10m")]
        async fn user(&self, id: u64) -> Result<u64, Oops> {
            Ok(self.origin.call().await? + id)
        }

        #[cached(cache = self.cache, key = "both:{a}:{b}", ttl = "10m")]
        fn both(&self, a: &str, b: u32) -> u32 {
            a.len() as u32 + b
        }
    }

    let world = World::new();
    let service = Service {
        cache: world.cache(),
        origin: Origin::new(&world, 1),
    };
    let warmed = service.both_cache().warm([("a", 1), ("b", 2)]).wait();
    assert_eq!(counts(&warmed.unwrap()), (2, 0, 0, 2));
    let at = service.clone();
    world.run(async move {
        let warmed = at.user_cache().warm(0..20).concurrency(3).await.unwrap();
        assert_eq!(counts(&warmed), (20, 0, 0, 20));
        assert_eq!(at.user(7).await, Ok(8));
        assert_eq!(at.origin.calls(), 20);
    });
}

#[test]
fn a_cache_that_takes_nothing_is_an_error_before_anything_is_loaded() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    let at = scene.clone();
    world.run(async move {
        let warm = || user::warm((0..100).map(|id| (&at, "acme", id)));
        at.cache.switch_off(Operations::WRITE);
        let error = warm().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("switched off"), "{error}");
        at.cache.switch_on(Operations::WRITE);
        let error = warm().concurrency(0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        at.cache.close().await;
        let error = warm().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(at.origin.calls(), 0);
    });
}
