//! Keys, prefixes, patterns and selectors: what is found and what is forgotten.

use larder::{Key, Selector};

use crate::support::{World, secs};
use crate::{fill, left, with_cache};

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
        assert_eq!(cache.scan(&key).await?, std::slice::from_ref(&key));
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
