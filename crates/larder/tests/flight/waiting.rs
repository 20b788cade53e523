//! Who leads, who waits, for how long, and who takes over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use larder::Cache;

use crate::support::{World, millis, secs};
use crate::{Scene, plain, plain_sync, ten_minutes};

#[test]
fn a_thousand_tasks_on_one_cold_key_call_the_source_once() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let calls: Vec<_> = (0..1_000).map(|_| scene.start()).collect();
    assert_eq!(scene.origin.calls(), 1);
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value() == Ok(1)));
    assert_eq!(scene.origin.calls(), 1);
    let stats = scene.function.cache.stats();
    assert_eq!(
        (stats.loads, stats.coalesced, stats.misses),
        (1, 999, 1_000)
    );
}

#[test]
fn tasks_and_threads_wait_together() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let leader = scene.start();
    let tasks: Vec<_> = (0..10).map(|_| scene.start()).collect();
    let threads: Vec<_> = (0..10)
        .map(|_| {
            let function = scene.function.clone();
            std::thread::spawn(move || function.call_sync("k"))
        })
        .collect();
    scene.world.await_sleepers(20);
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    assert!(tasks.iter().all(|task| task.value() == Ok(1)));
    assert!(
        threads
            .into_iter()
            .all(|thread| thread.join().unwrap() == Ok(1))
    );
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_thread_can_lead_tasks() {
    let world = World::new();
    let cache = world.cache();
    let (go, wait) = channel::<()>();
    let (entered, leading) = channel::<()>();
    let leader = {
        let cache = cache.clone();
        std::thread::spawn(move || {
            plain_sync(&cache, "k", || {
                entered.send(()).unwrap();
                wait.recv().unwrap();
                1
            })
        })
    };
    leading.recv().unwrap();
    let follower = world.spawn({
        let cache = cache.clone();
        async move { plain(cache, "k", || async { 2 }).await }
    });
    world.settle();
    assert!(!follower.is_done());
    go.send(()).unwrap();
    assert_eq!(leader.join().unwrap(), 1);
    world.settle();
    assert_eq!(follower.value(), 1);
}

#[test]
fn on_real_threads_and_tasks_one_cold_key_is_loaded_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let cache = Cache::builder().build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..100)
        .map(|_| {
            let (cache, calls) = (cache.clone(), Arc::clone(&calls));
            std::thread::spawn(move || {
                plain_sync(&cache, "k", || calls.fetch_add(1, Ordering::Relaxed) as u64)
            })
        })
        .collect();
    let tasks: Vec<_> = (0..1_000)
        .map(|_| {
            let (cache, calls) = (cache.clone(), Arc::clone(&calls));
            runtime.spawn(plain(cache, "k", move || async move {
                tokio::task::yield_now().await;
                calls.fetch_add(1, Ordering::Relaxed) as u64
            }))
        })
        .collect();
    for task in tasks {
        assert_eq!(runtime.block_on(task).unwrap(), 0);
    }
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 0);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[test]
fn a_dropped_leader_hands_over_to_one_of_those_who_wait() {
    let scene = Scene::new(ten_minutes());
    let _gate = scene.origin.hold();
    let leader = scene.start();
    let followers: Vec<_> = (0..5).map(|_| scene.start()).collect();
    assert_eq!(scene.origin.calls(), 1);
    scene.origin.flow();
    scene.origin.gives(2);
    leader.cancel();
    scene.world.settle();
    assert!(followers.iter().all(|call| call.value() == Ok(2)));
    assert_eq!(
        scene.origin.calls(),
        2,
        "one of the five leads, the others wait for it"
    );
}

