//! Views: a part of a cache under a prefix of its own.

#![cfg(feature = "macros")]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder::guard::RateLimit;
use larder::runtime::Runtime;
use larder::{Cache, Refused, cached, detect, invalidates, scope};
use support::{Log, World, secs};

fn cache() -> Cache {
    Cache::builder().build().unwrap()
}

fn set(cache: &Cache, key: &str, value: u64) {
    cache.blocking().set(key, &value).ttl("1h").wait().unwrap();
}

fn get(cache: &Cache, key: &str) -> Option<u64> {
    cache.blocking().get(key).unwrap()
}

#[test]
fn a_view_is_the_same_cache_under_one_more_prefix() {
    let all = Cache::builder().prefix("app:").build().unwrap();
    let shop = all.scoped("shop:7:");
    set(&shop, "name", 1);
    assert_eq!(get(&all, "shop:7:name"), Some(1));
    assert_eq!(get(&all, "name"), None);
    set(&all, "shop:7:name", 2);
    assert_eq!(get(&shop, "name"), Some(2));
    assert_eq!(all.stats().stored, 2);
    assert_eq!(shop.stats(), all.stats());
    assert_eq!(shop.name(), all.name());
}

#[test]
fn views_nest_and_an_empty_prefix_changes_nothing() {
    let all = cache();
    let inner = all.scoped("shop:7:").scoped("").scoped("cart:");
    set(&inner, "a", 1);
    assert_eq!(get(&all, "shop:7:cart:a"), Some(1));
    assert_eq!(get(&all.scoped("shop:7:cart:"), "a"), Some(1));
    let same = all.scoped("");
    assert_eq!(get(&same, "shop:7:cart:a"), Some(1));
    assert_eq!(same.len(), 1);
}

#[test]
fn clearing_a_view_forgets_what_lies_under_it_and_nothing_else() {
    let all = Cache::builder().prefix("app:").build().unwrap();
    let (seven, seventy) = (all.scoped("shop:7:"), all.scoped("shop:70:"));
    let cart = seven.scoped("cart:");
    for view in [&all, &seven, &seventy, &cart] {
        set(view, "a", 1);
        set(view, "b", 2);
    }
    assert_eq!((all.len(), seven.len(), cart.len()), (8, 4, 2));
    seven.blocking().clear().unwrap();
    assert_eq!((get(&seven, "a"), get(&cart, "b")), (None, None));
    assert_eq!((get(&all, "a"), get(&seventy, "b")), (Some(1), Some(2)));
    assert!(seven.is_empty());
    assert_eq!(all.len(), 4);
    all.blocking().clear().unwrap();
    assert!(seventy.is_empty());
}

#[test]
fn every_way_to_forget_stays_within_the_view() {
    // A prefix of glob characters is taken literally.
    let all = cache();
    let (odd, other) = (all.scoped("s[ab]*?\\-^:"), all.scoped("sa:"));
    for key in ["x:1", "x:2", "y"] {
        set(&odd, key, 1);
        set(&other, key, 1);
    }
    let blocking = odd.blocking();
    assert_eq!(blocking.delete_pattern("x:?").unwrap(), 2);
    assert_eq!(get(&odd, "y"), Some(1));
    assert_eq!(blocking.delete_prefix("y").unwrap(), 1);
    set(&odd, "y", 1);
    assert!(blocking.delete("y").unwrap());
    set(&odd, "y", 1);
    assert_eq!(blocking.delete_many(["y", "z"]).unwrap(), 1);
    assert!(odd.is_empty());
    assert_eq!(other.len(), 3);
    assert_eq!(all.blocking().delete_prefix("sa:").unwrap(), 3);
}

