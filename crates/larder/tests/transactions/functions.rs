//! Cached functions, their handles, puts and edges in transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::transaction::Mode;
use larder::{Cache, Error, Policy, cache_put, cached, invalidates, transactional};

use crate::support::{Cached, Gate, Log, Oops, Origin, World, secs};
use crate::{Done, Outsider, given_up};

/// Prices that follow from what the cache holds under `rate`: they see what is not committed.
#[derive(Clone)]
struct Shop {
    cache: Cache,
    calls: Arc<AtomicU64>,
    gate: Gate,
}

impl Shop {
    fn new(cache: &Cache) -> Self {
        let gate = Gate::default();
        gate.open();
        Self {
            cache: cache.clone(),
            calls: Arc::default(),
            gate,
        }
    }

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    #[cached(cache = self.cache, key = "price:{n}", ttl = "1h", tags = ["prices"])]
    async fn price(&self, n: u64) -> Result<u64, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let rate = self.cache.get::<u64>("rate").await?.unwrap_or(1);
        self.gate.pass().await;
        Ok(n * rate)
    }

    #[cache_put(cache = self.cache, key = "price:{n}", ttl = "1h", tags = ["prices"])]
    async fn set_price(&self, n: u64, price: u64) -> Result<u64, Error> {
        let _ = n;
        self.gate.pass().await;
        Ok(price)
    }

    #[invalidates(self.price(n = n))]
    async fn reprice(&self, n: u64) -> Result<(), Error> {
        let _ = n;
        Ok(())
    }

    #[transactional(cache = self.cache)]
    #[invalidates(self.price(n = 2))]
    async fn change_rate(&self, rate: u64, fails: Option<&'static str>) -> Result<u64, Error> {
        self.cache.set("rate", &rate).ttl("1h").await?;
        let price = self.price(2).await?;
        fails.map_or(Ok(price), |_| Err(given_up()))
    }

    #[transactional(cache = self.cache, mode = "serializable", timeout = "5s")]
    fn change_rate_here(&self, rate: u64) -> Result<(), Error> {
        self.cache.blocking().set("rate", &rate).ttl("1h").wait()?;
        if rate == 0 { Err(given_up()) } else { Ok(()) }
    }

    #[transactional(cache = self.cache)]
    fn always(&self, rate: u64) -> Option<u64> {
        let set = self.cache.blocking().set("rate", &rate).ttl("1h");
        set.wait().ok()?;
        None
    }
}

#[test]
fn a_loaded_value_is_kept_inside_and_reaches_the_others_at_the_commit() {
    let world = World::new();
    let cache = world.cache();
    let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("rate", &3_u64).ttl("1h").await?;
                assert_eq!(shop.price(2).await?, 6);
                assert_eq!(shop.price(2).await?, 6);
                assert_eq!(shop.price_cache().peek(2).await?, Some(6));
                let explained = shop.price_cache().explain(2).await?;
                assert_eq!(&*explained.entry.unwrap().tier, "transaction");
                assert_eq!(outsider.number("price:2"), None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(outsider.number("price:2"), Some(6));
        assert_eq!(shop.price(2).await.unwrap(), 6);
        assert_eq!(shop.calls(), 1);
        cache.delete_tags(["prices"]).await.unwrap();
        assert_eq!(outsider.number("price:2"), None);
    });
}

#[test]
fn a_value_loaded_from_what_was_rolled_back_is_gone_with_it() {
    let world = World::new();
    let cache = world.cache();
    let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
    world.run(async move {
        let failed: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("rate", &3_u64).ttl("1h").await?;
                assert_eq!(shop.price(2).await?, 6);
                Err(given_up())
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(outsider.number("price:2"), None);
        assert_eq!(shop.price(2).await.unwrap(), 2);
    });
}

#[test]
fn nobody_outside_waits_for_a_load_inside() {
    let world = World::new();
    let cache = world.cache();
    let shop = Shop {
        gate: Gate::default(),
        ..Shop::new(&cache)
    };
    let inside = {
        let shop = shop.clone();
        world.spawn(async move {
            let cache = shop.cache.clone();
            cache
                .transaction(Mode::Fast, |_| async {
                    cache.set("rate", &3_u64).ttl("1h").await?;
                    shop.price(2).await
                })
                .await
        })
    };
    world.settle();
    let outside = {
        let shop = shop.clone();
        world.spawn(async move { shop.price(2).await })
    };
    world.settle();
    assert_eq!(shop.calls(), 2, "each asks the source for itself");
    shop.gate.open();
    world.settle();
    assert_eq!(inside.value().unwrap(), 6);
    assert_eq!(outside.value().unwrap(), 2);
}

