//! Transactions in transactions, scopes in them, and two caches.

use larder::transaction::Mode;
use larder::{Cache, ErrorKind};

use crate::support::{Gate, Running, World, millis, secs};
use crate::{Done, Outsider, given_up, number};

#[test]
fn an_inner_commit_is_the_outer_ones_to_keep() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        for fails in [false, true] {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("outer", &1_u64).ttl("1m").await?;
                    let inner: Done = cache
                        .transaction(Mode::Fast, |_| async {
                            assert_eq!(number(&cache, "outer").await, Some(1));
                            cache.set("inner", &2_u64).ttl("1m").await.map(drop)
                        })
                        .await;
                    inner?;
                    assert_eq!(number(&cache, "inner").await, Some(2));
                    assert_eq!(outsider.number("inner"), None);
                    if fails { Err(given_up()) } else { Ok(()) }
                })
                .await;
            assert_eq!(done.is_err(), fails);
            let seen = (!fails).then_some(2);
            assert_eq!(outsider.number("inner"), seen);
            cache.clear().await.unwrap();
        }
        assert_eq!(cache.stats().committed, 1, "the inner ones are parts");
    });
}

#[test]
fn an_inner_rollback_drops_only_the_inner_changes() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("old", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("k", &1_u64).ttl("1m").await?;
                cache.increment("n", 5).ttl("1m").await?;
                let inner: Done = cache
                    .transaction(Mode::Fast, |_| async {
                        cache.set("k", &2_u64).ttl("1m").await?;
                        cache.delete_prefix("").await?;
                        assert_eq!(cache.increment("n", 1).ttl("1m").await?, 1);
                        Err(given_up())
                    })
                    .await;
                assert!(inner.is_err());
                assert_eq!(number(&cache, "k").await, Some(1));
                assert_eq!(number(&cache, "old").await, Some(1));
                assert_eq!(cache.increment("n", 1).await?, 6);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(number(&cache, "k").await, Some(1));
        assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(6));
    });
}

#[test]
fn inner_removals_fall_on_what_the_outer_one_wrote() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("p:0", &0_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("p:1", &1_u64).ttl("1m").tags(["t"]).await?;
                cache.set("q", &1_u64).ttl("1m").tags(["t"]).await?;
                cache.increment("p:n", 5).ttl("1m").await?;
                let inner: Done = cache
                    .transaction(Mode::Fast, |_| async {
                        cache.delete_prefix("p:").await?;
                        cache.delete_tags(["t"]).await?;
                        cache.set("p:2", &2_u64).ttl("1m").await?;
                        cache.increment("p:n", 1).ttl("1m").await.map(drop)
                    })
                    .await;
                inner?;
                for gone in ["p:0", "p:1", "q"] {
                    assert_eq!(number(&cache, gone).await, None, "{gone}");
                }
                Ok(())
            })
            .await;
        done.unwrap();
        let mut keys = cache.scan("*").await.unwrap();
        keys.sort_unstable();
        assert_eq!(keys, ["p:2", "p:n"]);
        assert_eq!(cache.get::<i64>("p:n").await.unwrap(), Some(1));
    });
}

#[test]
fn an_inner_time_limit_ends_the_inner_one_and_never_outlasts_the_outer() {
    let world = World::new();
    let cache = world.cache();
    let here = cache.clone();
    let running = world.spawn(async move {
        here.transaction(Mode::Fast, |outer| {
            let here = &here;
            async move {
                here.set("k", &1_u64).ttl("1m").await?;
                let inner: Done = here
                    .transaction(Mode::Fast, |_| async {
                        here.set("k", &2_u64).ttl("1m").await?;
                        std::future::pending().await
                    })
                    .timeout("100ms")
                    .await;
                assert_eq!(inner.unwrap_err().kind(), ErrorKind::Timeout);
                assert_eq!(number(here, "k").await, Some(1));
                let all: Done = here
                    .transaction(Mode::Fast, |inner| async move {
                        assert_eq!(inner.remaining(), outer.remaining());
                        Ok(())
                    })
                    .timeout("1h")
                    .await;
                all
            }
        })
        .await
    });
    world.advance(millis(100));
    running.value().unwrap();
    assert_eq!(Outsider(cache).number("k"), Some(1));
}

