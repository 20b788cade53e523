//! The direct operations, one by one.

mod support;

use std::future::Future;
use std::sync::Arc;

use larder::{Cache, Error, ErrorKind, Key, Policy, Remaining, Selector};
use support::{World, millis, secs};

/// Runs a future of the direct API in a world of its own.
fn with_cache<F: Future<Output = Result<(), Error>> + Send + 'static>(
    test: impl FnOnce(Cache, Arc<World>) -> F,
) {
    let world = World::new();
    world.run(test(world.cache(), Arc::clone(&world))).unwrap();
}

#[test]
fn a_value_is_written_and_read_as_what_it_is() {
    with_cache(|cache, _| async move {
        assert!(cache.set("n", &7_u64).ttl("1m").await?);
        assert!(cache.set("t", "text").ttl("1m").await?);
        assert!(cache.set("l", &[1_u8, 2][..]).ttl("1m").await?);
        assert!(
            cache
                .set("s", &Arc::<str>::from("shared"))
                .ttl("1m")
                .await?
        );
        assert_eq!(cache.get::<u64>("n").await?, Some(7));
        assert_eq!(cache.get::<String>("t").await?.as_deref(), Some("text"));
        assert_eq!(cache.get::<Vec<u8>>("l").await?, Some(vec![1, 2]));
        assert_eq!(cache.get::<Arc<str>>("s").await?.as_deref(), Some("shared"));
        assert_eq!(cache.get::<u64>("nothing").await?, None);
        Ok(())
    });
}

#[test]
fn reading_as_another_type_is_an_error_that_names_both_ways_out() {
    with_cache(|cache, _| async move {
        cache.set("n", &7_u64).ttl("1m").await?;
        let error = cache.get::<String>("n").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongType);
        assert_eq!(error.operation(), "get");
        assert_eq!(error.affected_key().map(Key::as_str), Some("n"));
        assert_eq!(
            error.to_string(),
            "get `n`: the entry holds no `alloc::string::String`: read it as the type it was stored as, or delete it"
        );
        assert_eq!(cache.get::<u64>("n").await?, Some(7), "it is still there");
        assert!(cache.get_many::<i64>(["x", "n"]).await.is_err());
        Ok(())
    });
}

#[test]
fn a_write_needs_a_ttl_and_a_sound_policy() {
    with_cache(|cache, _| async move {
        let error = cache.set("k", &1_u64).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(
            error
                .to_string()
                .starts_with("set `k`: no `ttl`: say how long"),
            "{error}"
        );
        for bad in [
            Policy::new().ttl("0s"),
            Policy::new().ttl(-1),
            Policy::new().ttl("1m").soft("2m"),
        ] {
            let error = cache.set("k", &1_u64).policy(bad).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        }
        let error = cache.set_many([("k", 1_u64)]).await.unwrap_err();
        assert!(
            error.to_string().starts_with("set_many `k`: no `ttl`"),
            "{error}"
        );
        assert_eq!(cache.len(), 0);
        Ok(())
    });
}

#[test]
fn a_write_starts_a_new_life() {
    with_cache(|cache, world| async move {
        cache.set("k", &1_u64).ttl("10s").await?;
        world.clock_on(secs(8));
        cache.set("k", &2_u64).ttl("10s").await?;
        world.clock_on(secs(8));
        assert_eq!(cache.get::<u64>("k").await?, Some(2));
        cache.set("k", &3_u64).ttl("1s").await?;
        world.clock_on(secs(1));
        assert_eq!(cache.get::<u64>("k").await?, None, "also a shorter one");
        Ok(())
    });
}

#[test]
fn a_ttl_below_a_second_is_kept_as_it_is() {
    with_cache(|cache, world| async move {
        cache.set("k", &1_u64).ttl("250ms").await?;
        world.clock_on(millis(249));
        assert_eq!(cache.get::<u64>("k").await?, Some(1));
        world.clock_on(millis(1));
        assert_eq!(cache.get::<u64>("k").await?, None);
        Ok(())
    });
}

