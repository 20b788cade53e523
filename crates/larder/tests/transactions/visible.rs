//! What is seen inside, and by nobody else before the commit.

use std::time::Duration;

use larder::transaction::Mode;
use larder::{ErrorKind, Operations, Remaining};

use crate::support::{World, millis, secs};
use crate::{Done, Outsider, given_up, number};

#[test]
fn a_write_is_seen_inside_at_once_and_outside_after_the_commit() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("k", &1_u64).ttl("1m").await?;
                assert_eq!(number(&cache, "k").await, Some(1));
                assert_eq!(cache.get_many::<u64>(["k", "l"]).await?, [Some(1), None]);
                assert!(cache.exists("k").await?);
                assert_eq!(outsider.number("k"), None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(outsider.number("k"), Some(1));
        assert_eq!(cache.stats().committed, 1);
    });
}

#[test]
fn all_ways_to_write_and_remove_wait_for_the_commit() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        for key in ["a", "b", "p:1", "p:2", "q:1", "tagged"] {
            let set = cache.set(key, &1_u64).ttl("1m");
            let set = if key == "tagged" {
                set.tags(["t"])
            } else {
                set
            };
            set.await.unwrap();
        }
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                assert!(cache.delete("a").await?);
                assert!(!cache.delete("a").await?, "it is gone already");
                assert_eq!(cache.delete_many(["b", "nothing"]).await?, 1);
                assert_eq!(cache.delete_prefix("p:").await?, 2);
                assert_eq!(cache.delete_pattern("q:?").await?, 1);
                cache.delete_tags(["t"]).await?;
                let new = [("m", 7_u64), ("n", 8)];
                assert_eq!(cache.set_many(new).ttl("1m").await?, 2);
                for gone in ["a", "b", "p:1", "p:2", "q:1", "tagged"] {
                    assert_eq!(number(&cache, gone).await, None, "{gone}");
                    assert!(!cache.exists(gone).await?, "{gone}");
                    assert_eq!(cache.remaining_ttl(gone).await?, None, "{gone}");
                    assert_eq!(outsider.number(gone), Some(1), "{gone}");
                }
                let mut keys = cache.scan("*").await?;
                keys.sort_unstable();
                assert_eq!(keys, ["m", "n"]);
                assert_eq!(outsider.number("m"), None);
                Ok(())
            })
            .await;
        done.unwrap();
        for gone in ["a", "b", "p:1", "p:2", "q:1", "tagged"] {
            assert_eq!(outsider.number(gone), None, "{gone}");
        }
        assert_eq!(outsider.number("m"), Some(7));
        assert_eq!(outsider.number("n"), Some(8));
    });
}

#[test]
fn what_is_written_after_a_removal_stands_and_what_before_falls() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let set = |key| cache.set(key, &1_u64).ttl("1m").tags(["t"]);
                set("p:before").await?;
                set("tag:before").await?;
                cache.delete_prefix("p:").await?;
                cache.delete_tags(["t"]).await?;
                set("p:after").await?;
                set("tag:after").await?;
                assert_eq!(number(&cache, "p:before").await, None);
                assert_eq!(number(&cache, "tag:before").await, None);
                assert_eq!(number(&cache, "p:after").await, Some(1));
                assert_eq!(number(&cache, "tag:after").await, Some(1));
                Ok(())
            })
            .await;
        done.unwrap();
        let mut keys = cache.scan("*").await.unwrap();
        keys.sort_unstable();
        assert_eq!(keys, ["p:after", "tag:after"]);
        assert_eq!(number(&cache, "tag:after").await, Some(1));
        cache.delete_tags(["t"]).await.unwrap();
        assert_eq!(
            number(&cache, "tag:after").await,
            None,
            "its tags are its own"
        );
    });
}

#[test]
fn everything_can_be_forgotten_and_written_anew() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("old", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.clear().await?;
                cache.set("new", &2_u64).ttl("1m").await?;
                assert_eq!(number(&cache, "old").await, None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(cache.scan("*").await.unwrap(), ["new"]);
    });
}