#[test]
fn locks_of_an_inner_transaction_are_held_until_the_outer_one_ends() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let inner: Done = cache
                    .transaction(Mode::Locked, |_| async {
                        cache.set("k", &1_u64).ttl("1m").await?;
                        Err(given_up())
                    })
                    .await;
                assert!(inner.is_err());
                assert!(cache.is_locked("@transaction:k").await?);
                let again: Done = cache
                    .transaction(Mode::Locked, |_| async {
                        cache.set("k", &1_u64).ttl("1m").await.map(drop)
                    })
                    .await;
                again
            })
            .await;
        done.unwrap();
        assert!(!cache.is_locked("@transaction:k").await.unwrap());
        assert_eq!(number(&cache, "k").await, Some(1));
    });
}

#[test]
fn one_without_locks_takes_those_of_the_one_around_it() {
    let world = World::new();
    let cache = world.cache();
    let gate = Gate::default();
    let add = || {
        let (cache, gate) = (cache.clone(), gate.clone());
        let running = world.spawn(async move {
            let (cache, gate) = (&cache, &gate);
            let add = || async {
                let before = number(cache, "n").await.unwrap_or_default();
                gate.pass().await;
                cache.set("n", &(before + 1)).ttl("1m").await.map(drop)
            };
            cache
                .transaction(Mode::Locked, |_| async {
                    let inner: Done = cache.transaction(Mode::Fast, |_| add()).await;
                    inner
                })
                .await
        });
        world.settle();
        running
    };
    let (one, two): (Running<Done>, Running<Done>) = (add(), add());
    gate.open();
    world.settle();
    one.value().unwrap();
    two.value().unwrap();
    assert_eq!(Outsider(cache).number("n"), Some(2), "nothing is lost");
}

#[test]
fn one_without_locks_that_cannot_have_one_is_not_committed() {
    let world = World::new();
    let cache = world.cache();
    let _lock = cache
        .blocking()
        .lock("@transaction:taken")
        .ttl("1h")
        .wait()
        .unwrap();
    let here = cache.clone();
    let running = world.spawn(async move {
        let here = &here;
        here.transaction(Mode::Locked, |_| async {
            let inner: Done = here
                .transaction(Mode::Fast, |_| async {
                    here.set("z", &1_u64).ttl("1m").await?;
                    assert!(here.delete("taken").await.is_err());
                    Ok(())
                })
                .await;
            assert_eq!(inner.unwrap_err().kind(), ErrorKind::Conflict);
            here.set("outer", &1_u64).ttl("1m").await.map(drop)
        })
        .await
    });
    world.advance(secs(1));
    let done: Done = running.value();
    done.unwrap();
    let outsider = Outsider(cache);
    assert_eq!(outsider.number("z"), None);
    assert_eq!(outsider.number("outer"), Some(1));
}

#[test]
fn a_serializable_transaction_within_one_does_not_wait_for_itself() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Serializable, |_| async {
                let inner: Done = cache
                    .transaction(Mode::Serializable, |_| async {
                        cache.set("k", &1_u64).ttl("1m").await.map(drop)
                    })
                    .await;
                inner
            })
            .await;
        done.unwrap();
        assert_eq!(number(&cache, "k").await, Some(1));
    });
}

#[test]
fn another_cache_takes_no_part() {
    let world = World::new();
    let (one, two) = (world.cache(), world.cache());
    world.run(async move {
        let failed: Done = one
            .transaction(Mode::Fast, |_| async {
                one.set("k", &1_u64).ttl("1m").await?;
                two.set("k", &1_u64).ttl("1m").await?;
                Err(given_up())
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(number(&one, "k").await, None);
        assert_eq!(number(&two, "k").await, Some(1));
        let both: Done = one
            .transaction(Mode::Fast, |_| async {
                let inner: Done = two
                    .transaction(Mode::Fast, |_| async {
                        one.set("both", &1_u64).ttl("1m").await?;
                        two.set("both", &1_u64).ttl("1m").await.map(drop)
                    })
                    .await;
                inner?;
                assert_eq!(number(&two, "both").await, Some(1), "committed by itself");
                Err(given_up())
            })
            .await;
        assert!(both.is_err());
        assert_eq!(number(&one, "both").await, None);
    });
}

#[test]
fn a_clone_of_the_cache_is_the_same_cache() {
    let cache = Cache::builder().build().unwrap();
    let clone = cache.clone();
    let failed: Done = cache
        .blocking()
        .transaction(Mode::Fast, |_| {
            clone.blocking().set("k", &1_u64).ttl("1m").wait()?;
            Err(given_up())
        })
        .wait();
    assert!(failed.is_err());
    assert!(cache.is_empty());
}
