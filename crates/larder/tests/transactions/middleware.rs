//! Removals by prefix and pattern where middleware keeps entries under other keys.

use larder::middleware::{Lowercase, Prefix};
use larder::transaction::Mode;
use larder::{Cache, deferred};

use crate::support::World;
use crate::{Done, Outsider, given_up, number};

fn cache(world: &World) -> Cache {
    let builder = world.builder().prefix("own:");
    let builder = builder.middleware(Lowercase).middleware(Prefix::new("eu:"));
    builder.build().unwrap()
}

/// One whose keys have no way back: what was added is not found in what became of it.
fn one_way(world: &World) -> Cache {
    let builder = world.builder().prefix("own:");
    let builder = builder.middleware(Prefix::new("EU:")).middleware(Lowercase);
    builder.build().unwrap()
}

/// The two ways in which a test removes the same keys.
async fn remove(cache: &Cache, by_prefix: bool) -> Done {
    match by_prefix {
        true => cache.delete_prefix("User:").await?,
        false => cache.delete_pattern("User:?").await?,
    };
    Ok(())
}

#[test]
fn what_was_written_before_the_removal_is_not_committed() {
    for by_prefix in [true, false] {
        let world = World::new();
        let cache = cache(&world);
        world.run(async move {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("User:1", &1_u64).ttl("1m").await?;
                    cache.set("other", &1_u64).ttl("1m").await?;
                    remove(&cache, by_prefix).await
                })
                .await;
            done.unwrap();
            assert_eq!(number(&cache, "user:1").await, None);
            assert_eq!(number(&cache, "other").await, Some(1));
        });
    }
}

#[test]
fn what_was_there_before_is_gone_inside_and_after_the_commit() {
    for by_prefix in [true, false] {
        let world = World::new();
        let cache = cache(&world);
        let outsider = Outsider(cache.clone());
        world.run(async move {
            for fails in [true, false] {
                cache.set("User:1", &1_u64).ttl("1m").await.unwrap();
                let done: Done = cache
                    .transaction(Mode::Fast, |_| async {
                        remove(&cache, by_prefix).await?;
                        assert_eq!(number(&cache, "User:1").await, None);
                        assert!(cache.scan("*").await?.is_empty());
                        assert_eq!(outsider.number("User:1"), Some(1));
                        if fails { Err(given_up()) } else { Ok(()) }
                    })
                    .await;
                assert_eq!(done.is_err(), fails);
                assert_eq!(outsider.number("User:1"), fails.then_some(1));
            }
        });
    }
}

#[test]
fn removals_say_how_many_they_met() {
    let world = World::new();
    let cache = cache(&world);
    world.run(async move {
        cache.set("User:1", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("User:2", &1_u64).ttl("1m").await?;
                assert_eq!(cache.delete_prefix("User:").await?, 2);
                Ok(())
            })
            .await;
        done.unwrap();
    });
}

#[test]
fn deferred_removals_are_seen_inside_and_applied_at_the_commit() {
    for by_prefix in [true, false] {
        let world = World::new();
        let cache = cache(&world);
        world.run(async move {
            cache.set("User:1", &1_u64).ttl("1m").await.unwrap();
            let pending = deferred();
            let inside = async {
                remove(&cache, by_prefix).await.unwrap();
                assert_eq!(number(&cache, "User:1").await, None);
            };
            pending.wrap(inside).await;
            assert_eq!(number(&cache, "User:1").await, Some(1));
            pending.commit().await.unwrap();
            assert_eq!(number(&cache, "User:1").await, None);
        });
    }
}

#[test]
fn a_view_is_cleared_inside() {
    let world = World::new();
    let cache = cache(&world);
    let view = cache.scoped("Shop:7:");
    world.run(async move {
        view.set("old", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                view.set("new", &1_u64).ttl("1m").await?;
                view.clear().await?;
                assert_eq!(number(&view, "old").await, None);
                assert_eq!(number(&view, "new").await, None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert!(cache.is_empty());
    });
}

#[test]
fn deferred_removals_of_keys_reach_them_where_there_is_no_way_back() {
    let world = World::new();
    let cache = one_way(&world);
    world.run(async move {
        for drops in [false, true] {
            for key in ["User:1", "User:2"] {
                cache.set(key, &1_u64).ttl("1m").await.unwrap();
            }
            let pending = deferred();
            let inside = async {
                assert!(cache.delete("User:1").await.unwrap());
                assert_eq!(cache.delete_many(["User:2"]).await.unwrap(), 1);
                assert_eq!(number(&cache, "User:1").await, None);
            };
            pending.wrap(inside).await;
            assert_eq!(number(&cache, "User:1").await, Some(1));
            match drops {
                true => drop(pending),
                false => pending.commit().await.unwrap(),
            }
            for key in ["User:1", "User:2"] {
                assert_eq!(number(&cache, key).await, None, "{key}");
            }
        }
    });
}

#[test]
fn a_scan_inside_finds_what_was_written_there() {
    let world = World::new();
    let cache = cache(&world);
    let view = cache.scoped("Shop:7:");
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("User:1", &1_u64).ttl("1m").await?;
                view.set("Name", &1_u64).ttl("1m").await?;
                assert_eq!(cache.scan("User:*").await?, ["user:1"]);
                assert_eq!(view.scan("N*").await?.len(), 1);
                assert!(cache.scan("other:*").await?.is_empty());
                Ok(())
            })
            .await;
        done.unwrap();
    });
}

#[test]
fn a_scan_inside_leaves_out_what_was_removed_there_where_there_is_no_way_back() {
    let world = World::new();
    let cache = one_way(&world);
    world.run(async move {
        cache.set("User:1", &1_u64).ttl("1m").await.unwrap();
        cache.set("User:2", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.delete("User:1").await?;
                assert_eq!(cache.scan("User:*").await?.len(), 1);
                Ok(())
            })
            .await;
        done.unwrap();
    });
}