#[test]
fn if_absent_writes_only_where_nothing_is() {
    with_cache(|cache, world| async move {
        assert!(cache.set("k", &1_u64).ttl("1m").if_absent().await?);
        assert!(!cache.set("k", &2_u64).ttl("1h").if_absent().await?);
        assert_eq!(cache.get::<u64>("k").await?, Some(1));
        world.clock_on(secs(60));
        assert!(
            cache.set("k", &3_u64).ttl("1m").if_absent().await?,
            "it has expired"
        );
        assert_eq!(cache.get::<u64>("k").await?, Some(3));
        Ok(())
    });
}

#[test]
fn if_present_writes_only_over_something() {
    with_cache(|cache, world| async move {
        assert!(!cache.set("k", &1_u64).ttl("1m").if_present().await?);
        assert_eq!(cache.get::<u64>("k").await?, None);
        cache.set("k", &1_u64).ttl("1m").await?;
        assert!(cache.set("k", &2_u64).ttl("1m").if_present().await?);
        assert_eq!(cache.get::<u64>("k").await?, Some(2));
        world.clock_on(secs(60));
        assert!(!cache.set("k", &3_u64).ttl("1m").if_present().await?);
        Ok(())
    });
}

#[test]
fn what_is_kept_only_for_a_failing_source_counts_as_absent() {
    with_cache(|cache, world| async move {
        let policy = Policy::new().ttl("1m").fail_safe("1h");
        cache.set("k", &1_u64).policy(policy).await?;
        cache.increment("n", 5).policy(policy).await?;
        world.clock_on(secs(60));
        assert!(!cache.exists("k").await?);
        assert_eq!(cache.get::<u64>("k").await?, None);
        assert!(!cache.touch("k", "1h").await?);
        assert!(!cache.set("k", &2_u64).ttl("1m").if_present().await?);
        assert!(cache.set("k", &3_u64).ttl("1m").if_absent().await?);
        assert_eq!(cache.get::<u64>("k").await?, Some(3));
        assert_eq!(
            cache.increment("n", 1).policy(policy).await?,
            1,
            "a new count"
        );
        Ok(())
    });
}

#[test]
fn several_values_are_read_in_the_order_of_their_keys() {
    with_cache(|cache, _| async move {
        let written = cache
            .set_many([("a", 1_u64), ("b", 2), ("c", 3)])
            .ttl("1m")
            .await?;
        assert_eq!(written, 3);
        let found = cache.get_many::<u64>(["c", "x", "a", "c"]).await?;
        assert_eq!(found, [Some(3), None, Some(1), Some(3)]);
        assert_eq!(cache.get_many::<u64>(Vec::<&str>::new()).await?, []);
        Ok(())
    });
}

#[test]
fn several_values_share_a_policy_and_tags() {
    with_cache(|cache, world| async move {
        cache
            .set_many([("a", 1_u64), ("b", 2)])
            .ttl("1m")
            .tags(["t"])
            .await?;
        cache.set_many([("c", 3_u64)]).ttl("1m").await?;
        cache.delete_tags(["t"]).await?;
        let found = cache.get_many::<u64>(["a", "b", "c"]).await?;
        assert_eq!(found, [None, None, Some(3)]);
        world.clock_on(secs(60));
        assert_eq!(cache.get::<u64>("c").await?, None);
        Ok(())
    });
}

#[test]
fn deleting_tells_whether_something_was_there() {
    with_cache(|cache, world| async move {
        cache
            .set_many([("a", 1_u64), ("b", 2), ("c", 3)])
            .ttl("1m")
            .await?;
        assert!(cache.delete("a").await?);
        assert!(!cache.delete("a").await?);
        assert_eq!(cache.delete_many(["a", "b", "x", "b"]).await?, 1);
        assert_eq!(cache.get::<u64>("c").await?, Some(3));
        world.clock_on(secs(60));
        assert!(!cache.delete("c").await?, "its time was over");
        assert_eq!(cache.len(), 0);
        Ok(())
    });
}

