//! After the end nothing is done, and every refusal says so.

use larder::{Error, ErrorKind, Policy, Selector};

use crate::support::{self, World};
use crate::{fill, with_cache};

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
fn closing_forgets_everything_also_when_removing_is_switched_off() {
    with_cache(|cache, _| async move {
        fill(&cache, &["a", "b"]).await?;
        cache.switch_off(larder::Operations::REMOVE);
        cache.close().await;
        assert_eq!(cache.len(), 0);
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
