//! Who loads which keys, and who waits.

use larder::{ErrorKind, Policy};

use crate::support::{Gate, Log, Oops, World, millis, secs};
use crate::{Found, Scene, found};

#[test]
fn only_what_is_missing_is_loaded_and_with_one_call() {
    let scene = Scene::new();
    scene
        .cache
        .blocking()
        .set("k:2", &20_u64)
        .ttl("1m")
        .wait()
        .unwrap();
    let got = scene.get(&["k:1", "k:2", "k:3"]);
    assert_eq!(got, found(&[("k:1", 1), ("k:2", 20), ("k:3", 3)]));
    assert_eq!(scene.loader.asked(), [["k:1", "k:3"]]);
    assert_eq!(scene.get(&["k:3", "k:2", "k:1"]), got);
    assert_eq!(scene.loader.asked().len(), 1, "now all are there");
}

#[test]
fn no_keys_are_no_call() {
    let scene = Scene::new();
    assert_eq!(scene.get(&[]), Found::new());
    assert!(scene.loader.asked().is_empty());
}

#[test]
fn a_key_that_is_asked_for_twice_is_loaded_once() {
    let scene = Scene::new();
    assert_eq!(scene.get(&["k:1", "k:1", "k:1"]), found(&[("k:1", 1)]));
    assert_eq!(scene.loader.asked(), [["k:1"]]);
}

#[test]
fn a_key_that_the_loader_does_not_answer_is_left_out_and_asked_for_again() {
    let scene = Scene::new();
    scene.loader.change(|state| state.leaves_out = Some("k:2"));
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1)]));
    assert!(!scene.cache.blocking().exists("k:2").unwrap());
    scene.loader.change(|state| state.leaves_out = None);
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    assert_eq!(scene.loader.asked()[1], ["k:2"]);
}

#[test]
fn what_the_loader_was_not_asked_for_is_neither_given_nor_stored() {
    let scene = Scene::new();
    scene.loader.change(|state| state.adds = Some("k:9"));
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 1)]));
    assert!(!scene.cache.blocking().exists("k:9").unwrap());
}

#[test]
fn overlapping_batches_share_loads() {
    let scene = Scene::new();
    let gate = scene.loader.hold();
    let first = scene.start(&["k:1", "k:2", "k:3"]);
    let second = scene.start(&["k:2", "k:3", "k:4"]);
    gate.open();
    scene.world.settle();
    assert_eq!(
        first.value().unwrap(),
        found(&[("k:1", 1), ("k:2", 2), ("k:3", 3)])
    );
    assert_eq!(
        second.value().unwrap(),
        found(&[("k:2", 2), ("k:3", 3), ("k:4", 4)])
    );
    assert_eq!(
        scene.loader.asked(),
        [vec!["k:1", "k:2", "k:3"], vec!["k:4"]]
    );
    assert_eq!(scene.cache.stats().coalesced, 2);
}

#[test]
fn batches_that_overlap_in_a_circle_do_not_wait_for_ever() {
    let scene = Scene::new();
    let gate = scene.loader.hold();
    let calls = [
        scene.start(&["k:1", "k:2"]),
        scene.start(&["k:2", "k:3"]),
        scene.start(&["k:3", "k:1"]),
        scene.start(&["k:1", "k:2", "k:3"]),
    ];
    gate.open();
    scene.world.settle();
    assert!(calls.iter().all(|call| call.value().is_ok()));
    let mut asked: Vec<String> = scene.loader.asked().into_iter().flatten().collect();
    asked.sort();
    assert_eq!(
        asked,
        ["k:1", "k:2", "k:3"],
        "each key once, whoever loads it"
    );
    assert_eq!(scene.log.count("waited too long"), 0);
}

#[test]
fn a_batch_joins_the_load_of_a_single_key_and_the_other_way_round() {
    let scene = Scene::new();
    let single = Gate::default();
    let alone = {
        let (cache, gate) = (scene.cache.clone(), single.clone());
        scene.world.spawn(async move {
            let load = || async move {
                gate.pass().await;
                Ok::<_, Oops>(10_u64)
            };
            cache.get_or_load("k:1", load).ttl("1m").await
        })
    };
    scene.world.settle();
    let gate = scene.loader.hold();
    let batch = scene.start(&["k:1", "k:2"]);
    assert_eq!(scene.loader.asked(), [["k:2"]]);
    let follower = {
        let cache = scene.cache.clone();
        scene.world.spawn(async move {
            let load = || async { Ok::<_, Oops>(20_u64) };
            cache.get_or_load("k:2", load).ttl("1m").await
        })
    };
    gate.open();
    scene.world.settle();
    assert_eq!(follower.value().unwrap(), 2);
    assert!(!batch.is_done());
    single.open();
    scene.world.settle();
    assert_eq!(alone.value().unwrap(), 10);
    assert_eq!(batch.value().unwrap(), found(&[("k:1", 10), ("k:2", 2)]));
}