#[test]
fn every_operation_speaks_of_the_views_own_keys() {
    let all = cache();
    let shop = all.scoped("s:");
    let blocking = shop.blocking();
    assert_eq!(blocking.increment("n", 2).ttl("1h").wait().unwrap(), 2);
    let load = || Ok::<_, std::io::Error>(5_u64);
    let loaded = blocking.get_or_load("l", load).ttl("1h").wait();
    assert_eq!(loaded.unwrap(), 5);
    blocking.set_many([("m", 1_u64)]).ttl("1h").wait().unwrap();
    shop.local().set("o", &1_u64).ttl("1h").wait().unwrap();
    let load = |missing: Vec<String>| {
        assert_eq!(missing, ["p"], "as the caller has named it");
        let values: HashMap<String, u64> = missing.into_iter().map(|key| (key, 9)).collect();
        std::future::ready(Ok::<_, std::io::Error>(values))
    };
    let many = shop.get_or_load_many(["m", "p"], load).ttl("1h").wait();
    assert_eq!(many.unwrap()["p"], 9);
    assert!(blocking.exists("p").unwrap());
    assert!(blocking.touch("p", "2h").unwrap());
    assert!(blocking.remaining_ttl("p").unwrap().is_some());
    assert_eq!(blocking.explain("p").unwrap().key.as_str(), "s:p");
    let mut keys = blocking.scan("*").unwrap();
    keys.sort();
    assert_eq!(keys, ["l", "m", "n", "o", "p"]);
    assert_eq!(all.blocking().scan("s:?").unwrap().len(), 5);
    assert!(all.blocking().scan("?").unwrap().is_empty());
}

#[test]
fn what_is_told_names_the_whole_key() {
    let log = Log::default();
    let all = Cache::builder()
        .prefix("app:")
        .observer(log.clone())
        .build()
        .unwrap();
    let shop = all.scoped("s:");
    set(&shop, "a", 1);
    let (_, reads) = detect(|| get(&shop, "a"));
    assert_eq!(reads[0].key, "app:s:a");
    assert_eq!(log.count("stored app:s:a"), 1);
    let error = shop.blocking().get::<String>("a").unwrap_err();
    assert!(error.to_string().contains("app:s:a"), "{error}");
}

#[test]
fn locks_and_guards_of_views_are_apart() {
    let all = cache();
    let (seven, eight) = (all.scoped("7:"), all.scoped("8:"));
    let held = seven.blocking().lock("door").wait().unwrap();
    assert!(eight.blocking().lock("door").wait().is_ok());
    assert!(all.blocking().is_locked("7:door").unwrap());
    assert!(seven.blocking().lock("door").wait().is_err());
    drop(held);
    let limit = RateLimit::new(1, "1h");
    let call = |cache: &Cache| {
        let call = || async { Ok::<_, Refused>(()) };
        cache.guard(&limit, "k", call).wait()
    };
    assert!(call(&seven).is_ok());
    assert!(call(&eight).is_ok());
    assert_eq!(call(&seven).unwrap_err().key(), "7:rate_limit:k");
}

struct Shop {
    cache: Cache,
    calls: AtomicU64,
}

impl Shop {
    fn new(all: &Cache, id: u64) -> Self {
        Self {
            cache: all.scoped(format!("shop:{id}:")),
            calls: AtomicU64::new(0),
        }
    }

    #[cached(cache = self.cache, key = "price:{item}", ttl = "1h", tags = ["prices"])]
    async fn price(&self, item: u64) -> u64 {
        self.calls.fetch_add(1, Ordering::Relaxed) + item
    }

    #[invalidates(cache = self.cache, all)]
    fn moves(&self) {}

    #[invalidates(cache = self.cache, prefix = "price:")]
    fn reprices(&self) {}

    fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

#[test]
fn a_method_keeps_its_values_under_its_own_instance() {
    let world = World::new();
    let all = world.cache();
    world.run(async move {
        let (seven, eight) = (Shop::new(&all, 7), Shop::new(&all, 8));
        assert_eq!(seven.price(10).await, 10);
        assert_eq!(seven.price(10).await, 10);
        assert_eq!(eight.price(10).await, 10);
        assert_eq!((seven.calls(), eight.calls()), (1, 1));
        assert_eq!(seven.price_cache().key(10).as_str(), "shop:7:price:10");
        assert_eq!(all.get::<u64>("shop:7:price:10").await.unwrap(), Some(10));

        seven.cache.clear().await.unwrap();
        assert_eq!(seven.price(10).await, 11);
        assert_eq!(eight.price(10).await, 10);
        seven.reprices();
        assert_eq!(seven.price(10).await, 12);
        eight.moves();
        assert_eq!(seven.price(10).await, 12);
        assert_eq!(eight.price(10).await, 11);
        assert!(seven.price_cache().invalidate(10).await.unwrap());

        // Tags are the cache's: they forget across views.
        seven.price(10).await;
        all.delete_tags(["prices"]).await.unwrap();
        let before = (seven.calls(), eight.calls());
        seven.price(10).await;
        eight.price(10).await;
        assert_eq!((seven.calls(), eight.calls()), (before.0 + 1, before.1 + 1));
        eight.cache.delete_tags(["prices"]).await.unwrap();
        seven.price(10).await;
        assert_eq!(seven.calls(), before.0 + 2);
    });
}

#[test]
fn what_a_cleared_view_was_computing_is_not_kept() {
    let world = World::new();
    let all = world.cache();
    let (view, other) = (all.scoped("7:"), all.scoped("8:"));
    let (loading, kept) = (view.clone(), other.clone());
    let at = Arc::clone(&world);
    let slow = move || async move {
        at.sleep(secs(1)).await;
        Ok::<_, std::io::Error>(1_u64)
    };
    let also = slow.clone();
    let first = world.spawn(async move { loading.get_or_load("a", slow).ttl("1h").await });
    let second = world.spawn(async move { kept.get_or_load("a", also).ttl("1h").await });
    world.settle();
    view.blocking().clear().unwrap();
    world.advance(secs(1));
    assert_eq!((first.value().unwrap(), second.value().unwrap()), (1, 1));
    assert_eq!((get(&view, "a"), get(&other, "a")), (None, Some(1)));
    assert_eq!(all.stats().superseded, 1);
}

#[test]
fn stale_values_are_reloaded_into_the_view() {
    struct Counter(Cache, AtomicU64);

    impl Counter {
        #[cached(cache = self.0, key = "n", ttl = "10s", stale = "1h")]
        async fn next(self: Arc<Self>) -> u64 {
            self.1.fetch_add(1, Ordering::Relaxed)
        }
    }

    let world = World::new();
    let all = world.cache();
    let counter = Arc::new(Counter(all.scoped("c:"), AtomicU64::new(0)));
    let next = || {
        let counter = Arc::clone(&counter);
        world.run(async move { counter.next().await })
    };
    assert_eq!(next(), 0);
    world.advance(secs(20));
    assert_eq!(next(), 0, "served while it is reloaded");
    world.settle();
    assert_eq!(get(&all, "c:n"), Some(1));
    assert_eq!(next(), 1);
}

#[test]
fn a_view_may_stand_in_for_the_default_cache() {
    #[cached(key = "tenant", ttl = "1h")]
    fn tenant(id: u64) -> u64 {
        id
    }

    let all = cache();
    let run = |view: &Cache, id| scope().default_cache(view).run(|| tenant(id));
    assert_eq!(run(&all.scoped("a:"), 1), 1);
    assert_eq!(run(&all.scoped("b:"), 2), 2);
    assert_eq!(run(&all.scoped("a:"), 3), 1);
}

#[cfg(feature = "serde")]
mod on_a_store {
    use larder::Cache;
    use larder::testing::{MemoryStore, Simulation};

    /// Two processes, the second with copies in memory.
    fn two(simulation: &Simulation) -> (MemoryStore, [Cache; 2]) {
        let store = MemoryStore::new(simulation.runtime());
        let open = |copies: &'static str| {
            let builder = Cache::builder().runtime(simulation.runtime());
            let store = std::sync::Arc::new(store.connect());
            builder.store(store).memory_ttl(copies).build().unwrap()
        };
        let caches = [open("1ms"), open("1h")];
        (store, caches)
    }

    #[test]
    fn clearing_a_view_reaches_the_store_and_other_processes() {
        let simulation = Simulation::new(1);
        let (store, [one, two]) = two(&simulation);
        let (here, there) = (one.scoped("7:"), two.scoped("7:"));
        simulation.block_on(async move {
            for key in ["a", "b"] {
                here.set(key, &1_u64).ttl("1h").await.unwrap();
                one.set(key, &2_u64).ttl("1h").await.unwrap();
                one.scoped("70:").set(key, &3_u64).ttl("1h").await.unwrap();
            }
            assert_eq!(there.get::<u64>("a").await.unwrap(), Some(1));
            let mut keys = there.scan("*").await.unwrap();
            keys.sort();
            assert_eq!(keys, ["a", "b"]);
            assert_eq!(store.entries(), 6);
            there.clear().await.unwrap();
            assert_eq!(store.entries(), 4);
            assert_eq!(there.get::<u64>("a").await.unwrap(), None);
            assert_eq!(here.get::<u64>("b").await.unwrap(), None);
            assert_eq!(two.get::<u64>("a").await.unwrap(), Some(2));
            assert_eq!(two.get::<u64>("70:a").await.unwrap(), Some(3));
            assert_eq!(here.delete_pattern("*").await.unwrap(), 0);
            assert_eq!(one.scoped("7").delete_pattern("0:?").await.unwrap(), 2);
        });
    }
}
