//! A value that was invalidated while it was being computed is never stored: every fill path against every invalidation.

mod support;

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::sync::Arc;

use larder::__private::{Target, forget_sync};
use larder::{Cache, Key, Policy, Selector};
use support::{Cached, Gate, Log, Origin, Running, World, secs};

/// A way in which a computed value comes to be stored.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Path {
    Foreground,
    Behind,
    SyncBehind,
    Refresh,
    Put,
    GetOrLoad,
    GetOrLoadMany,
    WaitedTooLong,
}

const PATHS: [Path; 8] = [
    Path::Foreground,
    Path::Behind,
    Path::SyncBehind,
    Path::Refresh,
    Path::Put,
    Path::GetOrLoad,
    Path::GetOrLoadMany,
    Path::WaitedTooLong,
];

type Invalidate = fn(&Cache);

const INVALIDATIONS: [(&str, Invalidate); 12] = [
    ("key", |c| assert!(c.blocking().delete("k:1").is_ok())),
    ("keys", |c| {
        assert!(c.blocking().delete_many(["x", "k:1"]).is_ok())
    }),
    ("prefix", |c| {
        assert!(c.blocking().delete_prefix("k:").is_ok())
    }),
    ("pattern", |c| {
        assert!(c.blocking().delete_pattern("k:?").is_ok())
    }),
    ("tag from arguments", |c| {
        assert!(c.blocking().delete_tags(["argument"]).is_ok())
    }),
    ("one tag of several", |c| {
        assert!(c.blocking().delete_tags(["x", "argument"]).is_ok())
    }),
    ("tag from the value", |c| {
        assert!(c.blocking().delete_tags(["value"]).is_ok())
    }),
    ("clear", |c| assert!(c.blocking().clear().is_ok())),
    ("selector", |c| {
        let keys = Selector::Keys(vec![Key::from("k:1")]);
        assert!(c.blocking().invalidate(keys).is_ok());
    }),
    ("target of an edge", |c| {
        forget_sync(&[Target::keys(c, "k:1")])
    }),
    ("target prefix of an edge", |c| {
        forget_sync(&[Target::prefix(c, "k")])
    }),
    ("all of an edge", |c| forget_sync(&[Target::all(c)])),
];

struct Scene {
    world: Arc<World>,
    log: Log,
    cache: Cache,
    origin: Origin,
    function: Cached,
}

impl Scene {
    fn new(prefix: &str) -> Self {
        let world = World::new();
        let log = Log::default();
        let builder = world.builder().observer(log.clone()).prefix(prefix);
        let cache = builder.build().unwrap();
        let origin = Origin::new(&world, 1);
        let policy = Policy::new().ttl("1m").stale("1h").wait("1s");
        let function = Cached::new(&cache, &origin, policy)
            .prepare(|plan| plan.tag("argument"))
            .settle(|settle| settle.tags_with(|_| "value"));
        Self {
            world,
            log,
            cache,
            origin,
            function,
        }
    }

    /// Starts a fill whose source has read 1 and waits.
    fn start(&self, path: Path) -> (Running<u64>, Gate) {
        if matches!(path, Path::Behind | Path::SyncBehind) {
            self.origin.gives(0);
            drop(self.world.run(self.function.clone().call("k:1")));
            self.world.advance(secs(60));
            self.origin.gives(1);
        }
        let earlier = (path == Path::WaitedTooLong).then(|| {
            self.origin.gives(0);
            drop(self.origin.hold());
            self.world.spawn(self.function.clone().call("k:1"))
        });
        self.world.settle();
        self.origin.gives(1);
        let gate = self.origin.hold();
        let function = self.function.clone();
        let running = match path {
            Path::Foreground | Path::WaitedTooLong => self.world.spawn(value(function.call("k:1"))),
            Path::Behind => self.world.spawn(value(function.call("k:1"))),
            // A sync source cannot wait here; its load behind is started and not run yet.
            Path::SyncBehind => {
                self.origin.flow();
                let served = function.call_sync("k:1").unwrap();
                self.world.spawn(async move { served })
            }
            Path::Refresh => self.world.spawn(value(function.refresh("k:1"))),
            Path::Put => self.world.spawn(value(function.put("k:1"))),
            Path::GetOrLoad => self.world.spawn(get_or_load(&self.cache, &self.origin)),
            Path::GetOrLoadMany => self
                .world
                .spawn(get_or_load_many(&self.cache, &self.origin)),
        };
        if path == Path::WaitedTooLong {
            self.world.advance(secs(1));
            earlier.unwrap().cancel();
        }
        if path != Path::SyncBehind {
            self.world.settle();
        }
        self.log.take();
        (running, gate)
    }

    fn stored(&self) -> Option<u64> {
        self.cache.blocking().get("k:1").unwrap()
    }

