//! Transactions over a store: two caches on one store behave as two processes would.

#![cfg(feature = "serde")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder::store::Guarded;
use larder::testing::{Faults, MemoryStore, Simulation};
use larder::transaction::Mode;
use larder::{Cache, Error, ErrorKind, Remaining, cached, deferred};

use crate::support::{Log, secs};
use crate::{Done, given_up, number};

/// Two caches on one store, each with its own connection.
struct Pair {
    simulation: Simulation,
    store: MemoryStore,
    /// The connection of the first.
    link: MemoryStore,
    log: Log,
    one: Cache,
    two: Cache,
}

impl Pair {
    fn new() -> Self {
        let simulation = Simulation::new(7);
        let store = MemoryStore::new(simulation.runtime());
        let log = Log::default();
        let cache = |log: &Log, link: MemoryStore| {
            let cache = Cache::builder().runtime(simulation.runtime());
            let guarded = Guarded::builder(Arc::new(link), simulation.runtime()).build();
            let cache = cache.store(Arc::new(guarded)).memory_ttl("1h");
            cache.observer(log.clone()).build().unwrap()
        };
        let link = store.connect();
        let one = cache(&log, link.clone());
        let two = cache(&Log::default(), store.connect());
        Self {
            simulation,
            store,
            link,
            log,
            one,
            two,
        }
    }
}

#[test]
fn another_process_sees_all_changes_after_the_commit_and_none_before() {
    let Pair {
        simulation,
        one,
        two,
        ..
    } = Pair::new();
    simulation.block_on(async {
        for key in ["a", "p:1", "tagged"] {
            let set = one.set(key, &1_u64).ttl("1h");
            let set = if key == "tagged" {
                set.tags(["t"])
            } else {
                set
            };
            set.await.unwrap();
        }
        one.increment("n", 5).ttl("1h").await.unwrap();
        let done: Done = one
            .transaction(Mode::Fast, |_| async {
                assert!(one.delete("a").await?);
                one.delete_prefix("p:").await?;
                one.delete_tags(["t"]).await?;
                one.set("b", &2_u64).ttl("1h").tags(["t"]).await?;
                one.local().set("here", &3_u64).ttl("1h").await?;
                assert_eq!(one.increment("n", 1).await?, 6);
                assert_eq!(one.get::<i64>("n").await?, Some(6));
                assert_eq!(two.increment("n", 10).await?, 15);
                assert!(one.touch("n", "2h").await?);
                for gone in ["a", "p:1", "tagged"] {
                    assert_eq!(number(&one, gone).await, None, "{gone}");
                    assert!(!one.exists(gone).await?, "{gone}");
                    assert_eq!(number(&two, gone).await, Some(1), "{gone}");
                }
                assert_eq!(number(&one, "b").await, Some(2));
                assert_eq!(number(&two, "b").await, None);
                let mut keys = one.scan("*").await?;
                keys.sort_unstable();
                assert_eq!(keys, ["b", "here", "n"]);
                Ok(())
            })
            .await;
        done.unwrap();
        // What the other process had copied may live for its `memory_ttl`; a third one has none.
        for gone in ["a", "p:1"] {
            assert!(!one.exists(gone).await.unwrap(), "{gone}");
        }
        assert_eq!(number(&one, "tagged").await, None);
        assert_eq!(
            number(&two, "b").await,
            Some(2),
            "under the tag that was forgotten before it"
        );
        assert_eq!(
            one.get::<i64>("n").await.unwrap(),
            Some(16),
            "nothing is lost"
        );
        let left = one.remaining_ttl("n").await.unwrap();
        assert!(
            matches!(left, Some(Remaining::For(left)) if left > secs(3_600)),
            "{left:?}"
        );
        assert_eq!(one.local().get::<u64>("here").unwrap(), Some(3));
    });
}