async fn fill(cache: &Cache, keys: &[&str]) -> Result<(), Error> {
    cache
        .set_many(keys.iter().map(|key| (*key, 1_u64)))
        .ttl("1m")
        .await?;
    Ok(())
}

async fn left(cache: &Cache) -> Result<Vec<String>, Error> {
    let mut keys = cache.scan("*").await?;
    keys.sort();
    Ok(keys)
}

#[test]
fn a_prefix_is_literal() {
    with_cache(|cache, _| async move {
        fill(&cache, &["u:1", "u:2", "u*3", "v:1", "u"]).await?;
        assert_eq!(cache.delete_prefix("u*").await?, 1);
        assert_eq!(cache.delete_prefix("u:").await?, 2);
        assert_eq!(left(&cache).await?, ["u", "v:1"]);
        assert_eq!(cache.delete_prefix("").await?, 2);
        Ok(())
    });
}

#[test]
fn a_pattern_follows_the_rules_of_redis() {
    for (pattern, expected) in [
        ("u:?", &["u:1", "u:2", "u:*", "u:-"][..]),
        ("u:*", &["u:1", "u:2", "u:10", "u:*", "u:-"]),
        ("u:\\*", &["u:*"]),
        ("u:[12]", &["u:1", "u:2"]),
        ("u:[0-9]", &["u:1", "u:2"]),
        ("u:[^0-9]", &["u:*", "u:-"]),
        ("*1*", &["u:1", "u:10"]),
        ("a.b", &["a.b"]),
        ("a?b", &["a.b", "axb"]),
        ("U:*", &[]),
        ("", &[]),
    ] {
        with_cache(|cache, _| async move {
            let all = ["u:1", "u:2", "u:10", "u:*", "u:-", "a.b", "axb"];
            fill(&cache, &all).await?;
            let mut found = cache.scan(pattern).await?;
            found.sort();
            let mut wanted: Vec<&str> = expected.to_vec();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "scan {pattern}");
            assert_eq!(
                cache.delete_pattern(pattern).await?,
                expected.len(),
                "{pattern}"
            );
            let rest = left(&cache).await?;
            assert!(
                rest.iter().all(|key| !expected.contains(&key.as_str())),
                "{pattern}"
            );
            assert_eq!(rest.len(), all.len() - expected.len(), "{pattern}");
            Ok(())
        });
    }
}

#[test]
fn an_escaped_text_is_found_as_itself() {
    with_cache(|cache, _| async move {
        let key = format!("file:{}", larder::escape("a*b?[c]\\d"));
        fill(&cache, &[&key, "file:axbxc"]).await?;
        assert!(
            !key.contains(['*', '?', '[', ']', '\\']),
            "nothing in it is a pattern"
        );
        assert_eq!(cache.scan(&key).await?, [key.clone()]);
        assert_eq!(cache.delete_pattern(&key).await?, 1);
        assert_eq!(left(&cache).await?, ["file:axbxc"]);
        Ok(())
    });
}

#[test]
fn a_selector_says_what_is_forgotten() {
    with_cache(|cache, _| async move {
        fill(&cache, &["a", "b", "c:1", "c:2", "d:1"]).await?;
        cache.set("t", &1_u64).ttl("1m").tags(["tag"]).await?;
        let keys = Selector::Keys(vec![Key::from("a"), Key::from("x")]);
        assert_eq!(cache.invalidate(keys).await?, 1);
        assert_eq!(cache.invalidate(Selector::Prefix("c:".into())).await?, 2);
        assert_eq!(cache.invalidate(Selector::Pattern("d:*".into())).await?, 1);
        assert_eq!(
            cache
                .invalidate(Selector::Tags(vec![Key::from("tag")]))
                .await?,
            0
        );
        assert_eq!(left(&cache).await?, ["b"]);
        assert_eq!(
            cache.invalidate(Selector::All).await?,
            1,
            "not what its tag forgot before"
        );
        assert_eq!(cache.len(), 0);
        Ok(())
    });
}

