//! Increments in transactions: seen inside, added at the commit, never lost.

use std::sync::Arc;

use larder::transaction::Mode;
use larder::{Cache, ErrorKind, Remaining};

use crate::support::{World, secs};
use crate::{Done, given_up};

async fn sum(cache: &Cache, key: &str) -> Option<i64> {
    cache.get::<i64>(key).await.unwrap()
}

#[test]
fn increments_are_seen_inside_and_added_at_the_commit() {
    let world = World::new();
    let cache = world.cache();
    let other = cache.clone();
    world.run(async move {
        cache.increment("n", 10).ttl("1h").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                assert_eq!(cache.increment("n", 1).await?, 11);
                assert_eq!(cache.increment("n", 1).await?, 12);
                assert_eq!(sum(&cache, "n").await, Some(12));
                let others = move || other.blocking().increment("n", 100).wait().unwrap();
                assert_eq!(std::thread::spawn(others).join().unwrap(), 110);
                assert_eq!(
                    sum(&cache, "n").await,
                    Some(112),
                    "it lies over what is there"
                );
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(sum(&cache, "n").await, Some(112));
        let failed: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.increment("n", 1).await?;
                Err(given_up())
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(sum(&cache, "n").await, Some(112));
    });
}

#[test]
fn a_new_number_begins_with_its_first_increment() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let error = cache.increment("n", 1).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "it needs a ttl");
                assert_eq!(cache.increment("n", 5).ttl("1m").await?, 5);
                assert_eq!(cache.increment("n", 1).await?, 6);
                let left = cache.remaining_ttl("n").await?;
                assert_eq!(left, Some(Remaining::For(secs(60))));
                assert!(cache.exists("n").await?);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(sum(&cache, "n").await, Some(6));
        let left = cache.remaining_ttl("n").await.unwrap();
        assert_eq!(left, Some(Remaining::For(secs(60))));
    });
}

#[test]
fn numbers_that_were_written_or_removed_inside_go_on_from_there() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        for key in ["written", "removed", "by:prefix", "tagged"] {
            let set = cache.set(key, &10_i64).ttl("1h").tags([format!("{key}s")]);
            set.await.unwrap();
        }
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("written", &50_i64).ttl("1h").await?;
                assert_eq!(cache.increment("written", 1).await?, 51);
                cache.delete("removed").await?;
                assert_eq!(cache.increment("removed", 1).ttl("1m").await?, 1);
                cache.delete_prefix("by:").await?;
                assert_eq!(cache.increment("by:prefix", 1).ttl("1m").await?, 1);
                cache.delete_tags(["taggeds"]).await?;
                assert_eq!(cache.increment("tagged", 1).ttl("1m").await?, 1);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(sum(&cache, "written").await, Some(51));
        for anew in ["removed", "by:prefix", "tagged"] {
            assert_eq!(sum(&cache, anew).await, Some(1), "{anew}");
        }
    });
}

#[test]
fn a_number_that_was_added_to_falls_with_its_tag() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("n", &10_i64).ttl("1h").tags(["t"]).await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                assert_eq!(cache.increment("n", 1).await?, 11);
                cache.delete_tags(["t"]).await?;
                assert_eq!(sum(&cache, "n").await, None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(sum(&cache, "n").await, None);
    });
}

#[test]
fn what_cannot_be_added_to_is_an_error_where_it_is_asked_for() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("text", "text").ttl("1m").await.unwrap();
        cache.set("most", &i64::MAX).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let error = cache.increment("text", 1).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WrongType);
                let error = cache.increment("most", 1).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
                assert_eq!(cache.increment("most", -1).await?, i64::MAX - 1);
                assert_eq!(cache.increment("most", 1).await?, i64::MAX);
                assert!(cache.increment("most", 1).await.is_err());
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(sum(&cache, "most").await, Some(i64::MAX));
    });
}

#[test]
fn threads_that_count_in_fast_transactions_lose_nothing() {
    let cache = Cache::builder().build().unwrap();
    let count = |cache: Cache| {
        move || {
            let blocking = cache.blocking();
            for _ in 0..200 {
                let done: Done = blocking
                    .transaction(Mode::Fast, |_| {
                        blocking.increment("n", 1).ttl("1h").wait()?;
                        blocking.increment("n", 1).ttl("1h").wait().map(drop)
                    })
                    .wait();
                done.unwrap();
            }
        }
    };
    let threads: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(count(cache.clone())))
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(cache.blocking().get::<i64>("n").unwrap(), Some(3_200));
}

#[test]
fn a_new_number_lives_from_its_first_increment() {
    let world = World::new();
    let cache = world.cache();
    let clock = Arc::clone(&world);
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.increment("n", 1).ttl("1m").await?;
                cache.increment("brief", 1).ttl("5s").await?;
                clock.clock_on(secs(5));
                cache.increment("n", 1).ttl("1h").await?;
                let left = cache.remaining_ttl("n").await?;
                assert_eq!(left, Some(Remaining::For(secs(55))));
                Ok(())
            })
            .await;
        done.unwrap();
        let left = cache.remaining_ttl("n").await.unwrap();
        assert_eq!(left, Some(Remaining::For(secs(55))));
        assert_eq!(sum(&cache, "brief").await, None, "it has outlived its time");
    });
}

#[test]
fn what_cannot_be_added_to_at_the_commit_fails_it() {
    for (kind, most) in [
        (ErrorKind::WrongType, None),
        (ErrorKind::InvalidPolicy, Some(i64::MAX)),
    ] {
        let world = World::new();
        let cache = world.cache();
        let other = cache.clone();
        world.run(async move {
            cache.set("n", &1_i64).ttl("1h").await.unwrap();
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("k", &1_i64).ttl("1h").await?;
                    assert_eq!(cache.increment("n", 1).await?, 2);
                    let write = move || match most {
                        Some(most) => other.blocking().set("n", &most).ttl("1h").wait(),
                        None => other.blocking().set("n", "text").ttl("1h").wait(),
                    };
                    assert!(std::thread::spawn(write).join().unwrap()?);
                    Ok(())
                })
                .await;
            assert_eq!(done.unwrap_err().kind(), kind);
            assert_eq!(sum(&cache, "k").await, None, "nothing of it is there");
            if most.is_some() {
                assert_eq!(sum(&cache, "n").await, most);
            }
        });
    }
}