#[test]
fn a_dropped_leader_without_followers_leaves_the_key_free() {
    let scene = Scene::new(ten_minutes());
    let _gate = scene.origin.hold();
    scene.start().cancel();
    scene.origin.flow();
    assert_eq!(scene.start().value(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_dropped_follower_disturbs_nobody() {
    let scene = Scene::new(ten_minutes());
    let gate = scene.origin.hold();
    let leader = scene.start();
    let gone = scene.start();
    let stays = scene.start();
    gone.cancel();
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    assert_eq!(stays.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 1);
}

#[test]
fn a_panic_of_the_source_reaches_its_caller_and_followers_go_on() {
    let scene = Scene::new(ten_minutes());
    scene.origin.panics("boom");
    let gate = scene.origin.hold();
    let leader = scene.start();
    let followers = [scene.start(), scene.start()];
    scene.origin.flow();
    scene.origin.gives(2);
    gate.open();
    scene.world.settle();
    assert_eq!(leader.panic(), "boom");
    assert!(followers.iter().all(|call| call.value() == Ok(2)));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(scene.start().value(), Ok(2), "nothing is poisoned");
}

#[test]
fn a_panic_of_a_sync_source_reaches_its_caller_and_leaves_the_key_free() {
    let scene = Scene::new(ten_minutes());
    scene.origin.panics("boom");
    let panic = catch_unwind(AssertUnwindSafe(|| scene.function.call_sync("k"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "boom");
    scene.origin.gives(2);
    assert_eq!(scene.function.call_sync("k"), Ok(2));
}

#[test]
fn a_panic_of_a_condition_is_a_panic_of_the_call_and_followers_go_on() {
    let scene = Scene::new(ten_minutes());
    let panics = Arc::new(AtomicUsize::new(1));
    let function = {
        let panics = Arc::clone(&panics);
        scene.function.clone().settle(move |settle| {
            settle.when(|_| {
                let left =
                    panics.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
                assert!(left.is_err(), "condition");
                true
            });
        })
    };
    let gate = scene.origin.hold();
    let leader = scene.world.spawn(function.clone().call("k"));
    scene.world.settle();
    let follower = scene.world.spawn(function.call("k"));
    scene.world.settle();
    scene.origin.flow();
    gate.open();
    scene.world.settle();
    assert_eq!(leader.panic(), "condition");
    assert_eq!(follower.value(), Ok(1));
}

#[test]
fn who_waits_longer_than_the_policy_says_asks_the_source_itself() {
    let scene = Scene::new(ten_minutes().wait("2s"));
    let gate = scene.origin.hold();
    let leader = scene.start();
    scene.world.advance(secs(1));
    let follower = scene.start();
    scene.origin.flow();
    scene.origin.gives(2);
    scene.world.advance(secs(2) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(millis(1));
    assert_eq!(follower.value(), Ok(2));
    assert_eq!(scene.log.count("waited too long k"), 1);
    assert!(!leader.is_done(), "the leader is not disturbed");
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    let stored = scene.function.cache.blocking().get::<u64>("k");
    assert_eq!(
        stored.unwrap(),
        Some(2),
        "what was asked for later is newer"
    );
    assert_eq!(scene.origin.calls(), 2);
}

#[test]
fn a_call_waits_half_a_minute_if_nothing_is_said() {
    let scene = Scene::new(ten_minutes());
    let _gate = scene.origin.hold();
    let _leader = scene.start();
    let follower = scene.start();
    scene.origin.flow();
    scene.world.advance(secs(30) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(millis(1));
    assert_eq!(follower.value(), Ok(1));
}

#[test]
fn who_waited_too_long_is_given_a_kept_value_rather_than_adding_to_the_load() {
    let scene = Scene::new(ten_minutes().fail_safe("1h").wait("2s"));
    assert_eq!(scene.start().value(), Ok(1));
    scene.world.advance(secs(600));
    let _gate = scene.origin.hold();
    let _leader = scene.start();
    let follower = scene.start();
    scene.world.advance(secs(2));
    assert_eq!(follower.value(), Ok(1));
    assert_eq!(scene.origin.calls(), 2);
    assert_eq!(scene.log.count("saved k"), 1);
}

#[test]
fn who_waited_too_long_is_given_what_was_written_meanwhile_and_it_keeps_its_own_time() {
    let policy = ten_minutes().fail_safe("1h").throttle("1h").wait("2s");
    let scene = Scene::new(policy);
    let gate = scene.origin.hold();
    let leader = scene.start();
    let follower = scene.start();
    let set = scene.function.cache.blocking().set("k", &9_u64);
    set.policy(policy).wait().unwrap();
    scene.world.advance(secs(2));
    assert_eq!(follower.value(), Ok(9));
    assert_eq!(scene.log.count("saved"), 0, "nothing has failed");
    gate.open();
    scene.world.settle();
    assert_eq!(leader.value(), Ok(1));
    scene.origin.flow();
    scene.origin.gives(2);
    scene.world.advance(secs(600));
    assert_eq!(
        scene.start().value(),
        Ok(2),
        "no throttle holds its source back"
    );
}

#[test]
fn the_deadline_counts_from_the_call_and_not_from_each_leader() {
    let scene = Scene::new(ten_minutes().wait("3s"));
    let _gate = scene.origin.hold();
    let first = scene.start();
    let heir = scene.start();
    let patient = scene.start();
    scene.world.advance(secs(2));
    first.cancel();
    scene.world.settle();
    assert_eq!(scene.origin.calls(), 2, "the heir leads");
    scene.origin.flow();
    scene.world.advance(secs(1) - millis(1));
    assert!(!patient.is_done());
    scene.world.advance(millis(1));
    assert_eq!(patient.value(), Ok(1));
    assert!(!heir.is_done());
}
