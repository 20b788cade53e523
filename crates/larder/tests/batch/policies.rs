//! What policies, switches, scopes and invalidations mean for several keys.

use larder::{ErrorKind, Operations, Policy, Read, Selector, Source, detect_async};

use crate::support::{World, secs};
use crate::{Loader, Scene, found};

#[test]
fn a_kept_value_stands_in_when_a_batch_fails() {
    let mut scene = Scene::new();
    scene.policy = Policy::new().ttl("1m").fail_safe("1h");
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    scene.world.advance(secs(60));
    scene.loader.change(|state| state.fails = true);
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    assert_eq!(scene.log.count("saved"), 2);
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    assert_eq!(
        scene.loader.asked().len(),
        2,
        "the throttle holds for it too"
    );
}

#[test]
fn of_a_batch_only_what_was_not_invalidated_meanwhile_is_stored() {
    let scene = Scene::new();
    let gate = scene.loader.hold();
    let batch = scene.start(&["k:1", "k:2"]);
    scene.cache.blocking().delete("k:1").unwrap();
    gate.open();
    scene.world.settle();
    assert_eq!(batch.value().unwrap(), found(&[("k:1", 1), ("k:2", 2)]));
    assert_eq!(scene.cache.blocking().scan("*").unwrap(), ["k:2"]);
    assert_eq!(scene.log.count("superseded k:1"), 1);
}

#[test]
fn a_batch_past_the_switch_reads_nothing_that_is_there() {
    let scene = Scene::new();
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 1)]));
    scene.loader.change(|state| state.offset = 100);
    scene.cache.switch_off(Operations::READ);
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 101)]));
    scene.cache.switch_on(Operations::READ);
    assert_eq!(
        scene.get(&["k:1"]),
        found(&[("k:1", 101)]),
        "what it loaded was stored"
    );
    scene.loader.change(|state| state.offset = 200);
    scene.cache.switch_off(Operations::WRITE);
    assert_eq!(scene.get(&["k:2"]), found(&[("k:2", 202)]));
    assert!(!scene.cache.blocking().exists("k:2").unwrap());
}

#[test]
fn a_batch_in_a_scope_that_invalidates_further_loads_all_anew() {
    let scene = Scene::new();
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    scene.loader.change(|state| state.offset = 100);
    let (cache, loader) = (scene.cache.clone(), scene.loader.clone());
    let got = scene
        .world
        .run(larder::scope().invalidate_further().wrap(async move {
            let load = move |keys| loader.load(keys);
            cache.get_or_load_many(["k:1", "k:2"], load).ttl("1m").await
        }));
    assert_eq!(got.unwrap(), found(&[("k:1", 101), ("k:2", 102)]));
}

#[test]
fn a_stale_batch_is_served_and_reloaded_by_one_of_the_callers() {
    let mut scene = Scene::new();
    scene.policy = Policy::new().ttl("1m").stale("1h");
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    scene.world.advance(secs(60));
    scene.loader.change(|state| state.offset = 100);
    let gate = scene.loader.hold();
    let claims = scene.start(&["k:1", "k:2"]);
    assert_eq!(
        scene.get(&["k:1", "k:2"]),
        found(&[("k:1", 1), ("k:2", 2)]),
        "nobody else waits"
    );
    gate.open();
    scene.world.settle();
    assert_eq!(
        claims.value().unwrap(),
        found(&[("k:1", 101), ("k:2", 102)])
    );
    assert_eq!(
        scene.get(&["k:1", "k:2"]),
        found(&[("k:1", 101), ("k:2", 102)])
    );
    assert_eq!(scene.loader.asked().len(), 2);
}

#[test]
fn of_a_failed_batch_what_is_stale_is_served_and_its_source_left_alone() {
    let mut scene = Scene::new();
    scene.policy = Policy::new().ttl("1m").stale("1h").throttle("30s");
    assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    scene.world.advance(secs(60));
    scene.loader.change(|state| state.fails = true);
    for _ in 0..10 {
        assert_eq!(scene.get(&["k:1", "k:2"]), found(&[("k:1", 1), ("k:2", 2)]));
    }
    assert_eq!(scene.loader.asked().len(), 2);
    assert_eq!(scene.log.count("refresh failed"), 2);
    assert!(
        scene.start(&["k:1", "k:3"]).value().is_err(),
        "nothing is kept of k:3"
    );
}