#[test]
fn concurrent_calls_inside_share_one_load() {
    let world = World::new();
    let cache = world.cache();
    let shop = Shop {
        gate: Gate::default(),
        ..Shop::new(&cache)
    };
    let inside = {
        let shop = shop.clone();
        world.spawn(async move {
            let cache = shop.cache.clone();
            cache
                .transaction(Mode::Fast, |_| async {
                    let calls = futures_util::future::join_all((0..10).map(|_| shop.price(2)));
                    calls.await.into_iter().sum::<Result<u64, Error>>()
                })
                .await
        })
    };
    world.settle();
    shop.gate.open();
    world.settle();
    assert_eq!(inside.value().unwrap(), 20);
    assert_eq!(shop.calls(), 1);
}

#[test]
fn what_others_invalidate_meanwhile_is_not_stored_at_the_commit() {
    for by_tag in ["", "prices"] {
        let world = World::new();
        let log = Log::default();
        let cache = world.observed(log.clone());
        let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
        let other = cache.clone();
        world.run(async move {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    assert_eq!(shop.price(2).await?, 2);
                    let invalidate = move || match by_tag {
                        "" => drop(other.blocking().delete("price:2")),
                        tag => other.blocking().delete_tags([tag]).unwrap(),
                    };
                    std::thread::spawn(invalidate).join().unwrap();
                    assert_eq!(shop.price(2).await?, 2, "inside it is still seen");
                    Ok(())
                })
                .await;
            done.unwrap();
            assert_eq!(outsider.number("price:2"), None);
        });
        assert_eq!(log.count("superseded price:2"), 1);
    }
}

#[test]
fn a_value_loaded_after_its_own_removal_is_for_those_inside() {
    let world = World::new();
    let cache = world.cache();
    let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
    world.run(async move {
        assert_eq!(shop.price(2).await.unwrap(), 2);
        assert_eq!(shop.price(3).await.unwrap(), 3);
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                cache.set("rate", &5_u64).ttl("1h").await?;
                assert_eq!(shop.price(2).await?, 2, "nobody has invalidated it");
                shop.reprice(2).await?;
                assert_eq!(shop.price(2).await?, 10);
                assert_eq!(shop.price(2).await?, 10);
                assert_eq!(outsider.number("price:2"), Some(2));
                cache.delete_tags(["prices"]).await?;
                assert_eq!(shop.price(3).await?, 15);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(shop.calls(), 4);
        for gone in ["price:2", "price:3"] {
            assert_eq!(outsider.number(gone), None, "{gone}");
        }
        assert_eq!(shop.price(2).await.unwrap(), 10);
    });
}

#[test]
fn handles_take_part() {
    let world = World::new();
    let cache = world.cache();
    let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
    world.run(async move {
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let handle = shop.price_cache();
                handle.put(2, 7).await?;
                assert_eq!(shop.price(2).await?, 7);
                assert_eq!(outsider.number("price:2"), None);
                assert!(handle.invalidate(2).await?);
                assert!(!handle.invalidate(2).await?);
                assert_eq!(handle.peek(2).await?, None);
                assert_eq!(handle.refresh(2).await?, 2);
                assert_eq!(handle.peek(2).await?, Some(2));
                handle.put(3, 7).await?;
                assert_eq!(
                    handle.refresh(3).await?,
                    3,
                    "a refresh takes the place of a put"
                );
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(outsider.number("price:2"), None, "it was removed inside");
        assert_eq!(outsider.number("price:3"), Some(3));
    });
}

#[test]
fn a_put_is_written_at_the_commit_unless_its_key_was_changed_meanwhile() {
    for is_changed in [false, true] {
        let world = World::new();
        let cache = world.cache();
        let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
        let other = cache.clone();
        world.run(async move {
            let done: Done = cache
                .transaction(Mode::Fast, |_| async {
                    assert_eq!(shop.set_price(2, 9).await?, 9);
                    assert_eq!(shop.price(2).await?, 9);
                    assert_eq!(outsider.number("price:2"), None);
                    if is_changed {
                        let change = move || other.blocking().delete("price:2").unwrap();
                        std::thread::spawn(change).join().unwrap();
                    }
                    cache.delete("price:3").await?;
                    shop.set_price(3, 9).await.map(drop)
                })
                .await;
            done.unwrap();
            assert_eq!(outsider.number("price:2"), (!is_changed).then_some(9));
            assert_eq!(outsider.number("price:3"), Some(9));
        });
    }
}

