//! Which keys were read while something ran, from where, and how old they were.

mod support;

use larder::{Cache, Policy, Read, Remaining, Selector, Source, detect, detect_async};
use support::{Cached, Gate, Oops, Origin, World, secs};

/// Key, source and age in seconds of each read.
fn brief(reads: &[Read]) -> Vec<(&str, Source, Option<u64>)> {
    let age = |read: &Read| read.age.map(|age| age.as_secs());
    reads
        .iter()
        .map(|read| (read.key.as_str(), read.source, age(read)))
        .collect()
}

#[test]
fn direct_reads_are_told_with_their_age() {
    let world = World::new();
    let cache = world.builder().name("books").build().unwrap();
    cache.blocking().set("k", &1_u64).ttl("1h").wait().unwrap();
    world.advance(secs(7));
    let (values, reads) = detect(|| cache.blocking().get_many::<u64>(["k", "x"]).unwrap());
    assert_eq!(values, [Some(1), None]);
    let expected = [("k", Source::Fresh, Some(7)), ("x", Source::Missing, None)];
    assert_eq!(brief(&reads), expected);
    assert_eq!(
        (reads[0].tier.as_deref(), reads[1].tier.as_deref()),
        (Some("memory"), None)
    );
    assert_eq!(&*reads[0].cache, "books");
    assert_eq!(reads[0].function, None);
}

#[test]
fn every_way_an_answer_can_come_is_told() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").stale("10s").fail_safe("1h");
    let function = Cached::new(&cache, &origin, policy);
    let call = || detect(|| function.call_sync("k"));
    let sources = |reads: &[Read]| reads.iter().map(|r| r.source).collect::<Vec<_>>();
    let (_, loaded) = call();
    assert_eq!(brief(&loaded), [("k", Source::Loaded, None)]);
    assert_eq!(loaded[0].function, Some("tests::cached"));
    world.advance(secs(5));
    assert_eq!(brief(&call().1), [("k", Source::Fresh, Some(5))]);
    world.advance(secs(60));
    origin.fails("down");
    assert_eq!(brief(&call().1), [("k", Source::Refresh, Some(65))]);
    world.advance(secs(60));
    let (value, saved) = call();
    assert_eq!(value, Ok(1));
    assert_eq!(brief(&saved), [("k", Source::Saved, Some(125))]);
    let negative = function.clone().settle(|settle| settle.errors("1m"));
    assert!(negative.call_sync("n").is_err());
    let (value, reads) = detect(|| negative.call_sync("n"));
    assert_eq!(value, Err(Oops("down")));
    assert_eq!(sources(&reads), [Source::Negative]);
}

#[test]
fn who_waited_for_anothers_load_is_told_so() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let gate = origin.hold();
    let leader = world.spawn(detect_async(function.clone().call("k")));
    let follower = world.spawn(detect_async(function.call("k")));
    world.settle();
    gate.open();
    world.settle();
    assert_eq!(brief(&leader.value().1), [("k", Source::Loaded, None)]);
    assert_eq!(brief(&follower.value().1), [("k", Source::Coalesced, None)]);
}

#[test]
fn an_outer_detection_sees_what_an_inner_one_sees() {
    let world = World::new();
    let cache = world.cache();
    let read = |cache: &Cache, key: &str| drop(cache.blocking().get::<u64>(key));
    let (inner, outer) = detect(|| {
        read(&cache, "before");
        let ((), inner) = detect(|| read(&cache, "inside"));
        read(&cache, "after");
        inner
    });
    let keys = |reads: &[Read]| reads.iter().map(|r| r.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&inner), ["inside"]);
    assert_eq!(keys(&outer), ["before", "inside", "after"]);
}

#[test]
fn reads_of_nested_cached_functions_are_told_inner_first() {
    let world = World::new();
    let cache = world.cache();
    let nested = cache.clone();
    let load = move || {
        let inner = nested
            .blocking()
            .get_or_load("inner", || Ok::<_, Oops>(1_u64));
        Ok::<_, Oops>(inner.ttl("1m").wait().unwrap() + 1)
    };
    let (value, reads) = detect(|| cache.blocking().get_or_load("outer", load).ttl("1m").wait());
    assert_eq!(value.unwrap(), 2);
    let expected = [
        ("inner", Source::Loaded, None),
        ("outer", Source::Loaded, None),
    ];
    assert_eq!(brief(&reads), expected);
}

#[test]
fn a_batch_tells_each_of_its_keys() {
    let world = World::new();
    let cache = world.cache();
    cache.blocking().set("a", &1_u64).ttl("1m").wait().unwrap();
    let load = |keys: Vec<String>| async move {
        Ok::<_, Oops>(keys.into_iter().map(|key| (key, 2_u64)).collect())
    };
    let (found, mut reads) = detect(|| cache.get_or_load_many(["a", "b"], load).ttl("1m").wait());
    assert_eq!(found.unwrap().len(), 2);
    reads.reads.sort_by(|a, b| a.key.cmp(&b.key));
    let expected = [("a", Source::Fresh, Some(0)), ("b", Source::Loaded, None)];
    assert_eq!(brief(&reads), expected);
}