#[test]
fn clear_forgets_everything() {
    with_cache(|cache, _| async move {
        fill(&cache, &["a", "b"]).await?;
        assert_eq!((cache.len(), cache.is_empty()), (2, false));
        cache.clear().await?;
        assert_eq!((cache.len(), cache.is_empty()), (0, true));
        Ok(())
    });
}

#[test]
fn the_rest_of_a_life_is_told_exactly() {
    with_cache(|cache, world| async move {
        cache.set("k", &1_u64).ttl("1m").await?;
        cache.set("f", &1_u64).ttl("forever").await?;
        let stale = Policy::new().ttl("1m").stale("1h");
        cache.set("s", &1_u64).policy(stale).await?;
        world.clock_on(secs(15));
        assert_eq!(
            cache.remaining_ttl("k").await?,
            Some(Remaining::For(secs(45)))
        );
        assert_eq!(
            cache.remaining_ttl("s").await?,
            Some(Remaining::For(secs(3_645)))
        );
        world.clock_on(secs(45));
        assert_eq!(cache.remaining_ttl("k").await?, None);
        assert_eq!(cache.remaining_ttl("f").await?, Some(Remaining::Forever));
        assert_eq!(cache.remaining_ttl("x").await?, None);
        Ok(())
    });
}

#[test]
fn touching_starts_a_new_life_from_now() {
    with_cache(|cache, world| async move {
        cache.set("k", &1_u64).ttl("1m").await?;
        world.clock_on(secs(59));
        assert!(cache.touch("k", "10s").await?);
        world.clock_on(secs(9));
        assert_eq!(cache.get::<u64>("k").await?, Some(1));
        assert!(cache.touch("k", "forever").await?);
        world.clock_on(secs(1_000_000));
        assert_eq!(cache.get::<u64>("k").await?, Some(1));
        assert!(cache.touch("k", "1s").await?, "a shorter one too");
        world.clock_on(secs(1));
        assert_eq!(cache.get::<u64>("k").await?, None);
        assert!(!cache.touch("k", "1m").await?, "what is gone stays gone");
        let error = cache.touch("k", "0s").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().starts_with("touch `k`: "), "{error}");
        Ok(())
    });
}

#[test]
fn counting_starts_at_nothing_and_its_time_with_the_first() {
    with_cache(|cache, world| async move {
        assert_eq!(cache.increment("n", 5).ttl("10s").await?, 5);
        world.clock_on(secs(6));
        assert_eq!(cache.increment("n", 1).ttl("10s").await?, 6);
        assert_eq!(cache.increment("n", -10).ttl("1h").await?, -4);
        assert_eq!(cache.get::<i64>("n").await?, Some(-4));
        world.clock_on(secs(4));
        assert_eq!(
            cache.get::<i64>("n").await?,
            None,
            "the first one's time is over"
        );
        assert_eq!(cache.increment("n", 1).ttl("10s").await?, 1);
        Ok(())
    });
}

#[test]
fn counting_needs_a_ttl_only_when_it_starts() {
    with_cache(|cache, _| async move {
        let error = cache.increment("n", 1).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(
            error.to_string().starts_with("increment `n`: no `ttl`"),
            "{error}"
        );
        cache.increment("n", 1).ttl("1m").await?;
        assert_eq!(cache.increment("n", 1).await?, 2);
        Ok(())
    });
}

#[test]
fn a_count_out_of_range_is_an_error_and_changes_nothing() {
    with_cache(|cache, _| async move {
        cache.increment("n", i64::MAX).ttl("1m").await?;
        let error = cache.increment("n", 1).await.unwrap_err();
        assert!(
            error.to_string().contains("out of the range of an `i64`"),
            "{error}"
        );
        assert_eq!(cache.get::<i64>("n").await?, Some(i64::MAX));
        Ok(())
    });
}

#[test]
fn only_a_whole_number_is_counted() {
    with_cache(|cache, _| async move {
        cache.set("t", "text").ttl("1m").await?;
        cache.set("u", &1_u64).ttl("1m").await?;
        for key in ["t", "u"] {
            let error = cache.increment(key, 1).ttl("1m").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongType);
        }
        assert_eq!(cache.get::<u64>("u").await?, Some(1));
        cache.set("i", &1_i64).ttl("1m").await?;
        assert_eq!(cache.increment("i", 1).await?, 2);
        Ok(())
    });
}