#[test]
fn a_rollback_leaves_the_store_as_it_was() {
    let Pair {
        simulation,
        store,
        one,
        two,
        ..
    } = Pair::new();
    simulation.block_on(async {
        one.set("a", &1_u64).ttl("1h").await.unwrap();
        let failed: Done = one
            .transaction(Mode::Locked, |_| async {
                one.set("a", &2_u64).ttl("1h").await?;
                one.set("b", &2_u64).ttl("1h").await?;
                one.clear().await?;
                Err(given_up())
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(number(&two, "a").await, Some(1));
        assert_eq!(store.entries(), 1);
        assert!(!two.is_locked("@transaction:a").await.unwrap());
    });
}

static CALLS: AtomicU64 = AtomicU64::new(0);

#[cached(cache = cache, key = "price:{n}", ttl = "1h", tags = ["prices"])]
async fn price(cache: &Cache, n: u64) -> Result<u64, Error> {
    CALLS.fetch_add(1, Ordering::SeqCst);
    Ok(n * cache.get::<u64>("rate").await?.unwrap_or(1))
}

#[test]
fn loads_reach_the_store_at_the_commit_unless_another_process_invalidated_them() {
    let Pair {
        simulation,
        log,
        one,
        two,
        ..
    } = Pair::new();
    simulation.block_on(async {
        price(&two, 9).await.unwrap();
        let before = CALLS.load(Ordering::SeqCst);
        let done: Done = one
            .transaction(Mode::Fast, |_| async {
                assert_eq!(price(&one, 9).await?, 9, "from the store");
                one.set("rate", &3_u64).ttl("1h").await?;
                assert_eq!(price(&one, 2).await?, 6);
                assert_eq!(price(&one, 3).await?, 9);
                assert_eq!(price(&one, 3).await?, 9);
                assert_eq!(number(&two, "price:2").await, None);
                two.delete("price:3").await.map(drop)
            })
            .await;
        done.unwrap();
        assert_eq!(CALLS.load(Ordering::SeqCst) - before, 2);
        assert_eq!(number(&two, "price:2").await, Some(6));
        assert_eq!(number(&two, "price:3").await, None);
        assert_eq!(log.count("superseded larder:price:3"), 1);
    });
}

#[test]
fn a_read_of_what_the_store_holds_goes_through_the_removals_inside() {
    let Pair {
        simulation,
        one,
        two,
        ..
    } = Pair::new();
    simulation.block_on(async {
        two.set("by:tag", &1_u64)
            .ttl("1h")
            .tags(["t"])
            .await
            .unwrap();
        two.set("by:key", &1_u64).ttl("1h").await.unwrap();
        two.set("kept", &1_u64).ttl("1h").await.unwrap();
        let done: Done = one
            .transaction(Mode::Fast, |_| async {
                one.delete_tags(["t"]).await?;
                assert!(one.delete("by:key").await?);
                assert_eq!(
                    one.get_many::<u64>(["by:tag", "by:key", "kept"]).await?,
                    [None, None, Some(1)]
                );
                assert_eq!(one.remaining_ttl("by:tag").await?, None);
                let load = || async { Ok::<_, Error>(5_u64) };
                assert_eq!(one.get_or_load("by:tag", load).ttl("1m").await?, 5);
                assert_eq!(one.scan("*").await?, ["by:tag", "kept"]);
                assert!(!one.set("kept", &2_u64).ttl("1h").if_absent().await?);
                Ok(())
            })
            .await;
        done.unwrap();
    });
}

#[test]
fn locks_keep_other_processes_away() {
    for mode in [Mode::Locked, Mode::Serializable] {
        let Pair {
            simulation,
            store,
            one,
            two,
            ..
        } = Pair::new();
        let third = Cache::builder().runtime(simulation.runtime());
        let third = third.store(Arc::new(store.connect())).build().unwrap();
        let add = |cache: Cache| async move {
            for _ in 0..20 {
                let done: Done = cache
                    .transaction(mode, |_| async {
                        let before = cache.get::<u64>("n").await?.unwrap_or_default();
                        cache.set("n", &(before + 1)).ttl("1h").await.map(drop)
                    })
                    .timeout("1h")
                    .await;
                done.unwrap();
            }
        };
        simulation.block_on(async {
            // Each has copies of its own, so what is read must be as new as the lock.
            futures_util::future::join(add(one), add(two)).await;
            assert_eq!(number(&third, "n").await, Some(40), "{mode:?}");
        });
    }
}

#[test]
fn a_store_that_is_down_at_the_commit_is_an_error_and_leaves_nothing_older() {
    let Pair {
        simulation,
        link,
        log,
        one,
        ..
    } = Pair::new();
    simulation.block_on(async {
        one.set("k", &1_u64).ttl("1h").await.unwrap();
        let done: Done = one
            .transaction(Mode::Fast, |_| async {
                one.set("k", &2_u64).ttl("1h").await?;
                one.delete("gone").await?;
                link.refuse();
                Ok(())
            })
            .await;
        let error = done.unwrap_err();
        assert_eq!(
            (error.kind(), error.operation()),
            (ErrorKind::Unavailable, "commit")
        );
        assert_eq!(log.count("CommitFailed { changes: 2"), 1);
        assert_eq!(one.stats().rolled_back, 1);
        link.heal();
    });
    // The removal that did not arrive is remembered for the store.
    simulation.advance(secs(60));
    simulation.run();
    simulation.block_on(async {
        assert_eq!(
            number(&one, "k").await,
            None,
            "neither the old one nor the new one"
        );
    });
}

#[test]
fn a_value_that_cannot_be_kept_outside_is_refused_where_it_is_written() {
    let simulation = Simulation::new(1);
    let store = MemoryStore::new(simulation.runtime());
    let cache = Cache::builder().runtime(simulation.runtime());
    let cache = cache.store(Arc::new(store)).build().unwrap();
    simulation.block_on(async {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("good", &1_u64).ttl("1h").await?;
                let refused = cache.set("bad", &Unwritable).ttl("1h").await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::Encode);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(number(&cache, "good").await, Some(1));
    });
}

#[derive(Clone)]
struct Unwritable;

impl serde::Serialize for Unwritable {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("no"))
    }
}