#[test]
fn a_detection_is_its_tasks_own() {
    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();
    let (inside, pass) = (cache.clone(), gate.pass());
    let task = world.spawn(detect_async(async move {
        inside.get::<u64>("mine").await.unwrap();
        pass.await;
        inside.get::<u64>("mine too").await.unwrap();
    }));
    world.settle();
    cache.blocking().get::<u64>("another's").unwrap();
    gate.open();
    world.settle();
    let ((), reads) = task.value();
    let keys: Vec<&str> = reads.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(keys, ["mine", "mine too"]);
}

#[test]
fn a_key_is_told_with_the_prefix_under_which_it_is_kept() {
    let world = World::new();
    let cache = world.builder().prefix("shop:").build().unwrap();
    let (_, reads) = detect(|| cache.blocking().get::<u64>("k"));
    assert_eq!(reads[0].key, "shop:k");
}

/// The words, and the seconds that are left.
fn lives(reads: &[Read]) -> Vec<(String, Option<Remaining>)> {
    reads
        .iter()
        .map(|read| (read.strategy.to_string(), read.remaining))
        .collect()
}

const fn left(seconds: u64) -> Option<Remaining> {
    Some(Remaining::For(secs(seconds)))
}

#[test]
fn a_read_is_told_with_the_words_of_its_policy_and_what_is_left_of_its_life() {
    let policies = [
        (Policy::new().ttl("1m"), "ttl", 60),
        (Policy::new().ttl("1m").stale("1m"), "ttl + stale", 120),
        (Policy::new().ttl("1m").early("30s"), "ttl + early", 60),
        (Policy::new().ttl("1m").soft("30s"), "ttl + soft", 60),
        (
            Policy::new().ttl("1m").fail_safe("1h"),
            "ttl + fail_safe",
            3660,
        ),
        (
            Policy::new().ttl("1m").hits(5).refresh_hits(2),
            "ttl + hits + refresh_hits",
            60,
        ),
    ];
    for (policy, words, life) in policies {
        let world = World::new();
        let function = Cached::new(&world.cache(), &Origin::new(&world, 1), policy);
        let call = || detect(|| function.call_sync("k")).1;
        assert_eq!(lives(&call()), [(words.to_owned(), left(life))], "loaded");
        world.advance(secs(10));
        let hit = call();
        assert_eq!(lives(&hit), [(words.to_owned(), left(life - 10))], "hit");
        assert_eq!(hit[0].template, Some("{key}"));
        assert_eq!(hit[0].hits, words.contains("hits").then_some(1));
    }
}

#[test]
fn a_failover_and_an_endless_entry_are_told() {
    let world = World::new();
    let policy = Policy::new().ttl("forever").failover();
    let function = Cached::new(&world.cache(), &Origin::new(&world, 1), policy);
    let (_, reads) = detect(|| function.call_sync("k"));
    let expected = [("ttl + failover".to_owned(), Some(Remaining::Forever))];
    assert_eq!(lives(&reads), expected);
}

#[test]
fn a_miss_has_no_strategy_and_no_life() {
    let world = World::new();
    let (_, reads) = detect(|| world.cache().blocking().get::<u64>("k"));
    assert_eq!(lives(&reads), [(String::new(), None)]);
}

#[test]
fn writes_are_told_with_their_life() {
    let world = World::new();
    let cache = world.builder().prefix("p:").build().unwrap();
    let ((), detected) = detect(|| {
        let cache = cache.blocking();
        cache.set("a", &1_u64).ttl("1m").wait().unwrap();
        cache
            .set_many([("b", 1_u64), ("c", 2)])
            .ttl("2m")
            .wait()
            .unwrap();
        cache.increment("n", 1).ttl("forever").wait().unwrap();
        cache.touch("a", "1h").unwrap();
        let load = || Ok::<_, Oops>(1_u64);
        cache
            .get_or_load("l", load)
            .ttl("1m")
            .fail_safe("1m")
            .wait()
            .unwrap();
    });
    let writes: Vec<_> = detected
        .writes
        .iter()
        .map(|write| {
            (
                write.key.as_str(),
                write.strategy.to_string(),
                write.remaining,
            )
        })
        .collect();
    let ttl = || "ttl".to_owned();
    let for_secs = |n| Remaining::For(secs(n));
    let expected = [
        ("p:a", ttl(), for_secs(60)),
        ("p:b", ttl(), for_secs(120)),
        ("p:c", ttl(), for_secs(120)),
        ("p:n", ttl(), Remaining::Forever),
        ("p:a", ttl(), for_secs(3600)),
        ("p:l", "ttl + fail_safe".to_owned(), for_secs(120)),
    ];
    assert_eq!(writes, expected);
    assert!(detected.writes.iter().all(|write| &*write.tier == "memory"));
    assert!(detected.removals.is_empty());
}

