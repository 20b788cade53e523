//! Invalidations that wait for the commit of a database.

use std::sync::Arc;

use larder::transaction::Mode;
use larder::{Cache, Error, Policy, cached, deferred, invalidates};

use crate::support::{Cached, Gate, Log, Origin, World};
use crate::{Done, Outsider, number};

async fn fill(cache: &Cache) {
    for key in ["k", "p:1", "q:1", "tagged"] {
        let set = cache.set(key, &1_u64).ttl("1h");
        let set = if key == "tagged" {
            set.tags(["t"])
        } else {
            set
        };
        set.await.unwrap();
    }
}

async fn forget(cache: &Cache) -> Done {
    assert!(cache.delete("k").await?);
    cache.delete_prefix("p:").await?;
    cache.delete_pattern("q:?").await?;
    cache.delete_tags(["t"]).await
}

#[test]
fn invalidations_wait_until_the_database_has_committed() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        fill(&cache).await;
        let pending = deferred();
        let inside = async {
            forget(&cache).await.unwrap();
            for gone in ["k", "p:1", "q:1", "tagged"] {
                assert_eq!(number(&cache, gone).await, None, "{gone}");
                assert_eq!(outsider.number(gone), Some(1), "{gone}");
            }
        };
        pending.wrap(inside).await;
        assert_eq!(pending.len(), 4);
        for kept in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(number(&cache, kept).await, Some(1), "{kept}");
        }
        pending.commit().await.unwrap();
        for gone in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(outsider.number(gone), None, "{gone}");
        }
    });
}

#[test]
fn discarded_invalidations_are_forgotten() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        fill(&cache).await;
        let pending = deferred();
        pending.wrap(forget(&cache)).await.unwrap();
        pending.discard();
        for kept in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(number(&cache, kept).await, Some(1), "{kept}");
        }
    });
}

#[test]
fn invalidations_that_nobody_spoke_of_again_are_applied() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        fill(&cache).await;
        let commit = |fails: bool| {
            if fails {
                Err(crate::given_up())
            } else {
                Ok(())
            }
        };
        let request = async {
            let pending = deferred();
            pending.wrap(forget(&cache)).await?;
            commit(true)?;
            pending.commit().await
        };
        assert!(request.await.is_err());
        for gone in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(
                number(&cache, gone).await,
                None,
                "{gone}: nobody knows whether it was committed"
            );
        }
    });
}

#[test]
fn a_panic_loses_no_invalidation() {
    let world = World::new();
    let cache = world.cache();
    let here = cache.clone();
    let running = world.spawn(async move {
        fill(&here).await;
        let pending = deferred();
        pending.wrap(forget(&here)).await.unwrap();
        panic!("before the commit");
    });
    world.settle();
    assert_eq!(running.panic(), "before the commit");
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
}

#[test]
fn it_works_on_threads() {
    let cache = Cache::builder().build().unwrap();
    let blocking = cache.blocking();
    blocking.set("k", &1_u64).ttl("1h").wait().unwrap();
    let pending = deferred();
    assert!(pending.is_empty());
    pending.run(|| {
        assert!(blocking.delete("k").unwrap());
        assert!(!blocking.exists("k").unwrap());
    });
    assert!(blocking.exists("k").unwrap());
    pending.commit().wait().unwrap();
    assert!(!blocking.exists("k").unwrap());
}

#[derive(Clone)]
struct Users {
    cache: Cache,
    origin: Origin,
}

impl Users {
    #[cached(cache = self.cache, key = "user:{id}", ttl = "1h", tags = ["users"])]
    async fn user(&self, id: u64) -> Result<u64, crate::support::Oops> {
        let _ = id;
        self.origin.call().await
    }

    #[invalidates(self.user(id = id))]
    async fn rename(&self, id: u64) -> Result<(), Error> {
        let _ = id;
        Ok(())
    }
}

#[test]
fn edges_and_handles_are_collected_and_loads_inside_are_not_stored() {
    let world = World::new();
    let cache = world.cache();
    let users = Users {
        cache: cache.clone(),
        origin: Origin::new(&world, 1),
    };
    let outsider = Outsider(cache.clone());
    world.run(async move {
        users.user(7).await.unwrap();
        users.user(8).await.unwrap();
        users.origin.gives(2);
        let pending = deferred();
        let inside = async {
            users.rename(7).await.unwrap();
            users.user_cache().invalidate(8).await.unwrap();
            assert_eq!(users.user(7).await.unwrap(), 2);
            assert_eq!(users.user(7).await.unwrap(), 2);
            // Not invalidated, and loaded from what is not committed all the same.
            assert_eq!(users.user(9).await.unwrap(), 2);
        };
        pending.wrap(inside).await;
        assert_eq!(users.origin.calls(), 5, "each miss inside asks the source");
        assert_eq!(outsider.number("user:7"), Some(1));
        assert_eq!(outsider.number("user:9"), None);
        pending.commit().await.unwrap();
        assert_eq!(outsider.number("user:7"), None);
        assert_eq!(outsider.number("user:8"), None);
    });
}

#[test]
fn a_load_that_began_before_the_commit_is_not_stored_after_it() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let function = Cached::new(&cache, &origin, Policy::new().ttl("1h"));
    let gate: Gate = origin.hold();
    let loading = world.spawn(function.clone().call("k"));
    world.settle();
    let (here, at) = (cache.clone(), Arc::clone(&world));
    world.run(async move {
        let pending = deferred();
        pending.wrap(here.delete("k")).await.unwrap();
        let _ = at;
        pending.commit().await.unwrap();
    });
    gate.open();
    world.settle();
    assert_eq!(loading.value(), Ok(1));
    assert_eq!(cache.blocking().get::<u64>("k").unwrap(), None);
}

