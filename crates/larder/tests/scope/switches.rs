//! Operations that are off, for a scope or for all.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use larder::{Cache, Next, Operations, Policy, scope};

use crate::scene;
use crate::support::{self, Cached, Gate, Origin, World};

#[test]
fn with_reading_off_everything_is_a_miss_and_what_is_loaded_is_stored() {
    let scene = scene();
    scope().off(Operations::READ).run(|| {
        assert_eq!(scene.get(), None);
        assert!(!scene.cache.blocking().exists("k").unwrap());
        assert_eq!(
            scene.cache.blocking().get_many::<u64>(["k"]).unwrap(),
            [None]
        );
        assert_eq!(
            scene.cache.blocking().explain("k").unwrap().next,
            Next::Load
        );
        assert_eq!(scene.function.call_sync("k"), Ok(2));
    });
    assert_eq!(scene.get(), Some(2));
}

#[test]
fn with_writing_off_what_is_there_is_served_and_nothing_is_stored() {
    let scene = scene();
    scope().off(Operations::WRITE).run(|| {
        assert_eq!(scene.get(), Some(1));
        assert!(!scene.set(9));
        assert!(!scene.cache.blocking().touch("k", "2h").unwrap());
        assert_eq!(
            scene
                .cache
                .blocking()
                .set_many([("k", 9_u64)])
                .ttl("1h")
                .wait()
                .unwrap(),
            0
        );
        assert!(
            scene
                .cache
                .blocking()
                .increment("n", 1)
                .ttl("1h")
                .wait()
                .is_err()
        );
        assert_eq!(scene.function.call_sync("other"), Ok(2));
        assert_eq!(scene.function.call_sync("other"), Ok(2));
    });
    assert_eq!(scene.origin.calls(), 3);
    assert_eq!(scene.cache.blocking().scan("*").unwrap(), ["k"]);
    assert_eq!(scene.log.count("stored"), 0);
}

#[test]
fn with_removing_off_nothing_is_removed_nor_told_to_be() {
    let scene = scene();
    scope().off(Operations::REMOVE).run(|| {
        let cache = scene.cache.blocking();
        assert!(!cache.delete("k").unwrap());
        assert_eq!(cache.delete_many(["k"]).unwrap(), 0);
        assert_eq!(cache.delete_prefix("k").unwrap(), 0);
        assert_eq!(cache.delete_pattern("*").unwrap(), 0);
        cache.delete_tags(["t"]).unwrap();
        cache.clear().unwrap();
    });
    assert_eq!(scene.get(), Some(1));
    assert_eq!(scene.log.count("invalidated"), 0);
}

#[test]
fn with_all_off_a_function_is_its_source() {
    let scene = scene();
    scope().off(Operations::ALL).run(|| {
        assert_eq!(scene.function.call_sync("k"), Ok(2));
        assert_eq!(scene.function.call_sync("k"), Ok(2));
    });
    assert_eq!(scene.origin.calls(), 3);
    assert_eq!(scene.get(), Some(1));
    let stats = scene.cache.stats();
    assert_eq!(
        (stats.loads, stats.stored),
        (1, 1),
        "as if there were no cache"
    );
}

#[test]
fn an_inner_scope_adds_to_the_outer_one_and_takes_nothing_away() {
    let scene = scene();
    let off = || scene.cache.switched_off();
    scope().off(Operations::READ).run(|| {
        scope().off(Operations::WRITE).run(|| {
            assert_eq!(off(), Operations::READ | Operations::WRITE);
            scope().run(|| assert_eq!(off(), Operations::READ | Operations::WRITE));
        });
        assert_eq!(off(), Operations::READ);
    });
    assert_eq!(off(), Operations::NONE);
}

#[test]
fn what_was_there_is_restored_after_a_panic() {
    let scene = scene();
    scope().off(Operations::WRITE).run(|| {
        let inner = || scope().off(Operations::ALL).run(|| panic!("boom"));
        assert!(catch_unwind(AssertUnwindSafe(inner)).is_err());
        assert_eq!(scene.cache.switched_off(), Operations::WRITE);
    });
    let outer = || scope().invalidate_further().run(|| panic!("boom"));
    assert!(catch_unwind(AssertUnwindSafe(outer)).is_err());
    assert_eq!(scene.get(), Some(1));
}

#[test]
fn what_was_there_is_restored_after_a_future_was_dropped() {
    let scene = scene();
    let gate = Gate::default();
    let (cache, pass) = (scene.cache.clone(), gate.pass());
    let task = scene
        .world
        .spawn(scope().off(Operations::ALL).wrap(async move {
            assert_eq!(cache.switched_off(), Operations::ALL);
            pass.await;
        }));
    scene.world.settle();
    assert_eq!(
        scene.cache.switched_off(),
        Operations::NONE,
        "between its polls"
    );
    task.cancel();
    assert_eq!(scene.cache.switched_off(), Operations::NONE);
    assert_eq!(scene.get(), Some(1));
}