#[test]
fn no_count_of_many_threads_is_lost() {
    let cache = Cache::builder().build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..500 {
                    cache.blocking().increment("n", 1).ttl("1h").wait().unwrap();
                }
            });
        }
    });
    assert_eq!(cache.blocking().get::<i64>("n").unwrap(), Some(4_000));
}

#[test]
fn of_many_threads_one_writes_what_is_absent() {
    let cache = Cache::builder().build().unwrap();
    let won = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8_u64)
            .map(|n| {
                let cache = &cache;
                scope.spawn(move || {
                    let write = cache.blocking().set("k", &n).ttl("1h").if_absent();
                    write.wait().unwrap().then_some(n)
                })
            })
            .collect();
        let won = threads.into_iter().filter_map(|t| t.join().unwrap());
        won.collect::<Vec<_>>()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), Some(won[0]));
}

#[test]
fn a_scan_gives_what_is_alive_once_each() {
    with_cache(|cache, world| async move {
        fill(&cache, &["a", "b"]).await?;
        cache.set("short", &1_u64).ttl("1s").await?;
        world.clock_on(secs(1));
        assert_eq!(left(&cache).await?, ["a", "b"]);
        Ok(())
    });
}

#[test]
fn a_prefix_of_the_cache_is_before_every_key_and_never_seen() {
    let world = World::new();
    let cache = world.builder().prefix("shop:").build().unwrap();
    let blocking = cache.blocking();
    blocking
        .set_many([("u:1", 1_u64), ("u:2", 2), ("v", 3)])
        .ttl("1m")
        .wait()
        .unwrap();
    assert_eq!(blocking.explain("u:1").unwrap().key, "shop:u:1");
    let mut keys = blocking.scan("*").unwrap();
    keys.sort();
    assert_eq!(keys, ["u:1", "u:2", "v"]);
    assert_eq!(blocking.scan("shop:*").unwrap(), Vec::<String>::new());
    assert_eq!(blocking.delete_prefix("shop:").unwrap(), 0);
    assert_eq!(blocking.delete_pattern("u:[1]").unwrap(), 1);
    assert_eq!(blocking.delete_prefix("u").unwrap(), 1);
    assert_eq!(blocking.delete_many(["shop:v", "v"]).unwrap(), 1);
}

#[test]
fn two_caches_with_prefixes_do_not_see_each_other() {
    let world = World::new();
    let [shop, blog] = ["shop:", "blog:"].map(|p| world.builder().prefix(p).build().unwrap());
    shop.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    blog.blocking().set("k", &2_u64).ttl("1m").wait().unwrap();
    assert!(blog.blocking().delete("k").unwrap());
    assert_eq!(shop.blocking().get::<u64>("k").unwrap(), Some(1));
    assert_eq!(shop.blocking().explain("k").unwrap().key, "shop:k");
    assert_eq!(blog.blocking().explain("k").unwrap().key, "blog:k");
}

#[test]
fn a_glob_in_the_prefix_of_the_cache_is_literal() {
    let world = World::new();
    let cache = world.builder().prefix("[a]*:").build().unwrap();
    cache.blocking().set("k", &1_u64).ttl("1m").wait().unwrap();
    assert_eq!(cache.blocking().scan("?").unwrap(), ["k"]);
    assert_eq!(cache.blocking().delete_pattern("k").unwrap(), 1);
}

