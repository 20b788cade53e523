//! Several keys with one call: what is missing is loaded together, and loads are shared.

mod support;

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::sync::{Arc, Mutex};

use larder::{Cache, ErrorKind, Operations, Policy};
use support::{Gate, Log, Oops, Running, World, millis, secs};

type Found = HashMap<String, u64>;

/// A loader of several keys: gives the number in each key plus an offset, and remembers what it was asked for.
#[derive(Clone, Default)]
struct Loader {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<Vec<String>>,
    offset: u64,
    gate: Option<Gate>,
    fails: bool,
    leaves_out: Option<&'static str>,
    adds: Option<&'static str>,
}

impl Loader {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn hold(&self) -> Gate {
        let gate = Gate::default();
        self.change(|state| state.gate = Some(gate.clone()));
        gate
    }

    fn flow(&self) {
        self.change(|state| state.gate = None);
    }

    /// What it was asked for so far, each call's keys in order.
    fn asked(&self) -> Vec<Vec<String>> {
        let mut asked = self.state.lock().unwrap().asked.clone();
        asked.iter_mut().for_each(|keys| keys.sort());
        asked
    }

    fn load(&self, keys: Vec<String>) -> impl Future<Output = Result<Found, Oops>> + use<> {
        let (offset, gate, fails, leaves_out, adds) = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(keys.clone());
            let (leaves_out, adds) = (state.leaves_out, state.adds);
            (
                state.offset,
                state.gate.clone(),
                state.fails,
                leaves_out,
                adds,
            )
        };
        async move {
            if let Some(gate) = gate {
                gate.pass().await;
            }
            if fails {
                return Err(Oops("down"));
            }
            let number = |key: &str| key.trim_start_matches("k:").parse::<u64>().unwrap();
            let keys = keys.into_iter().chain(adds.map(str::to_owned));
            let keys = keys.filter(|key| Some(key.as_str()) != leaves_out);
            Ok(keys
                .map(|key| (key.clone(), number(&key) + offset))
                .collect())
        }
    }
}

struct Scene {
    world: Arc<World>,
    log: Log,
    cache: Cache,
    loader: Loader,
    policy: Policy,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let log = Log::default();
        Self {
            cache: world.observed(log.clone()),
            world,
            log,
            loader: Loader::default(),
            policy: Policy::new().ttl("1m"),
        }
    }

    fn start(&self, keys: &'static [&'static str]) -> Running<larder::Result<Found>> {
        let (cache, loader, policy) = (self.cache.clone(), self.loader.clone(), self.policy);
        let running = self.world.spawn(async move {
            let load = move |keys| loader.load(keys);
            let loading = cache.get_or_load_many(keys, load).policy(policy);
            loading.into_future().await
        });
        self.world.settle();
        running
    }

    #[track_caller]
    fn get(&self, keys: &'static [&'static str]) -> Found {
        self.start(keys).value().unwrap()
    }
}

fn found(entries: &[(&str, u64)]) -> Found {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), *value))
        .collect()
}

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
            "get_or_load_many `k:1`: zero is no span",
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
    let inner = cache.clone();
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
}
