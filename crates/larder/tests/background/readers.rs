//! Those who only read: a copy of their own, pulled on their own interval.

use larder::ErrorKind;

use crate::keeping::{Scene, rates};
use crate::support::{World, secs};

#[test]
fn a_reader_answers_at_once_with_what_it_pulled_last() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let reader = rates::reader(&scene).every("8s").start().unwrap();
    world.settle();
    assert_eq!(reader.value(), None, "nothing was written yet");
    world.advance(secs(32));
    assert_eq!(reader.value(), Some(1));
    scene.origin.gives(2);
    world.advance(secs(28));
    assert_eq!(reader.value(), Some(1), "pulled before the run");
    assert_eq!(reader.age(), Some(secs(4)));
    world.advance(secs(4));
    assert_eq!(reader.value(), Some(2));
    assert_eq!(scene.origin.calls(), 2, "reading never runs the body");
}

#[test]
fn two_readers_of_one_key_do_not_disturb_each_other() {
    let world = World::new();
    let (scene, _) = Scene::new(&world);
    rates::start(&scene).unwrap();
    let often = scene
        .cache
        .reader::<u64>("rates")
        .every("1s")
        .start()
        .unwrap();
    let seldom = scene
        .cache
        .reader::<u64>("rates")
        .every("1h")
        .start()
        .unwrap();
    world.advance(secs(31));
    assert_eq!((often.value(), seldom.value()), (Some(1), None));
    drop(seldom);
    scene.origin.gives(2);
    world.advance(secs(31));
    assert_eq!(often.value(), Some(2));
    let clone = often.clone();
    drop(often);
    scene.origin.gives(3);
    world.advance(secs(30));
    assert_eq!(clone.value(), Some(3), "its clones share its pulling");
    let sleepers = world.sleepers();
    drop(clone);
    world.settle();
    assert_eq!(world.sleepers(), sleepers - 1, "the last one ends it");
}

#[test]
fn without_a_value_it_gives_nothing_or_the_fallback() {
    let world = World::new();
    let cache = world.cache();
    let bare = cache.reader::<u64>("rates").start().unwrap();
    let safe = cache.reader::<u64>("rates").fallback(7).start().unwrap();
    world.settle();
    assert_eq!((bare.value(), safe.value()), (None, Some(7)));
    assert_eq!((safe.age(), bare.status().runs), (None, 1));
    cache
        .blocking()
        .set("rates", &8_u64)
        .ttl("1m")
        .wait()
        .unwrap();
    world.advance(secs(30));
    assert_eq!((bare.value(), safe.value()), (Some(8), Some(8)));
}

#[test]
fn a_reader_of_a_view_reads_under_its_prefix() {
    let world = World::new();
    let view = world.cache().scoped("shop:7:");
    view.blocking()
        .set("rates", &8_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    let reader = view.reader::<u64>("rates").start().unwrap();
    world.settle();
    assert_eq!(reader.value(), Some(8));
}

#[test]
fn what_the_source_has_forgotten_is_gone_after_the_next_pull() {
    let world = World::new();
    world.set_random(0);
    let cache = world.cache();
    cache
        .blocking()
        .set("rates", &8_u64)
        .ttl("1h")
        .wait()
        .unwrap();
    let reader = cache.reader::<u64>("rates").every("10s").start().unwrap();
    world.settle();
    assert_eq!(reader.value(), Some(8));
    cache.blocking().delete("rates").unwrap();
    world.advance(secs(10));
    assert_eq!(reader.value(), None);
}

#[test]
fn a_bad_reader_is_refused_with_what_is_wrong() {
    let world = World::new();
    let cache = world.cache();
    for reader in [
        cache.reader::<u64>("k").every("soon"),
        cache.reader::<u64>("k").ttl("0s"),
        cache.reader::<u64>("k").jitter("200%"),
    ] {
        let error = reader.start().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains("`k`"), "{error}");
    }
    let reader = cache.reader::<u64>("k").every("0s").start().unwrap();
    world.settle();
    cache
        .blocking()
        .set("k", &1_u64)
        .ttl("forever")
        .wait()
        .unwrap();
    world.advance(secs(100_000));
    assert_eq!(reader.value(), None, "it is told when to pull");
    reader.pull().wait().unwrap();
    world.advance(secs(100_000));
    assert_eq!(reader.value(), Some(1));
    world.run({
        let cache = cache.clone();
        async move { cache.close().await }
    });
    assert_eq!(reader.pull().wait().unwrap_err().kind(), ErrorKind::Closed);
}