impl<'de> serde::Deserialize<'de> for Unwritable {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("no"))
    }
}

#[test]
fn a_commit_that_has_begun_is_carried_through_when_its_future_is_dropped() {
    let Pair {
        simulation,
        link,
        log,
        one,
        two,
        ..
    } = Pair::new();
    link.suffer(Faults::none().delay(Duration::from_millis(10)));
    let here = one.clone();
    let task = simulation.spawn(async move {
        let done: Done = here
            .transaction(Mode::Locked, |_| async {
                let all = (0..20_u64).map(|n| (format!("k:{n}"), n));
                here.set_many(all).ttl("1h").await?;
                here.delete_prefix("old:").await.map(drop)
            })
            .await;
        done.unwrap();
    });
    // Until the removal has arrived, which is the first step of the commit.
    while log.count("invalidated Prefix") == 0 {
        simulation.advance(Duration::from_millis(1));
    }
    assert!(task.cancel(), "it is in the middle");
    assert_eq!(log.count("Committed"), 0);
    simulation.block_on(async {
        simulation.sleep(secs(60)).await;
        assert_eq!(log.count("Committed { changes: 21 }"), 1);
        for n in 0..20 {
            assert_eq!(number(&two, &format!("k:{n}")).await, Some(n));
            let name = format!("@transaction:k:{n}");
            assert!(!two.is_locked(name).await.unwrap());
        }
    });
}

#[test]
fn an_invalidation_that_is_under_way_at_the_commit_is_not_lost() {
    for many in [false, true] {
        let Pair {
            simulation,
            one,
            two,
            ..
        } = Pair::new();
        simulation.block_on(async {
            two.set("k", &1_u64).ttl("1h").await.unwrap();
            let pending = deferred();
            let deleting = pending.wrap(async {
                // The store is asked for the key before the removal is kept.
                match many {
                    true => one.delete_many(["k"]).await.map(drop),
                    false => one.delete("k").await.map(drop),
                }
            });
            let committing = async { pending.commit().await };
            let (deleted, committed) = futures_util::future::join(deleting, committing).await;
            deleted.and(committed).unwrap();
            assert_eq!(number(&two, "k").await, None);
        });
    }
}