    fn superseded(&self) -> (usize, u64) {
        (self.log.count("superseded"), self.cache.stats().superseded)
    }
}

async fn value<E: std::fmt::Debug>(call: impl Future<Output = Result<u64, E>>) -> u64 {
    call.await.unwrap()
}

fn get_or_load(cache: &Cache, origin: &Origin) -> impl Future<Output = u64> + use<> {
    let (cache, origin) = (cache.clone(), origin.clone());
    async move {
        let load = || async move { origin.call().await };
        let loading = cache.get_or_load("k:1", load).ttl("1m");
        value(loading.tags(["argument", "value"]).into_future()).await
    }
}

fn get_or_load_many(cache: &Cache, origin: &Origin) -> impl Future<Output = u64> + use<> {
    let (cache, origin) = (cache.clone(), origin.clone());
    async move {
        let load = |keys: Vec<String>| {
            let origin = origin.clone();
            async move {
                let value = origin.call().await?;
                Ok::<_, support::Oops>(keys.into_iter().map(|key| (key, value)).collect())
            }
        };
        let loading = cache.get_or_load_many(["k:1", "other"], load).ttl("1m");
        let found: HashMap<String, u64> = loading.tags(["argument", "value"]).await.unwrap();
        assert_eq!(found["other"], found["k:1"]);
        found["k:1"]
    }
}

/// The sync load behind reads when it runs: the invalidation must come between its reading and its storing.
fn invalidate_inside(scene: &Scene, invalidate: Invalidate) {
    let cache = scene.cache.clone();
    let done = std::sync::atomic::AtomicBool::new(false);
    let inside = move || {
        if !done.swap(true, std::sync::atomic::Ordering::Relaxed) {
            invalidate(&cache);
        }
    };
    scene.origin.on_call(inside);
}

#[test]
fn without_an_invalidation_every_path_stores() {
    for path in PATHS {
        let scene = Scene::new("");
        let (call, gate) = scene.start(path);
        gate.open();
        scene.world.settle();
        let given = call.value();
        assert!(given <= 1, "{path:?}");
        assert_eq!(scene.stored(), Some(1), "{path:?}");
        assert_eq!(scene.superseded(), (0, 0), "{path:?}");
    }
}

#[test]
fn no_path_stores_what_was_invalidated_meanwhile_and_every_caller_gets_its_value() {
    for prefix in ["", "shop:"] {
        for path in PATHS {
            for (name, invalidate) in INVALIDATIONS {
                let case = format!("{path:?} against {name}, prefix `{prefix}`");
                let scene = Scene::new(prefix);
                let (call, gate) = scene.start(path);
                if path == Path::SyncBehind {
                    invalidate_inside(&scene, invalidate);
                } else {
                    invalidate(&scene.cache);
                }
                gate.open();
                scene.world.settle();
                let behind = matches!(path, Path::Behind | Path::SyncBehind);
                assert_eq!(call.value(), u64::from(!behind), "{case}");
                assert_eq!(scene.stored(), None, "{case}");
                let (told, counted) = scene.superseded();
                assert!(told >= 1, "{case}: told");
                assert_eq!(told as u64, counted, "{case}: counted");
            }
        }
    }
}

#[test]
fn who_comes_after_the_invalidation_does_not_join_the_older_load() {
    for path in PATHS {
        if path == Path::SyncBehind {
            continue;
        }
        for (name, invalidate) in INVALIDATIONS {
            let case = format!("{path:?} against {name}");
            let scene = Scene::new("");
            let (older, gate) = scene.start(path);
            invalidate(&scene.cache);
            scene.origin.flow();
            scene.origin.gives(2);
            let later = scene.world.spawn(scene.function.clone().call("k:1"));
            scene.world.settle();
            // Only a tag of the value is unknown before the value is: then the later caller waits, and asks again.
            assert!(later.is_done() || name == "tag from the value", "{case}");
            gate.open();
            scene.world.settle();
            assert!(older.value() <= 1, "{case}");
            assert_eq!(later.value(), Ok(2), "{case}");
            // A put may have changed what the later load has read before: then nobody knows, and nothing is kept.
            let expected = (path != Path::Put).then_some(2);
            assert_eq!(
                scene.stored(),
                expected,
                "{case}: the older value came later"
            );
        }
    }
}

#[test]
fn who_waited_already_gets_the_value_that_was_true_when_it_came() {
    let scene = Scene::new("");
    let (leader, gate) = scene.start(Path::Foreground);
    let follower = scene.world.spawn(scene.function.clone().call("k:1"));
    scene.world.settle();
    scene.cache.blocking().delete("k:1").unwrap();
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), 1);
    assert_eq!(follower.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
    assert_eq!(scene.stored(), None);
}