#[test]
fn a_panic_in_a_scoped_future_leaves_the_thread_as_it_was() {
    let scene = scene();
    let future = scope().off(Operations::ALL).wrap(async { panic!("boom") });
    let task = scene.world.spawn(future);
    scene.world.settle();
    assert_eq!(task.panic(), "boom");
    assert_eq!(scene.cache.switched_off(), Operations::NONE);
}

#[test]
fn a_scope_does_not_leak_to_other_tasks_on_the_same_thread() {
    let scene = scene();
    let gate = Gate::default();
    let seen = |cache: Cache, pass: support::Pass| async move {
        let before = cache.switched_off();
        pass.await;
        (before, cache.switched_off())
    };
    let scoped = scope()
        .off(Operations::READ)
        .wrap(seen(scene.cache.clone(), gate.pass()));
    let scoped = scene.world.spawn(scoped);
    let plain = scene.world.spawn(seen(scene.cache.clone(), gate.pass()));
    scene.world.settle();
    gate.open();
    scene.world.settle();
    assert_eq!(scoped.value(), (Operations::READ, Operations::READ));
    assert_eq!(plain.value(), (Operations::NONE, Operations::NONE));
}

#[test]
fn a_scope_follows_its_future_from_thread_to_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let cache = Cache::builder().build().unwrap();
    let task = runtime.spawn(scope().off(Operations::READ).wrap(async move {
        for _ in 0..200 {
            assert_eq!(cache.switched_off(), Operations::READ);
            tokio::task::yield_now().await;
        }
    }));
    runtime.block_on(task).unwrap();
}

#[test]
fn a_scope_does_not_reach_threads_and_tasks_that_are_started_inside() {
    let scene = scene();
    scope().off(Operations::ALL).run(|| {
        let cache = scene.cache.clone();
        let off = std::thread::spawn(move || cache.switched_off())
            .join()
            .unwrap();
        assert_eq!(off, Operations::NONE);
    });
    let (world, cache) = (Arc::clone(&scene.world), scene.cache.clone());
    let spawned = scope()
        .off(Operations::ALL)
        .run(|| world.spawn(async move { cache.switched_off() }));
    scene.world.settle();
    assert_eq!(spawned.value(), Operations::NONE);
}

#[test]
fn a_switch_for_all_is_seen_by_threads_and_tasks_that_are_started_later() {
    let scene = scene();
    scene.cache.switch_off(Operations::READ);
    let cache = scene.cache.clone();
    let seen = std::thread::spawn(move || {
        (
            cache.switched_off(),
            cache.blocking().get::<u64>("k").unwrap(),
        )
    });
    assert_eq!(seen.join().unwrap(), (Operations::READ, None));
    let function = scene.function.clone();
    assert_eq!(scene.world.run(function.call("k")), Ok(2));
    scene.cache.switch_on(Operations::READ);
    let cache = scene.cache.clone();
    let seen = std::thread::spawn(move || cache.blocking().get::<u64>("k").unwrap());
    assert_eq!(seen.join().unwrap(), Some(2));
}

#[test]
fn a_cache_that_was_built_off_is_off_for_threads_that_are_started_later() {
    let cache = Cache::builder().off(Operations::ALL).build().unwrap();
    let seen = std::thread::spawn(move || {
        let written = cache.blocking().set("k", &1_u64).ttl("1h").wait().unwrap();
        (written, cache.switched_off())
    });
    assert_eq!(seen.join().unwrap(), (false, Operations::ALL));
}

#[test]
fn a_scope_cannot_switch_on_what_is_off_for_all() {
    let scene = scene();
    scene.cache.switch_off(Operations::READ);
    scope().off(Operations::WRITE).run(|| {
        assert_eq!(
            scene.cache.switched_off(),
            Operations::READ | Operations::WRITE
        );
        scene.cache.switch_on(Operations::ALL);
        assert_eq!(
            scene.cache.switched_off(),
            Operations::WRITE,
            "the scope's own stays"
        );
    });
    assert_eq!(scene.get(), Some(1));
}

#[test]
fn switching_one_cache_off_leaves_another_on() {
    let (first, second) = (scene(), scene());
    first.cache.switch_off(Operations::ALL);
    assert_eq!(first.get(), None);
    assert_eq!(second.get(), Some(1));
}

#[test]
fn what_is_invalidated_while_removing_is_off_is_served_again_afterwards() {
    let scene = scene();
    scene.cache.switch_off(Operations::REMOVE);
    scene.cache.blocking().clear().unwrap();
    scene.cache.switch_on(Operations::REMOVE);
    assert_eq!(scene.get(), Some(1));
    assert!(scene.cache.blocking().delete("k").unwrap());
}

#[test]
fn a_load_behind_is_not_started_for_what_could_not_be_stored() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").stale("1h");
    let function = Cached::new(&cache, &origin, policy);
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    world.advance(support::secs(60));
    cache.switch_off(Operations::WRITE);
    assert_eq!(world.run(function.clone().call("k")), Ok(1));
    assert_eq!(world.loads(), 0);
}