#[test]
fn a_closed_cache_refuses_every_operation_and_forgets_everything() {
    with_cache(|cache, _| async move {
        cache.ping().await?;
        fill(&cache, &["a", "b"]).await?;
        let lock = cache.lock("l").await?;
        cache.close().await;
        assert_eq!(cache.len(), 0);
        let loader = |_: Vec<String>| async { Ok::<_, Error>(std::collections::HashMap::new()) };
        let outcomes: Vec<(&str, Error)> = vec![
            ("ping", cache.ping().await.unwrap_err()),
            ("get", cache.get::<u64>("a").await.unwrap_err()),
            ("get_many", cache.get_many::<u64>(["a"]).await.unwrap_err()),
            ("set", cache.set("a", &1_u64).ttl("1m").await.unwrap_err()),
            (
                "set_many",
                cache.set_many([("a", 1_u64)]).ttl("1m").await.unwrap_err(),
            ),
            (
                "increment",
                cache.increment("n", 1).ttl("1m").await.unwrap_err(),
            ),
            ("exists", cache.exists("a").await.unwrap_err()),
            ("remaining_ttl", cache.remaining_ttl("a").await.unwrap_err()),
            ("touch", cache.touch("a", "1m").await.unwrap_err()),
            ("delete", cache.delete("a").await.unwrap_err()),
            ("delete_many", cache.delete_many(["a"]).await.unwrap_err()),
            ("delete_prefix", cache.delete_prefix("a").await.unwrap_err()),
            (
                "delete_pattern",
                cache.delete_pattern("a").await.unwrap_err(),
            ),
            ("delete_tags", cache.delete_tags(["a"]).await.unwrap_err()),
            ("clear", cache.clear().await.unwrap_err()),
            (
                "invalidate",
                cache.invalidate(Selector::All).await.unwrap_err(),
            ),
            ("scan", cache.scan("*").await.unwrap_err()),
            ("explain", cache.explain("a").await.unwrap_err()),
            ("lock", cache.lock("m").await.unwrap_err()),
            ("unlock", cache.unlock("m", 1).await.unwrap_err()),
            ("is_locked", cache.is_locked("m").await.unwrap_err()),
            ("renew", lock.renew().await.unwrap_err()),
            ("get_or_load", {
                let load = || async { Ok::<u64, Error>(1) };
                cache.get_or_load("a", load).ttl("1m").await.unwrap_err()
            }),
            ("get_or_load_many", {
                let loading = cache.get_or_load_many::<_, _, u64, _, _>(["a"], loader);
                loading.ttl("1m").await.unwrap_err()
            }),
        ];
        for (operation, error) in outcomes {
            assert_eq!(error.kind(), ErrorKind::Closed, "{operation}");
            assert!(
                error.to_string().contains("the cache `unnamed` is closed"),
                "{error}"
            );
        }
        Ok(())
    });
}

#[test]
fn a_cached_function_goes_on_after_its_cache_was_closed() {
    let world = World::new();
    let cache = world.cache();
    let origin = support::Origin::new(&world, 1);
    let function = support::Cached::new(&cache, &origin, Policy::new().ttl("1m"));
    let gate = origin.hold();
    let call = world.spawn(function.clone().call("k"));
    world.settle();
    cache.blocking().close();
    gate.open();
    world.settle();
    assert_eq!(call.value(), Ok(1));
    origin.gives(2);
    assert_eq!(world.run(function.clone().call("k")), Ok(2));
    assert_eq!(function.call_sync("k"), Ok(2));
    assert_eq!(cache.len(), 0, "nothing was stored after the end");
}

#[test]
fn every_error_names_the_operation_the_user_called() {
    with_cache(|cache, _| async move {
        cache.close().await;
        let told = |error: Error| error.operation();
        assert_eq!(
            told(cache.delete_many(["a"]).await.unwrap_err()),
            "delete_many"
        );
        assert_eq!(
            told(cache.delete_prefix("a").await.unwrap_err()),
            "delete_prefix"
        );
        assert_eq!(
            told(cache.delete_pattern("a").await.unwrap_err()),
            "delete_pattern"
        );
        assert_eq!(
            told(cache.delete_tags(["a"]).await.unwrap_err()),
            "delete_tags"
        );
        assert_eq!(told(cache.clear().await.unwrap_err()), "clear");
        assert_eq!(
            told(cache.get_many::<u64>(["a"]).await.unwrap_err()),
            "get_many"
        );
        Ok(())
    });
}
