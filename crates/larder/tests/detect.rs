//! Which keys were read while something ran, from where, and how old they were.

mod support;

use larder::{Cache, Policy, Read, Source, detect, detect_async};
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
    reads.sort_by(|a, b| a.key.cmp(&b.key));
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