#[test]
fn direct_loads_take_part() {
    let world = World::new();
    let cache = world.cache();
    let outsider = Outsider(cache.clone());
    world.run(async move {
        cache.set("many:1", &1_u64).ttl("1m").await.unwrap();
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                let load = || async { Ok::<_, Error>(4_u64) };
                assert_eq!(cache.get_or_load("one", load).ttl("1m").await?, 4);
                cache.set("many:2", &2_u64).ttl("1m").await?;
                let many = |wanted: Vec<String>| async move {
                    assert_eq!(wanted, ["many:3"]);
                    let found = wanted.into_iter().map(|key| (key, 3_u64));
                    Ok::<_, Error>(found.collect())
                };
                let keys = ["many:1", "many:2", "many:3"];
                for _ in 0..2 {
                    let found = cache.get_or_load_many(keys, many).ttl("1m").await?;
                    assert_eq!(keys.map(|key| found[key]), [1, 2, 3]);
                }
                assert_eq!(outsider.number("one"), None);
                assert_eq!(outsider.number("many:3"), None);
                Ok(())
            })
            .await;
        done.unwrap();
        assert_eq!(outsider.number("one"), Some(4));
        assert_eq!(outsider.number("many:3"), Some(3));
    });
}

#[test]
fn a_failing_source_is_stood_in_for_by_what_is_seen_inside() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let policy = Policy::new().ttl("1m").fail_safe("1h");
    let function = Cached::new(&cache, &origin, policy);
    let at = Arc::clone(&world);
    world.run(async move {
        assert_eq!(function.clone().call("k").await, Ok(1));
        at.clock_on(secs(120));
        origin.fails("down");
        let done: Done = cache
            .transaction(Mode::Fast, |_| async {
                assert_eq!(function.clone().call("k").await, Ok(1));
                cache.delete("k").await?;
                assert_eq!(function.clone().call("k").await, Err(Oops("down")));
                Ok(())
            })
            .await;
        done.unwrap();
    });
}

#[test]
fn the_attribute_commits_ok_and_rolls_err_back() {
    let world = World::new();
    let cache = world.cache();
    let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
    world.run(async move {
        cache.set("price:2", &1_u64).ttl("1h").await.unwrap();
        assert!(shop.change_rate(5, Some("fails")).await.is_err());
        assert_eq!(outsider.number("rate"), None);
        assert_eq!(
            outsider.number("price:2"),
            Some(1),
            "its edges belong to it"
        );
        assert_eq!(shop.change_rate(5, None).await.unwrap(), 1);
        assert_eq!(outsider.number("rate"), Some(5));
        assert_eq!(outsider.number("price:2"), None);
        assert_eq!((cache.stats().committed, cache.stats().rolled_back), (1, 1));
    });
}

#[test]
fn the_attribute_works_on_sync_functions() {
    let cache = Cache::builder().build().unwrap();
    let shop = Shop::new(&cache);
    assert!(shop.change_rate_here(0).is_err());
    assert_eq!(cache.blocking().get::<u64>("rate").unwrap(), None);
    shop.change_rate_here(3).unwrap();
    assert_eq!(cache.blocking().get::<u64>("rate").unwrap(), Some(3));
    assert_eq!(shop.always(4), None);
    assert_eq!(
        cache.blocking().get::<u64>("rate").unwrap(),
        Some(4),
        "it cannot fail"
    );
}

#[test]
fn what_an_inner_transaction_loads_gives_way_to_what_the_outer_one_did_meanwhile() {
    for sets in [false, true] {
        for is_loading in [false, true] {
            let world = World::new();
            let cache = world.cache();
            let (mut shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
            let gate = Gate::default();
            if is_loading {
                shop.gate = gate.clone();
            }
            world.run(async move {
                let inner = async || -> Done {
                    cache
                        .transaction(Mode::Fast, |_| async {
                            assert_eq!(shop.price(2).await?, 2);
                            gate.pass().await;
                            Ok(())
                        })
                        .await
                };
                let meanwhile = async || -> Done {
                    match sets {
                        true => cache.set("price:2", &9_u64).ttl("1h").await?,
                        false => cache.delete("price:2").await?,
                    };
                    gate.open();
                    Ok(())
                };
                let done: Done = cache
                    .transaction(Mode::Fast, |_| async {
                        let both = futures_util::future::join(inner(), meanwhile());
                        let (inner, meanwhile) = both.await;
                        inner.and(meanwhile)
                    })
                    .await;
                done.unwrap();
                assert_eq!(
                    outsider.number("price:2"),
                    sets.then_some(9),
                    "set: {sets}, during the load: {is_loading}"
                );
            });
        }
    }
}

#[test]
fn what_is_loaded_in_a_transaction_is_not_stored_where_its_removal_waits_around_it() {
    let world = World::new();
    let cache = world.cache();
    let (shop, outsider) = (Shop::new(&cache), Outsider(cache.clone()));
    world.run(async move {
        let pending = larder::deferred();
        let inside = async {
            cache.delete("price:2").await?;
            cache
                .transaction(Mode::Fast, |_| async { shop.price(2).await.map(drop) })
                .await
        };
        let done: Done = pending.wrap(inside).await;
        done.unwrap();
        assert_eq!(outsider.number("price:2"), None);
        pending.commit().await.unwrap();
        assert_eq!(outsider.number("price:2"), None);
    });
}
