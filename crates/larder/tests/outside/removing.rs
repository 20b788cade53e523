//! Removing, closing, scopes, and what is told of it.

use std::future::IntoFuture;

use larder::{Error, ErrorKind, Next, Operations, Remaining, Selector, Verdict};

use crate::nodes::{Calls, Oops, World, seconds};

#[test]
fn every_selector_reaches_the_store() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    let fill = || {
        world.wait(async {
            for key in ["a:1", "a:2", "b:1"] {
                let tag = &key[..1];
                a.cache
                    .set(key, &1_u64)
                    .ttl("1h")
                    .tags([tag])
                    .await
                    .unwrap();
            }
        });
    };
    let left = || {
        let mut left = Vec::new();
        for key in ["a:1", "a:2", "b:1"] {
            if world.wait(a.cache.get::<u64>(key)).unwrap().is_some() {
                left.push(key);
            }
        }
        left
    };
    let cases: [(Selector, usize, &[&str]); 5] = [
        (
            Selector::Keys(vec!["a:1".into(), "c".into()]),
            1,
            &["a:2", "b:1"],
        ),
        (Selector::Prefix("a:".into()), 2, &["b:1"]),
        (Selector::Pattern("?:1".into()), 2, &["a:2"]),
        (Selector::Tags(vec!["a".into()]), 0, &["b:1"]),
        (Selector::All, 3, &[]),
    ];
    for (selector, removed, rest) in cases {
        fill();
        let answer = world.wait(b.cache.invalidate(selector.clone())).unwrap();
        assert_eq!((answer, &*left()), (removed, rest), "{selector:?}");
    }
}

#[test]
fn another_cache_on_the_same_store_is_left_alone() {
    let world = World::new(1);
    let (a, b) = (
        world.node_with(|builder| builder.prefix("a*:")),
        world.node_with(|builder| builder.prefix("ab:")),
    );
    world.wait(async {
        b.cache
            .set("k", &1_u64)
            .ttl("1h")
            .tags(["t"])
            .await
            .unwrap();
        a.cache
            .set("k", &2_u64)
            .ttl("1h")
            .tags(["t"])
            .await
            .unwrap();
        assert_eq!(a.cache.scan("*").await.unwrap(), ["k"]);
        a.cache.delete_tags(["t"]).await.unwrap();
        assert_eq!(a.cache.delete_pattern("*").await.unwrap(), 1);
        a.cache.clear().await.unwrap();
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), None);
        assert_eq!(b.cache.get::<u64>("k").await.unwrap(), Some(1));
    });
}

#[test]
fn a_removal_that_did_not_get_through_is_an_error_that_names_the_operation() {
    let world = World::new(1);
    let a = world.hybrid("1h");
    world.wait(async {
        a.cache.set("k", &1_u64).ttl("1h").await.unwrap();
        a.store.refuse();
        let errors: Vec<Error> = vec![
            a.cache.delete("k").await.unwrap_err(),
            a.cache.delete_many(["k"]).await.unwrap_err(),
            a.cache.delete_prefix("k").await.unwrap_err(),
            a.cache.delete_tags(["k"]).await.unwrap_err(),
            a.cache.clear().await.unwrap_err(),
            a.cache.get::<u64>("k").await.unwrap_err(),
            a.cache.set("k", &1_u64).ttl("1h").await.unwrap_err(),
            a.cache.increment("n", 1).ttl("1h").await.unwrap_err(),
            a.cache.exists("k").await.unwrap_err(),
            a.cache.touch("k", "1h").await.unwrap_err(),
            a.cache.lock("l").await.unwrap_err(),
            a.cache.scan("*").await.unwrap_err(),
            a.cache.ping().await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        }
        assert!(a.cache.is_empty(), "memory has forgotten it all the same");
    });
}

#[test]
fn a_closed_cache_refuses_and_leaves_the_store_as_it_is() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world.wait(async {
        a.cache.set("k", &1_u64).ttl("1h").await.unwrap();
        a.cache.close().await;
        let closed = a.cache.get::<u64>("k").await.unwrap_err();
        assert_eq!(closed.kind(), ErrorKind::Closed);
        let load = || async { Ok::<_, Oops>(1_u64) };
        assert!(a.cache.get_or_load("k", load).ttl("1h").await.is_err());
        assert_eq!(b.cache.get::<u64>("k").await.unwrap(), Some(1));
    });
}

