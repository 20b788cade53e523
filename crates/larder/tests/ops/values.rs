//! Reading and writing, lives and conditions.

use std::sync::Arc;

use larder::{Cache, ErrorKind, Key, Policy, Remaining};

use crate::support::{self, World, millis, secs};
use crate::with_cache;

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
fn a_kept_error_is_nothing_to_direct_operations() {
    let world = World::new();
    let cache = world.cache();
    let origin = support::Origin::new(&world, 1);
    origin.fails("down");
    let function = support::Cached::new(&cache, &origin, Policy::new().ttl("1m"))
        .settle(|settle| settle.errors("30s"));
    assert!(function.call_sync("k").is_err());
    let blocking = cache.blocking();
    assert_eq!(blocking.get::<u64>("k").unwrap(), None);
    assert!(!blocking.exists("k").unwrap());
    assert_eq!(cache.stats().wrong_type, 0);
    assert!(!blocking.touch("k", "1h").unwrap());
    assert_eq!(origin.calls(), 1);
    assert!(function.call_sync("k").is_err());
    assert_eq!(origin.calls(), 1, "to its function it is there");
    assert!(
        blocking
            .set("k", &2_u64)
            .ttl("1m")
            .if_absent()
            .wait()
            .unwrap()
    );
    assert_eq!(function.call_sync("k"), Ok(2));
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