#[test]
fn a_stale_batch_is_served_when_its_reload_fails() {
    let mut scene = Scene::new();
    scene.policy = Policy::new().ttl("1m").stale("1h");
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 1)]));
    scene.world.advance(secs(60));
    scene.loader.change(|state| state.fails = true);
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 1)]));
}

#[test]
fn tags_and_a_prefix_of_the_cache_hold_for_a_batch() {
    let world = World::new();
    let cache = world.builder().prefix("shop:").build().unwrap();
    let loader = Loader::default();
    let get = || {
        let (cache, loader) = (cache.clone(), loader.clone());
        world.run(async move {
            let load = move |keys| loader.load(keys);
            let loading = cache.get_or_load_many(["k:1"], load).ttl("1m");
            loading.tags(["t"]).await.unwrap()
        })
    };
    assert_eq!(get(), found(&[("k:1", 1)]));
    assert_eq!(
        loader.asked(),
        [["k:1"]],
        "the loader is given keys as they were asked for"
    );
    assert_eq!(cache.blocking().explain("k:1").unwrap().key, "shop:k:1");
    cache.blocking().delete_tags(["t"]).unwrap();
    assert_eq!(get(), found(&[("k:1", 1)]));
    assert_eq!(loader.asked().len(), 2);
}

#[test]
fn a_batch_refuses_a_bad_policy_before_it_loads() {
    let scene = Scene::new();
    for (policy, message) in [
        (Policy::new(), "get_or_load_many `k:1`: no `ttl`"),
        (
            Policy::new().ttl(0),
            "get_or_load_many `k:1`: a span cannot be zero",
        ),
    ] {
        let (cache, loader) = (scene.cache.clone(), scene.loader.clone());
        let load = move |keys| loader.load(keys);
        let loading = cache.get_or_load_many(["k:1"], load).policy(policy);
        let error = loading.wait().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().starts_with(message), "{error}");
    }
    assert!(scene.loader.asked().is_empty());
}

#[test]
fn what_the_source_no_longer_has_is_told_by_its_own_key_and_only_if_it_was_forgotten() {
    let mut scene = Scene::new();
    let builder = scene.world.builder().prefix("shop:");
    scene.cache = builder.observer(scene.log.clone()).build().unwrap();
    scene.policy = Policy::new().ttl("1m").fail_safe("1h");
    assert_eq!(scene.get(&["k:1"]), found(&[("k:1", 1)]));
    scene.world.advance(secs(60));
    scene.loader.change(|state| state.leaves_out = Some("k:1"));
    scene.log.take();
    scene.cache.switch_off(Operations::REMOVE);
    assert_eq!(scene.get(&["k:1"]), found(&[]));
    assert_eq!(scene.log.count("invalidated"), 0);
    scene.cache.switch_on(Operations::REMOVE);
    assert_eq!(scene.get(&["k:1"]), found(&[]));
    let told = format!("invalidated {:?}", Selector::Keys(vec!["k:1".into()]));
    assert_eq!(scene.log.count(&told), 1);
}

#[test]
fn of_what_was_not_stored_no_time_is_told() {
    let scene = Scene::new();
    let gate = scene.loader.hold();
    let (cache, loader) = (scene.cache.clone(), scene.loader.clone());
    let load = move |keys| loader.load(keys);
    let batch = scene.world.spawn(detect_async(async move {
        let loading = cache.get_or_load_many(["k:1", "k:2"], load).ttl("1m");
        loading.await.unwrap();
    }));
    scene.world.settle();
    scene.cache.blocking().delete("k:1").unwrap();
    gate.open();
    scene.world.settle();
    let ((), reads) = batch.value();
    let of = |key: &str| {
        let loaded = |read: &&Read| read.key.as_str() == key && read.source == Source::Loaded;
        reads.iter().find(loaded).unwrap().remaining
    };
    assert_eq!(of("k:1"), None);
    assert!(of("k:2").is_some());
}
