//! `inspect`: a call as usual, and what is known of how its value came.

#![cfg(feature = "macros")]

mod support;

use larder::{Cache, Remaining, Source, cached, scope};
use support::{Oops, Origin, World, secs};

#[cached(cache = cache, key = "page:{page}", ttl = "1m", stale = "30s", fail_safe = "1h")]
async fn page(cache: &Cache, origin: &Origin, page: u64) -> Result<u64, Oops> {
    let _ = (cache, page);
    origin.call().await
}

struct Shop(Cache);

impl Shop {
    #[cached(cache = self.0, key = "item:{id}", ttl = "1h")]
    async fn item(&self, id: u64) -> u64 {
        id
    }

    #[cached(cache = self.0, key = "price:{id}", ttl = "1h")]
    fn price(&self, id: &str) -> String {
        id.to_owned()
    }
}

#[test]
fn each_way_that_a_value_can_come_is_told() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let ask = || {
        let (cache, origin) = (cache.clone(), origin.clone());
        world.run(async move { page::inspect(&cache, &origin, 7).await })
    };
    let loaded = ask();
    assert_eq!((loaded.value, loaded.source), (Ok(1), Source::Loaded));
    assert_eq!((loaded.age, loaded.tier), (None, None));
    assert_eq!(loaded.remaining, Some(Remaining::For(secs(3_660))));

    world.advance(secs(10));
    let hit = ask();
    assert_eq!((hit.value.clone(), hit.source), (Ok(1), Source::Fresh));
    assert_eq!(
        (hit.age, hit.tier.as_deref()),
        (Some(secs(10)), Some("memory"))
    );
    assert_eq!(hit.remaining, Some(Remaining::For(secs(3_650))));
    assert_eq!(hit.map(Result::unwrap).value, 1);

    world.advance(secs(50));
    origin.fails("down");
    let stale = ask();
    assert_eq!((stale.value, stale.source), (Ok(1), Source::Refresh));
    assert_eq!(stale.remaining, Some(Remaining::For(secs(3_600))));

    world.advance(secs(40));
    let saved = ask();
    assert_eq!((saved.value, saved.source), (Ok(1), Source::Saved));
    assert_eq!(saved.remaining, Some(Remaining::For(secs(3_560))));

    world.advance(secs(3_600));
    let failed = ask();
    assert_eq!(
        (failed.value, failed.source),
        (Err(Oops("down")), Source::Failed)
    );
    assert_eq!(failed.remaining, None);
}

#[test]
fn methods_tell_the_same() {
    let world = World::new();
    let shop = Shop(world.cache());
    world.run(async move {
        assert_eq!(shop.item_cache().inspect(7).await.source, Source::Loaded);
        let hit = shop.item_cache().inspect(7).await;
        assert_eq!((hit.value, hit.source), (7, Source::Fresh));
        assert_eq!(shop.price_cache().inspect("a").source, Source::Loaded);
        assert_eq!(shop.price_cache().inspect("a").source, Source::Fresh);
        assert_eq!(shop.0.stats().misses, 2);
    });
}

#[test]
fn a_function_whose_source_calls_itself_tells_of_the_outer_call() {
    #[cached(cache = cache, key = "sum:{n}", ttl = "1h")]
    fn sum(cache: &Cache, n: u64) -> u64 {
        if n == 0 { 0 } else { n + sum(cache, n - 1) }
    }

    let cache = Cache::builder().build().unwrap();
    sum(&cache, 2);
    let told = sum::inspect(&cache, 3);
    assert_eq!((told.value, told.source), (6, Source::Loaded));
}

#[test]
fn a_call_past_the_cache_has_come_from_its_source() {
    let world = World::new();
    let cache = world.cache();
    let origin = Origin::new(&world, 1);
    let call = scope()
        .bypass()
        .wrap(async move { page::inspect(&cache, &origin, 7).await });
    let told = world.run(call);
    assert_eq!((told.value, told.source), (Ok(1), Source::Loaded));
    assert_eq!(told.remaining, None);
}

#[test]
fn a_value_that_is_not_kept_has_nothing_remaining() {
    #[cached(cache = cache, key = "even:{n}", ttl = "1h", when = |n| n % 2 == 0)]
    fn even(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        n
    }

    #[cached(cache = cache, key = "ever:{n}", ttl = "forever")]
    fn ever(cache: &Cache, n: u64) -> u64 {
        if n == 13 {
            cache.blocking().delete("ever:13").unwrap();
        }
        n
    }

    let cache = Cache::builder().build().unwrap();
    assert_eq!(even::inspect(&cache, 1).remaining, None);
    assert!(even::inspect(&cache, 2).remaining.is_some());
    assert_eq!(ever::inspect(&cache, 1).remaining, Some(Remaining::Forever));
    assert_eq!(
        ever::inspect(&cache, 13).remaining,
        None,
        "invalidated meanwhile"
    );
}

#[test]
fn a_key_of_a_cache_can_be_looked_at_in_the_same_way() {
    let world = World::new();
    let cache = world.cache();
    let own = cache.clone();
    world
        .run(async move { own.set("k", &7_u64).ttl("1m").await })
        .unwrap();
    world.advance(secs(20));
    let own = cache.clone();
    let told = world
        .run(async move { own.inspect::<u64>("k").await })
        .unwrap();
    let told = told.expect("an entry");
    assert_eq!((told.value, told.source), (7, Source::Fresh));
    assert_eq!(told.age, Some(secs(20)));
    assert_eq!(told.remaining, Some(Remaining::For(secs(40))));
    assert!(cache.blocking().inspect::<u64>("other").unwrap().is_none());
    assert!(cache.blocking().inspect::<String>("k").is_err());
}

#[cfg(feature = "serde")]
#[test]
fn a_value_of_a_store_tells_the_name_of_the_store() {
    let world = World::new();
    let place = larder::testing::MemoryStore::new(std::sync::Arc::clone(&world) as _);
    let cache = || {
        let store = std::sync::Arc::new(place.clone());
        world.builder().store(store).build().unwrap()
    };
    let (first, second) = (cache(), cache());
    let origin = Origin::new(&world, 1);
    let ask = |cache: &Cache| {
        let (cache, origin) = (cache.clone(), origin.clone());
        world.run(async move { page::inspect(&cache, &origin, 7).await })
    };
    assert_eq!(ask(&first).source, Source::Loaded);
    world.advance(secs(10));
    let told = ask(&second);
    assert_eq!((told.source, told.age), (Source::Fresh, Some(secs(10))));
    assert_eq!(
        told.tier.as_deref(),
        Some(larder::store::Store::name(&place))
    );
    assert_eq!(second.stats().store_hits, 1);
    assert_eq!(told.remaining, Some(Remaining::For(secs(3_650))));
}