#[test]
fn a_life_below_a_second_is_as_long_as_it_says_and_counts_from_the_write() {
    let world = World::new();
    let (cache, at) = (world.cache(), std::sync::Arc::clone(&world));
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("k", &1_u64).ttl(millis(500)).await?;
                at.clock_on(millis(200));
                let left = cache.remaining_ttl("k").await?;
                assert!(matches!(left, Some(Remaining::For(left)) if left <= millis(300)));
                Ok(())
            })
            .await;
        done.unwrap();
        let left = cache.remaining_ttl("k").await.unwrap();
        assert!(matches!(left, Some(Remaining::For(left)) if left <= millis(300)));
        at.clock_on(millis(300));
        assert_eq!(number(&cache, "k").await, None, "not immortal");
    });
}

#[test]
fn what_is_over_before_the_commit_does_not_bring_the_older_value_back() {
    let world = World::new();
    let (cache, at) = (world.cache(), std::sync::Arc::clone(&world));
    world.run(async move {
        cache.set("k", &1_u64).ttl("1h").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("k", &2_u64).ttl("1s").await?;
                at.clock_on(secs(2));
                assert_eq!(number(&cache, "k").await, None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(number(&cache, "k").await, None);
    });
}

#[test]
fn touch_gives_a_new_life_inside_and_at_the_commit() {
    let world = World::new();
    let (cache, at) = (world.cache(), std::sync::Arc::clone(&world));
    world.run(async move {
        cache.set("k", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                assert!(cache.touch("k", "1h").await?);
                assert!(!cache.touch("nothing", "1h").await?);
                let left = cache.remaining_ttl("k").await?;
                assert_eq!(left, Some(Remaining::For(secs(3_600))));
                at.clock_on(secs(1));
                Ok(())
            })
            .await;
        done.unwrap();
        let left = cache.remaining_ttl("k").await.unwrap();
        assert!(
            matches!(left, Some(Remaining::For(left)) if left.abs_diff(secs(3_599)) < millis(1)),
            "{left:?}"
        );
        let failed: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.touch("k", "9h").await?;
                Err(given_up())
            })
            .await;
        assert!(failed.is_err());
        let left = cache.remaining_ttl("k").await.unwrap();
        assert!(matches!(left, Some(Remaining::For(left)) if left < secs(3_600)));
    });
}

#[test]
fn conditions_are_decided_by_what_is_seen_inside() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("there", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let set = |key| cache.set(key, &2_u64).ttl("1m");
                assert!(!set("there").if_absent().await?);
                assert!(!set("new").if_present().await?);
                assert!(set("new").if_absent().await?);
                assert!(!set("new").if_absent().await?);
                cache.delete("there").await?;
                assert!(!set("there").if_present().await?);
                assert!(set("there").if_absent().await?);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(number(&cache, "there").await, Some(2));
        assert_eq!(number(&cache, "new").await, Some(2));
    });
}

#[test]
fn an_entry_of_another_type_is_said_to_be_one_inside_too() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("k", "text").ttl("1m").await?;
                let error = cache.get::<u64>("k").await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WrongType);
                Ok(())
            })
            .await;
        done.unwrap();
    });
}

#[test]
fn what_is_switched_off_is_not_kept_for_the_commit() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        cache.set("k", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let off = Operations::WRITE | Operations::REMOVE;
                let changes = async {
                    assert!(!cache.set("k", &2_u64).ttl("1m").await?);
                    assert!(!cache.delete("k").await?);
                    cache.delete_prefix("").await.map(drop)
                };
                larder::scope().off(off).wrap(changes).await
            })
            .await;
        done.unwrap();
        assert_eq!(number(&cache, "k").await, Some(1));
    });
}

#[test]
fn forced_misses_inside_remove_at_the_commit() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        cache.set("k", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let look = async { number(&cache, "k").await };
                let found = larder::scope().invalidate_further().wrap(look).await;
                assert_eq!(found, None);
                assert_eq!(outsider.number("k"), Some(1));
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(outsider.number("k"), None);
    });
}

