//! Batches and streams in transactions: what they load may not be committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::runtime::SystemRuntime;
use larder::testing::MemoryStore;
use larder::transaction::Mode;
use larder::{Cache, Error, cached_batch, cached_stream};

use crate::{Outsider, given_up};

/// Prices that follow from what the cache holds under `rate`.
#[derive(Clone)]
struct Shop {
    cache: Cache,
    asked: Arc<AtomicU64>,
}

impl Shop {
    fn new(cache: Cache) -> Self {
        Self {
            cache,
            asked: Arc::default(),
        }
    }

    fn asked(&self) -> u64 {
        self.asked.swap(0, Ordering::SeqCst)
    }

    #[cached_batch(cache = self.cache, key = "price:{id}", ttl = "1h")]
    async fn prices(&self, ids: &[u64]) -> Result<HashMap<u64, u64>, Error> {
        self.asked.fetch_add(ids.len() as u64, Ordering::SeqCst);
        let rate = self.cache.get::<u64>("rate").await?.unwrap_or(1);
        Ok(ids.iter().map(|id| (*id, id * rate)).collect())
    }

    #[cached_stream(cache = self.cache, key = "rates", ttl = "1h")]
    fn rates(&self) -> impl Iterator<Item = u64> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let rate = self
            .cache
            .blocking()
            .get::<u64>("rate")
            .unwrap()
            .unwrap_or(1);
        (1..=3).map(move |n| n * rate)
    }
}

/// In memory, and over a store that two caches share.
fn everywhere(test: impl AsyncFn(Shop, Outsider)) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let place = MemoryStore::new(Arc::new(SystemRuntime::new()));
    let over = || {
        let store = Arc::new(place.connect());
        Cache::builder().store(store).build().unwrap()
    };
    let alone = Cache::builder().build().unwrap();
    let mut pairs = vec![(alone.clone(), alone)];
    // Without it values stay in their process.
    if cfg!(feature = "serde") {
        pairs.push((over(), over()));
    }
    for (mine, theirs) in pairs {
        runtime.block_on(test(Shop::new(mine), Outsider(theirs)));
    }
}

#[test]
fn what_a_batch_loads_inside_is_seen_inside_and_after_the_commit() {
    everywhere(async |shop: Shop, outside: Outsider| {
        shop.prices(&[1]).await.unwrap();
        assert_eq!(shop.asked(), 1);
        let done = shop.cache.transaction(Mode::Fast, |_| async {
            shop.cache.set("rate", &10_u64).ttl("1h").await?;
            let prices = shop.prices(&[1, 2, 3]).await?;
            assert_eq!(prices, HashMap::from([(1, 1), (2, 20), (3, 30)]));
            assert_eq!(shop.asked(), 2, "one was kept beneath");
            shop.prices(&[2, 3]).await?;
            assert_eq!(shop.asked(), 0, "kept inside");
            assert_eq!(outside.number("price:2"), None, "nobody outside sees it");
            Ok::<_, Error>(())
        });
        done.await.unwrap();
        assert_eq!(outside.number("price:2"), Some(20));
        assert_eq!(outside.number("rate"), Some(10));
    });
}

#[test]
fn what_a_batch_loads_inside_is_gone_after_a_rollback() {
    everywhere(async |shop: Shop, outside: Outsider| {
        let failed = shop.cache.transaction(Mode::Fast, |_| async {
            shop.cache.set("rate", &10_u64).ttl("1h").await?;
            shop.prices(&[2]).await?;
            Err::<(), _>(given_up())
        });
        failed.await.unwrap_err();
        shop.asked();
        assert_eq!(outside.number("price:2"), None);
        assert_eq!(shop.prices(&[2]).await.unwrap(), HashMap::from([(2, 2)]));
        assert_eq!(shop.asked(), 1);
    });
}

#[test]
fn get_or_load_many_inside_keeps_what_it_loads_inside() {
    everywhere(async |shop: Shop, outside: Outsider| {
        let cache = &shop.cache;
        let load = |keys: Vec<String>| async move {
            Ok::<_, Error>(
                keys.into_iter()
                    .map(|key| (key, 7_u64))
                    .collect::<HashMap<_, _>>(),
            )
        };
        let failed = cache.transaction(Mode::Fast, |_| async {
            cache.delete("a").await?;
            let loaded = cache.get_or_load_many(["a", "b"], load).ttl("1h").await?;
            assert_eq!(loaded.len(), 2);
            assert_eq!(cache.get::<u64>("b").await?, Some(7));
            assert_eq!(outside.number("b"), None);
            Err::<(), _>(given_up())
        });
        failed.await.unwrap_err();
        assert_eq!(cache.get::<u64>("b").await.unwrap(), None);
    });
}

#[test]
fn what_a_stream_yields_inside_is_passed_on_and_not_recorded() {
    let cache = Cache::builder().build().unwrap();
    let shop = Shop::new(cache.clone());
    let done = cache.blocking().transaction(Mode::Fast, |_| {
        cache.blocking().set("rate", &10_u64).ttl("1h").wait()?;
        assert_eq!(shop.rates().collect::<Vec<_>>(), [10, 20, 30]);
        assert_eq!(shop.rates().collect::<Vec<_>>(), [10, 20, 30]);
        Err::<(), _>(given_up())
    });
    done.wait().unwrap_err();
    assert_eq!(shop.asked(), 2);
    assert_eq!(shop.rates().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(shop.rates().collect::<Vec<_>>(), [1, 2, 3], "recorded now");
    assert_eq!(shop.asked(), 1);
}