#[test]
fn a_failed_batch_is_an_error_with_the_sources_own_inside_and_stores_nothing() {
    let scene = Scene::new();
    scene.loader.change(|state| state.fails = true);
    let error = scene.start(&["k:1", "k:2"]).value().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    assert_eq!(error.operation(), "get_or_load_many");
    assert_eq!(error.source_as::<Oops>(), Some(&Oops("down")));
    assert!(scene.cache.is_empty());
    assert_eq!(scene.log.count("load failed"), 2, "told for each key");
    assert_eq!(scene.cache.stats().load_failures, 2);
    scene.loader.change(|state| state.fails = false);
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 1)]));
}

#[test]
fn a_dropped_batch_hands_its_keys_over() {
    let scene = Scene::new();
    let _gate = scene.loader.hold();
    let leader = scene.start(&["k:1", "k:2"]);
    let follower = scene.start(&["k:2", "k:1"]);
    scene.loader.flow();
    leader.cancel();
    scene.world.settle();
    assert_eq!(follower.value().unwrap(), found(&[("k:1", 1), ("k:2", 2)]));
}

#[test]
fn a_batch_waits_for_others_no_longer_than_its_policy_says() {
    let mut scene = Scene::new();
    let _gate = scene.loader.hold();
    let _leader = scene.start(&["k:1"]);
    scene.loader.flow();
    scene.loader.change(|state| state.offset = 100);
    scene.policy = Policy::new().ttl("1m").wait("2s");
    let follower = scene.start(&["k:1", "k:2"]);
    scene.world.advance(secs(2) - millis(1));
    assert!(!follower.is_done());
    scene.world.advance(millis(1));
    assert_eq!(
        follower.value().unwrap(),
        found(&[("k:1", 101), ("k:2", 102)])
    );
    assert_eq!(scene.log.count("waited too long k:1"), 1);
}

#[test]
fn who_waited_for_a_batch_that_failed_gets_its_error_without_another_call() {
    let scene = Scene::new();
    scene.loader.change(|state| state.fails = true);
    let gate = scene.loader.hold();
    let leader = scene.start(&["k:1", "k:2"]);
    let follower = scene.start(&["k:2"]);
    gate.open();
    scene.world.settle();
    for call in [leader, follower] {
        let error = call.value().unwrap_err();
        assert_eq!(error.source_as::<Oops>(), Some(&Oops("down")));
    }
    assert_eq!(scene.loader.asked().len(), 1);
}

#[test]
fn a_thread_can_load_a_batch() {
    let scene = Scene::new();
    let loader = scene.loader.clone();
    let load = move |keys| loader.load(keys);
    let loading = scene.cache.get_or_load_many(["k:1", "k:2"], load).ttl("1m");
    assert_eq!(loading.wait().unwrap(), found(&[("k:1", 1), ("k:2", 2)]));
}

#[test]
fn a_batch_inside_a_batch_for_the_same_key_is_noticed() {
    let world = World::new();
    let log = Log::default();
    let cache = world.observed(log.clone());
    let (inner, kept, stats) = (cache.clone(), cache.clone(), cache.clone());
    let got = world.run(async move {
        let load = move |_: Vec<String>| {
            let inner = inner.clone();
            async move {
                let load = |_: Vec<String>| async { Ok::<_, Oops>(found(&[("k:1", 1)])) };
                let nested = inner.get_or_load_many(["k:1"], load).ttl("1m").await;
                Ok::<_, Oops>(found(&[("k:1", nested.unwrap()["k:1"] + 1)]))
            }
        };
        cache.get_or_load_many(["k:1"], load).ttl("1m").await
    });
    assert_eq!(got.unwrap(), found(&[("k:1", 2)]));
    assert_eq!(log.count("recursion k:1"), 1);
    let kept = world.run(async move { kept.get::<u64>("k:1").await });
    assert_eq!(kept.unwrap(), Some(2), "the value, not a part of it");
    assert_eq!(stats.stats().loads, 2);
}