#[test]
fn several_futures_and_caches_share_one_commit() {
    let world = World::new();
    let log = Log::default();
    let (one, two) = (world.cache(), world.observed(log.clone()));
    world.run(async move {
        fill(&one).await;
        fill(&two).await;
        let pending = deferred();
        pending.wrap(one.delete("k")).await.unwrap();
        pending.wrap(two.delete("k")).await.unwrap();
        pending.wrap(two.delete("k")).await.unwrap();
        assert_eq!(pending.len(), 2);
        assert_eq!(log.count("invalidated"), 0);
        pending.commit().await.unwrap();
        assert_eq!(log.count("invalidated Keys([\"k\"])"), 1);
        assert_eq!(number(&one, "k").await, None);
        assert_eq!(number(&two, "k").await, None);
    });
}

#[test]
fn a_write_inside_is_seen_at_once_and_falls_with_the_invalidation() {
    let world = World::new();
    let cache = world.cache();
    world.run(async move {
        fill(&cache).await;
        let pending = deferred();
        let inside = async {
            cache.set("new", &2_u64).ttl("1h").await.unwrap();
            cache.increment("n", 1).ttl("1h").await.unwrap();
            cache.delete("k").await.unwrap();
            cache.set("k", &2_u64).ttl("1h").await.unwrap();
        };
        pending.wrap(inside).await;
        assert_eq!(number(&cache, "new").await, Some(2));
        assert_eq!(cache.get::<i64>("n").await.unwrap(), Some(1));
        assert_eq!(number(&cache, "k").await, Some(2));
        pending.commit().await.unwrap();
        assert_eq!(number(&cache, "k").await, None);
    });
}

#[test]
fn a_transaction_inside_commits_its_writes_and_leaves_its_removals_to_wait() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        fill(&cache).await;
        let pending = deferred();
        let inside = async {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("new", &2_u64).ttl("1h").await?;
                    forget(&cache).await
                })
                .await;
            done.unwrap();
            assert_eq!(number(&cache, "k").await, None);
        };
        pending.wrap(inside).await;
        assert_eq!(outsider.number("new"), Some(2));
        for kept in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(outsider.number(kept), Some(1), "{kept}");
        }
        pending.commit().await.unwrap();
        for gone in ["k", "p:1", "q:1", "tagged"] {
            assert_eq!(outsider.number(gone), None, "{gone}");
        }
    });
}

#[test]
fn what_a_transaction_inside_loads_is_not_stored() {
    let world = World::new();
    let cache = world.cache();
    let users = Users {
        cache: cache.clone(),
        origin: Origin::new(&world, 1),
    };
    let outsider = Outsider(cache.clone());
    world.run(async move {
        let pending = deferred();
        let inside = async {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    assert_eq!(users.user(7).await.unwrap(), 1);
                    assert_eq!(users.user(7).await.unwrap(), 1);
                    cache.set("new", &2_u64).ttl("1h").await?;
                    Ok(())
                })
                .await;
            done.unwrap();
        };
        pending.wrap(inside).await;
        assert_eq!(users.origin.calls(), 1, "the transaction has it");
        assert_eq!(outsider.number("user:7"), None);
        assert_eq!(outsider.number("new"), Some(2));
        pending.commit().await.unwrap();
        assert_eq!(outsider.number("user:7"), None);
    });
}

#[test]
fn committed_in_a_transaction_they_are_a_part_of_it() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        fill(&cache).await;
        for fails in [true, false] {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    let pending = deferred();
                    let inside = async {
                        cache.set("new", &2_u64).ttl("1h").await?;
                        forget(&cache).await
                    };
                    pending.wrap(inside).await?;
                    assert_eq!(number(&cache, "k").await, Some(1));
                    pending.commit().await?;
                    assert_eq!(number(&cache, "k").await, None);
                    if fails {
                        Err(crate::given_up())
                    } else {
                        Ok(())
                    }
                })
                .await;
            assert_eq!(done.is_err(), fails);
            assert_eq!(outsider.number("k"), fails.then_some(1));
            assert_eq!(outsider.number("new"), (!fails).then_some(2));
        }
    });
}

#[test]
fn what_is_invalidated_after_the_commit_is_applied_at_once() {
    for end in ["commit", "discard", "drop"] {
        let world = World::new();
        let cache = world.cache();
        let (gate, here) = (Gate::default(), cache.clone());
        let pending = deferred();
        world.run(async move { fill(&here).await });
        let work = {
            let (cache, gate) = (cache.clone(), gate.clone());
            async move {
                gate.pass().await;
                forget(&cache).await
            }
        };
        let work = world.spawn(pending.wrap(work));
        world.settle();
        world.run(async move {
            match end {
                "commit" => pending.commit().await.unwrap(),
                "discard" => pending.discard(),
                _ => drop(pending),
            }
        });
        gate.open();
        world.settle();
        work.value().unwrap();
        for gone in ["k", "p:1", "q:1", "tagged"] {
            let seen = cache.blocking().get::<u64>(gone).unwrap();
            assert_eq!(seen, None, "{gone} after {end}");
        }
    }
}