#[test]
fn inside_a_forgetting_scope_the_store_is_forgotten_too() {
    let world = World::new(1);
    let (a, b, calls) = (world.hybrid("1h"), world.node(), Calls::new());
    let set = || world.wait(b.cache.set("k", &100_u64).ttl("1h").into_future());
    let forgetting = || larder::scope().invalidate_further();
    set().unwrap();
    let got = forgetting().wrap(a.cache.get::<u64>("k"));
    assert_eq!(world.wait(got).unwrap(), None);
    assert_eq!(world.wait(b.cache.get::<u64>("k")).unwrap(), None);
    set().unwrap();
    let got = forgetting().wrap(a.cache.get_many::<u64>(["k"]));
    assert_eq!(world.wait(got).unwrap(), [None]);
    set().unwrap();
    let load = || async { calls.call() };
    let got = a.cache.get_or_load("k", load).ttl("1h");
    assert_eq!(world.wait(forgetting().wrap(got.into_future())).unwrap(), 1);
    assert_eq!(world.wait(b.cache.get::<u64>("k")).unwrap(), Some(1));
    let load = |_| async { Ok::<_, Oops>([("k".to_owned(), 7_u64)].into()) };
    let got = b.cache.get_or_load_many(["k"], load).ttl("1h");
    let got = world.wait(forgetting().wrap(got.into_future()));
    assert_eq!(got.unwrap()["k"], 7);
}

#[test]
fn what_is_switched_off_does_not_reach_the_store() {
    let world = World::new(1);
    let (a, b) = (world.node(), world.node());
    world
        .wait(b.cache.set("k", &1_u64).ttl("1h").into_future())
        .unwrap();
    let off = |what| larder::scope().off(what);
    let calls = Calls::new();
    world.wait(async {
        let got = off(Operations::READ).wrap(a.cache.get::<u64>("k")).await;
        assert_eq!(got.unwrap(), None);
        let set = a.cache.set("k", &2_u64).ttl("1h").into_future();
        assert!(!off(Operations::WRITE).wrap(set).await.unwrap());
        assert!(
            !off(Operations::WRITE)
                .wrap(a.cache.touch("k", "2h"))
                .await
                .unwrap()
        );
        assert!(
            !off(Operations::REMOVE)
                .wrap(a.cache.delete("k"))
                .await
                .unwrap()
        );
        assert!(off(Operations::REMOVE).wrap(a.cache.clear()).await.is_ok());
        let load = a.cache.get_or_load("k", || async { calls.call() });
        let load = off(Operations::ALL).wrap(load.ttl("1h").into_future());
        assert_eq!(load.await.unwrap(), 1);
        let load = a.cache.get_or_load("l", || async { calls.call() });
        let load = off(Operations::WRITE).wrap(load.ttl("1h").into_future());
        assert_eq!(load.await.unwrap(), 2);
        assert_eq!(b.cache.get::<u64>("l").await.unwrap(), None);
    });
    assert_eq!(world.wait(b.cache.get::<u64>("k")).unwrap(), Some(1));
    let left = world.wait(b.cache.remaining_ttl("k")).unwrap().unwrap();
    assert!(matches!(left, Remaining::For(left) if left <= seconds(3600)));
}

#[test]
fn explain_tells_the_tier_the_verdict_and_tags_forgotten_elsewhere() {
    let world = World::new(1);
    let (a, b, c) = (world.node(), world.node(), world.hybrid("1h"));
    world.wait(async {
        assert_eq!(a.cache.explain("k").await.unwrap().next, Next::Load);
        let set = c.cache.set("k", &1_u64).ttl("1h").tags(["t", "u"]);
        set.await.unwrap();
        let there = a.cache.explain("k").await.unwrap();
        let entry = there.entry.unwrap();
        assert_eq!((&*entry.tier, entry.verdict), ("shared", Verdict::Fresh));
        assert_eq!((there.next, entry.tags.len()), (Next::Hit, 2));
        b.cache.delete_tags(["t"]).await.unwrap();
        let forgotten = a.cache.explain("k").await.unwrap();
        assert_eq!(forgotten.next, Next::Load);
        assert_eq!(forgotten.entry.unwrap().forgotten, ["t"]);
        assert_eq!(a.cache.get::<u64>("k").await.unwrap(), None);
    });
}

#[test]
fn what_a_store_does_is_told_and_detected() {
    let world = World::new(1);
    let (a, told) = world.told(|builder| builder);
    let b = world.node();
    world.wait(async {
        b.cache.set("k", &1_u64).ttl("1h").await.unwrap();
        let (got, reads) = larder::detect_async(a.cache.get::<u64>("k")).await;
        assert_eq!(got.unwrap(), Some(1));
        assert_eq!(reads.len(), 1);
        assert_eq!(reads[0].tier.as_deref(), Some("shared"));
        assert_eq!(reads[0].source, larder::Source::Fresh);
        assert_eq!(told.count("StoreHit"), 1);
        let load = || async { Err::<u64, _>(Oops) };
        let load = a.cache.get_or_load("k", load).ttl("1h").into_future();
        let (got, reads) = larder::detect_async(load).await;
        assert_eq!((got.unwrap(), reads.len()), (1, 1));
        assert_eq!(told.count("StoreHit"), 1);
        assert_eq!(a.cache.stats().store_hits, 2);
        a.store.refuse();
        drop(a.cache.get::<u64>("k").await);
        assert_eq!(told.count("StoreFailed"), 1);
    });
    assert_eq!(a.cache.stats().store_failures, 1);
}