#[test]
fn a_transaction_has_no_bound_of_its_own() {
    let world = World::new();
    let cache = world.builder().size(50_000).build().unwrap();
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                for n in 0..10_000_u64 {
                    cache.set(format!("k:{n}"), &n).ttl("1h").await?;
                }
                Ok(())
            })
            .await;
        done.unwrap();
        for n in 0..10_000_u64 {
            assert_eq!(number(&cache, &format!("k:{n}")).await, Some(n), "{n}");
        }
    });
}

#[test]
fn other_tasks_take_no_part_though_they_run_meanwhile() {
    let world = World::new();
    let cache = world.cache();
    let gate = crate::support::Gate::default();
    let inside = {
        let (cache, pass) = (cache.clone(), gate.clone());
        world.spawn(async move {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("k", &1_u64).ttl("1m").await?;
                    pass.pass().await;
                    assert_eq!(number(&cache, "k").await, Some(1));
                    Ok(())
                })
                .await;
            done
        })
    };
    world.settle();
    let other = cache.clone();
    world.run(async move {
        assert_eq!(number(&other, "k").await, None);
        other.set("k", &5_u64).ttl("1m").await.unwrap();
    });
    gate.open();
    world.settle();
    inside.value().unwrap();
    assert_eq!(
        cache.blocking().get::<u64>("k").unwrap(),
        Some(1),
        "the later commit wins"
    );
}

#[test]
fn the_sync_form_does_the_same_on_its_thread() {
    let cache = larder::Cache::builder().build().unwrap();
    let blocking = cache.blocking();
    let outsider = Outsider(cache.clone());
    let seats: Result<u64, larder::Error> = blocking
        .transaction(Mode::Serializable, |tx| {
            blocking.set("k", &1_u64).ttl("1m").wait()?;
            assert_eq!(outsider.number("k"), None);
            assert!(tx.remaining() > Duration::ZERO && !tx.is_rolled_back());
            Ok(blocking.get::<u64>("k")?.unwrap())
        })
        .timeout("5s")
        .wait();
    assert_eq!(seats.unwrap(), 1);
    assert_eq!(outsider.number("k"), Some(1));
    let failed: Done = blocking
        .transaction(Mode::Locked, |_| {
            blocking.delete("k")?;
            Err(given_up())
        })
        .wait();
    assert!(failed.is_err());
    assert_eq!(outsider.number("k"), Some(1));
}

#[test]
fn a_view_of_the_cache_takes_part() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        let shop = cache.scoped("shop:7:");
        cache.set("shop:7:old", &1_u64).ttl("1m").await.unwrap();
        for fails in [true, false] {
            let done: Done = shop
                .transaction(Mode::Locked, |_| async {
                    shop.set("k", &1_u64).ttl("1m").await?;
                    assert_eq!(number(&cache, "shop:7:k").await, Some(1));
                    assert_eq!(outsider.number("shop:7:k"), None);
                    assert!(cache.is_locked("@transaction:shop:7:k").await?);
                    assert!(shop.delete("old").await?);
                    assert_eq!(shop.scan("*").await?, ["k"]);
                    assert_eq!(cache.scan("*").await?, ["shop:7:k"]);
                    if fails { Err(given_up()) } else { Ok(()) }
                })
                .await;
            assert_eq!(done.is_err(), fails);
            assert_eq!(outsider.number("shop:7:k"), (!fails).then_some(1));
            assert_eq!(outsider.number("shop:7:old"), fails.then_some(1));
        }
    });
}

#[test]
fn a_hard_timeout_of_a_function_holds_inside_too() {
    #[larder::cached(cache = cache, key = "slow", ttl = "1m", hard_timeout = "1s")]
    async fn slow(cache: &larder::Cache) -> Result<u64, larder::Refused> {
        let _ = cache;
        std::future::pending().await
    }

    let world = World::new();
    let cache = world.cache();
    let running = world.spawn(async move {
        let done: Result<u64, larder::Error> = cache
            .transaction(Mode::Fast, |_| async {
                let refused = slow(&cache).await.unwrap_err();
                assert_eq!(refused.reason(), larder::Reason::TimedOut);
                Ok(7)
            })
            .await;
        done
    });
    world.advance(secs(1));
    assert_eq!(running.value().unwrap(), 7);
}