#[test]
fn a_write_that_wrote_nothing_is_not_told() {
    let world = World::new();
    let cache = world.cache();
    let ((), detected) = detect(|| {
        let cache = cache.blocking();
        assert!(
            !cache
                .set("k", &1_u64)
                .ttl("1m")
                .if_present()
                .wait()
                .unwrap()
        );
        assert!(cache.set("k", &1_u64).wait().is_err());
        assert!(!cache.touch("k", "1m").unwrap());
    });
    assert!(detected.writes.is_empty());
}

#[test]
fn removals_are_told_as_they_were_meant() {
    let world = World::new();
    let cache = world.builder().name("books").prefix("p:").build().unwrap();
    let ((), detected) = detect(|| {
        let cache = cache.blocking();
        cache.delete("k").unwrap();
        cache.delete_many(["a", "b"]).unwrap();
        cache.delete_prefix("u:").unwrap();
        cache.delete_tags(["t"]).unwrap();
        cache.clear().unwrap();
    });
    let selectors: Vec<_> = detected
        .removals
        .iter()
        .map(|r| r.selector.clone())
        .collect();
    let expected = [
        Selector::Keys(vec!["k".into()]),
        Selector::Keys(vec!["a".into(), "b".into()]),
        Selector::Prefix("u:".into()),
        Selector::Tags(vec!["t".into()]),
        Selector::All,
    ];
    assert_eq!(selectors, expected);
    assert!(detected.removals.iter().all(|r| &*r.cache == "books"));
}

#[test]
fn writes_and_removals_inside_reach_the_outer_detection_too() {
    let world = World::new();
    let cache = world.cache();
    let (inner, outer) = detect(|| {
        let set = |key| cache.blocking().set(key, &1_u64).ttl("1m").wait().unwrap();
        set("before");
        let (_, inner) = detect(|| {
            set("inside");
            cache.blocking().delete("inside").unwrap()
        });
        inner
    });
    assert_eq!((inner.writes.len(), inner.removals.len()), (1, 1));
    assert_eq!((outer.writes.len(), outer.removals.len()), (2, 1));
}

#[test]
fn what_runs_behind_is_not_told() {
    let world = World::new();
    let cache = world.cache();
    let policy = Policy::new().ttl("1m").stale("1m");
    let function = Cached::new(&cache, &Origin::new(&world, 1), policy);
    function.call_sync("k").unwrap();
    world.advance(secs(61));
    let (_, detected) = detect(|| function.call_sync("k"));
    world.settle();
    assert_eq!(brief(&detected), [("k", Source::Refresh, Some(61))]);
    assert!(detected.writes.is_empty());
    let (_, after) = detect(|| function.call_sync("k"));
    assert_eq!(
        brief(&after),
        [("k", Source::Fresh, Some(0))],
        "it was written all the same"
    );
}

#[test]
fn a_panic_inside_ends_the_detection() {
    let world = World::new();
    let cache = world.cache();
    let panics = || detect(|| panic!("inside"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    let (_, reads) = detect(|| cache.blocking().get::<u64>("k"));
    assert_eq!(reads.len(), 1);
}

#[cfg(feature = "serde")]
#[test]
fn over_a_store_the_tier_is_named_and_the_words_are_those_of_the_call() {
    use std::sync::Arc;

    let store = Arc::new(larder::testing::MemoryStore::new(Arc::new(
        larder::runtime::SystemRuntime::new(),
    )));
    let node = || Cache::builder().store(Arc::clone(&store) as Arc<dyn larder::store::Store>);
    let (a, b) = (node().build().unwrap(), node().build().unwrap());
    let call = |cache: &Cache| {
        let load = cache.blocking().get_or_load("k", || Ok::<_, Oops>(1_u64));
        let policy = Policy::new().ttl("1m").soft("30s").fail_safe("1h");
        detect(|| load.policy(policy).wait().unwrap()).1
    };
    let first = call(&a);
    assert_eq!(first[0].source, Source::Loaded);
    assert_eq!(first.writes.len(), 1);
    let second = call(&b);
    assert_eq!(second[0].tier.as_ref(), Some(&first.writes[0].tier));
    assert_eq!(second[0].strategy.to_string(), "ttl + soft + fail_safe");
    // Whether it has kept a copy depends on whether it hears of changes yet.
    assert!(second.writes.iter().all(|write| &*write.tier == "memory"));
    let (_, direct) = detect(|| b.blocking().get::<u64>("k"));
    // What the store keeps are instants: the words nearest to them. A copy, if there is one, has those of the call.
    let words = direct[0].strategy.to_string();
    let either = ["ttl + fail_safe", "ttl + soft + fail_safe"];
    assert!(either.contains(&&*words), "{words}");
    let (_, gone) = detect(|| b.blocking().delete("k").unwrap());
    assert_eq!(gone.removals.len(), 1);
}