#[test]
fn deferred_invalidations_reach_the_store_also_when_they_are_dropped() {
    let Pair {
        simulation,
        store,
        one,
        two,
        ..
    } = Pair::new();
    simulation.block_on(async {
        one.set("k", &1_u64).ttl("1h").tags(["t"]).await.unwrap();
        let pending = deferred();
        let inside = async {
            assert!(one.delete("k").await.unwrap());
            assert_eq!(number(&one, "k").await, None);
            let load = || async { Ok::<_, Error>(2_u64) };
            let loaded = one.get_or_load("k", load).ttl("1h").await;
            assert_eq!(loaded.unwrap(), 2);
        };
        pending.wrap(inside).await;
        assert_eq!(number(&two, "k").await, Some(1));
        assert_eq!(store.entries(), 1);
        drop(pending);
        assert!(one.is_empty(), "memory forgets at once");
        simulation.sleep(secs(1)).await;
        assert_eq!(store.entries(), 0);
    });
}

#[test]
fn dropped_in_a_transaction_deferred_invalidations_are_a_part_of_it() {
    for fails in [true, false] {
        let Pair {
            simulation,
            store,
            one,
            two,
            ..
        } = Pair::new();
        simulation.block_on(async {
            // In the store and not in memory, so that only the store knows whether there is one.
            two.set("k", &1_u64).ttl("1h").await.unwrap();
            let done: Done = one
                .transaction(Mode::Fast, |_| async {
                    let pending = deferred();
                    pending.wrap(one.delete("k")).await?;
                    // The body is over before the store could answer anything.
                    drop(pending);
                    if fails { Err(given_up()) } else { Ok(()) }
                })
                .await;
            assert_eq!(done.is_err(), fails);
            simulation.sleep(secs(1)).await;
            assert_eq!(store.entries(), usize::from(fails));
        });
    }
}

#[test]
fn memory_forgets_all_that_was_deferred_before_the_store_has_answered() {
    let Pair {
        simulation, one, ..
    } = Pair::new();
    simulation.block_on(async {
        for key in ["k", "p:1", "q:1", "tagged"] {
            one.set(key, &1_u64).ttl("1h").tags([key]).await.unwrap();
        }
        let pending = deferred();
        let inside = async {
            one.delete("k").await.unwrap();
            one.delete_prefix("p:").await.unwrap();
            one.delete_pattern("q:?").await.unwrap();
            one.delete_tags(["tagged"]).await.unwrap();
        };
        pending.wrap(inside).await;
        drop(pending.commit());
        let peek = |key: &str| one.local().get::<u64>(key).unwrap();
        for gone in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(peek(gone), None, "{gone}");
        }
        simulation.sleep(secs(1)).await;
        assert_eq!(number(&one, "tagged").await, None);
        for gone in ["k", "p:1", "q:1"] {
            assert!(!one.exists(gone).await.unwrap(), "{gone}");
        }
    });
}

#[test]
fn a_number_that_is_gone_at_the_commit_does_not_begin_without_an_end() {
    let Pair {
        simulation, one, ..
    } = Pair::new();
    simulation.block_on(async {
        for ends in [false, true] {
            one.increment("n", 5).ttl("5s").await.unwrap();
            let done: Done = one
                .transaction(Mode::Fast, |_| async {
                    assert_eq!(one.increment("n", 1).await?, 6);
                    if ends {
                        assert_eq!(one.increment("n", 1).ttl("1h").await?, 7);
                    }
                    simulation.sleep(secs(6)).await;
                    Ok(())
                })
                .await;
            done.unwrap();
            let left = one.remaining_ttl("n").await.unwrap();
            match left {
                None => assert!(!ends),
                Some(Remaining::For(left)) => assert!(ends && left <= secs(3_600), "{left:?}"),
                Some(Remaining::Forever) => panic!("it never ends"),
            }
        }
    });
}

#[test]
fn an_entry_whose_time_ends_while_the_commit_is_applied_takes_nothing_else_with_it() {
    let Pair {
        simulation,
        link,
        one,
        two,
        ..
    } = Pair::new();
    simulation.block_on(async {
        one.set("short", &1_u64).ttl("1h").await.unwrap();
        link.suffer(Faults::none().delay(Duration::from_millis(100)));
        let done: Done = one
            .transaction(Mode::Fast, |_| async {
                one.set("short", &2_u64).ttl("1ms").await?;
                one.set("long", &2_u64).ttl("1h").await?;
                one.delete_prefix("old:").await?;
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(number(&two, "long").await, Some(2));
        for cache in [&one, &two] {
            assert_eq!(number(cache, "short").await, None, "nothing older is left");
        }
    });
}