#[test]
fn a_value_that_is_not_to_be_kept_is_not_given_to_those_who_came_after_its_tag_was_forgotten() {
    let scene = Scene::new("");
    let function = scene.function.clone().settle(|settle| {
        settle.when(|_| false);
        settle.tags_with(|_| "value");
    });
    let gate = scene.origin.hold();
    let older = scene.world.spawn(function.clone().call("k:1"));
    scene.world.settle();
    scene.cache.blocking().delete_tags(["value"]).unwrap();
    scene.origin.flow();
    scene.origin.gives(2);
    let later = scene.world.spawn(function.call("k:1"));
    scene.world.settle();
    gate.open();
    scene.world.settle();
    assert_eq!(older.value(), Ok(1));
    assert_eq!(later.value(), Ok(2));
}

#[test]
fn a_write_from_outside_is_not_overwritten_by_a_load_under_way() {
    for path in [
        Path::Foreground,
        Path::Behind,
        Path::GetOrLoad,
        Path::GetOrLoadMany,
    ] {
        let scene = Scene::new("");
        let (call, gate) = scene.start(path);
        scene
            .cache
            .blocking()
            .set("k:1", &9_u64)
            .ttl("1m")
            .wait()
            .unwrap();
        gate.open();
        scene.world.settle();
        assert!(call.value() <= 1);
        assert_eq!(scene.stored(), Some(9), "{path:?}");
    }
}

#[test]
fn a_put_that_lost_to_a_write_meanwhile_leaves_nothing() {
    let scene = Scene::new("");
    let (put, gate) = scene.start(Path::Put);
    scene
        .cache
        .blocking()
        .set("k:1", &9_u64)
        .ttl("1m")
        .wait()
        .unwrap();
    gate.open();
    scene.world.settle();
    assert_eq!(put.value(), 1);
    assert_eq!(scene.stored(), None);
    assert_eq!(scene.superseded(), (1, 1));
}

#[test]
fn an_invalidation_of_something_else_costs_no_load() {
    for (name, invalidate) in [
        (
            "key",
            (|c| assert!(c.blocking().delete("k:2").is_ok())) as Invalidate,
        ),
        ("prefix", |c| {
            assert!(c.blocking().delete_prefix("k:11").is_ok())
        }),
        ("pattern", |c| {
            assert!(c.blocking().delete_pattern("k:??").is_ok())
        }),
        ("tag", |c| c.blocking().delete_tags(["another"]).unwrap()),
    ] {
        let scene = Scene::new("");
        let (call, gate) = scene.start(Path::Foreground);
        invalidate(&scene.cache);
        gate.open();
        scene.world.settle();
        assert_eq!(call.value(), 1);
        assert_eq!(scene.stored(), Some(1), "{name}");
        assert_eq!(scene.superseded(), (0, 0), "{name}");
    }
}

#[test]
fn an_invalidation_by_the_source_itself_counts() {
    let scene = Scene::new("");
    let cache = scene.cache.clone();
    scene
        .origin
        .on_call(move || assert!(cache.blocking().delete("k:1").is_ok()));
    assert_eq!(scene.world.run(scene.function.clone().call("k:1")), Ok(1));
    assert_eq!(scene.stored(), None);
}

#[test]
fn a_negative_entry_is_under_the_lease_too() {
    let scene = Scene::new("");
    let function = scene.function.clone().settle(|settle| settle.errors("1m"));
    scene.origin.fails("not found");
    let gate = scene.origin.hold();
    let call = scene.world.spawn(function.clone().call("k:1"));
    scene.world.settle();
    scene.cache.blocking().delete("k:1").unwrap();
    gate.open();
    scene.world.settle();
    assert!(call.value().is_err());
    scene.origin.flow();
    scene.origin.gives(2);
    assert_eq!(scene.world.run(function.call("k:1")), Ok(2));
    assert_eq!(scene.superseded(), (1, 1));
}

#[test]
fn what_was_forgotten_meanwhile_does_not_save_anybody() {
    let world = World::new();
    let origin = Origin::new(&world, 1);
    let cache = world.cache();
    let policy = Policy::new().ttl("1m").fail_safe("1h");
    let function = Cached::new(&cache, &origin, policy).prepare(|plan| plan.tag("t"));
    for invalidate in [
        (|c| assert!(c.blocking().delete("k").is_ok())) as Invalidate,
        |c| c.blocking().delete_tags(["t"]).unwrap(),
        |c| c.blocking().clear().unwrap(),
    ] {
        origin.flow();
        origin.gives(1);
        assert_eq!(world.run(function.clone().call("k")), Ok(1));
        world.advance(secs(60));
        origin.fails("down");
        let gate = origin.hold();
        let call = world.spawn(function.clone().call("k"));
        world.settle();
        invalidate(&cache);
        gate.open();
        world.settle();
        assert!(call.value().is_err(), "the kept value was forgotten");
    }
}
