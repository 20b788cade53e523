//! easy_cache, from top to bottom.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larder::runtime::SystemRuntime;
use larder::store::Store;
use larder::testing::MemoryStore;
use larder::{Cache, cached, escape};
use serde::{Deserialize, Serialize};

use crate::support::{World, secs};
use crate::{memcached, on_redis, open, redis};

fn memory() -> Cache {
    Cache::builder().build().unwrap()
}

/// "Different ways to cache something": the classic way and the easy way.
#[test]
fn the_easy_way() {
    static CALLS: AtomicU64 = AtomicU64::new(0);

    #[cached(cache = cache, key = "time_consuming_operation_{n}", ttl = 3600)]
    fn time_consuming_operation(cache: &Cache, n: u64) -> u64 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        (0..=n).sum()
    }

    let cache = memory();
    assert_eq!(time_consuming_operation(&cache, 10), 55);
    assert_eq!(time_consuming_operation(&cache, 10), 55);
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    assert!(time_consuming_operation::invalidate(&cache, 10).unwrap());
    assert_eq!(time_consuming_operation(&cache, 10), 55);
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}

#[test]
fn keys_without_a_template_static_and_formatted() {
    // `@ecached()`: the function's path and all arguments.
    #[cached(cache = cache, skip = [cache], ttl = "1m")]
    fn automatic(cache: &Cache, a: u64, b: &str) -> String {
        let _ = cache;
        format!("{a}{b}")
    }

    // `@ecached('time_consuming_operation', 100)`
    #[cached(cache = cache, key = "time_consuming_operation", ttl = 100)]
    fn unchanging(cache: &Cache) -> u64 {
        let _ = cache;
        7
    }

    // `@ecached('my_key:{b}:{d}:{c}')`
    #[cached(cache = cache, key = "my_key:{b}:{d}:{c}", ttl = "1m")]
    fn formatted(cache: &Cache, a: u64, b: u64, c: u64, d: &str) -> u64 {
        let _ = (cache, d);
        a + b + c
    }

    // `@memcached(['a', 'b'], timeout=600)`: these arguments.
    #[cached(cache = cache, skip = [cache, c], ttl = 600)]
    fn named(cache: &Cache, a: u64, b: u64, c: &str) -> String {
        let _ = cache;
        format!("{a}{b}{c}")
    }

    let cache = memory();
    let key = automatic::key(&cache, 1, "x");
    assert!(key.as_str().contains("automatic"), "{key}");
    assert_ne!(key, automatic::key(&cache, 1, "y"));
    assert_eq!(unchanging::key(&cache).as_str(), "time_consuming_operation");
    assert_eq!(
        formatted::key(&cache, 9, 1, 100, "foo").as_str(),
        "my_key:1:foo:100"
    );
    assert_eq!(named(&cache, 1, 2, "default"), "12default");
    assert_eq!(
        named(&cache, 1, 2, "other"),
        "12default",
        "`c` is not in the key"
    );
    assert_eq!(
        (
            automatic(&cache, 1, "x").as_str(),
            unchanging(&cache),
            formatted(&cache, 9, 1, 100, "foo")
        ),
        ("1x", 7, 110)
    );
}

/// A key generator: what of a date matters.
fn year(date: &(u16, u8, u8)) -> u16 {
    date.0
}

/// "Using custom cache key generators"
#[test]
fn custom_keys() {
    #[derive(Clone)]
    struct A {
        id: u64,
        cache: Cache,
    }

    impl A {
        #[cached(cache = self.cache, key = "{self.id}:{a}:{d}", ttl = "1m")]
        fn time_consuming_operation(&self, a: u64, b: u64, c: u64, d: u64) -> u64 {
            a + b + c + d
        }

        // `@staticmethod`: "cache only for each different year"
        #[cached(
            key = "get_list:{start_date:crate::easy_cache::year}",
            ttl = "1m",
            associated
        )]
        fn get_list_by_date(start_date: (u16, u8, u8)) -> String {
            format!("{start_date:?}")
        }

        // `@classmethod` with `{cls.CONST}`: a constant is part of the text.
        #[cached(key = "info_cache:abc", ttl = 3600, associated)]
        fn get_info() -> u64 {
            7
        }
    }

    let a = A {
        id: 1,
        cache: memory(),
    };
    let key = a.time_consuming_operation_cache().key(2, 0, 10, 20);
    assert_eq!(key.as_str(), "1:2:20");
    assert_eq!(a.time_consuming_operation(2, 0, 10, 20), 32);
    larder::scope().default_cache(&a.cache).run(|| {
        let first = A::get_list_by_date((2026, 1, 1));
        assert_eq!(A::get_list_by_date((2026, 12, 31)), first);
        assert_ne!(A::get_list_by_date((2027, 1, 1)), first);
        assert_eq!(A::get_info(), 7);
    });
    assert!(a.cache.blocking().exists("info_cache:abc").unwrap());
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Book {
    pk: u64,
    title: String,
}

/// "Tags invalidation, refresh and cached properties"
#[derive(Clone)]
struct User {
    id: u64,
    cache: Cache,
    books: Arc<Mutex<Vec<Book>>>,
    calls: Arc<AtomicU64>,
}

impl User {
    fn new(cache: Cache) -> Self {
        let book = |pk, title: &str| Book {
            pk,
            title: title.into(),
        };
        Self {
            id: 1,
            cache,
            books: Arc::new(Mutex::new(vec![book(1, "Emma"), book(2, "Ulysses")])),
            calls: Arc::default(),
        }
    }

    fn calls(&self) -> u64 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    #[cached(cache = self.cache, key = "users_by_state:{state}", ttl = 60, tags = ["users_by_states"])]
    fn get_users_by_state(&self, state: &str) -> Vec<String> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        vec![format!("a user who is {state}")]
    }

    /// A property.
    #[cached(cache = self.cache, key = "user_friends_count:{self.id}", ttl = 3600)]
    fn friends_count(&self) -> usize {
        self.calls.fetch_add(1, Ordering::Relaxed);
        3
    }

    /// One tag for each book that was returned.
    #[cached(cache = self.cache, key = "user_favorite_books:{self.id}", ttl = 600,
        tags = [|books| books.iter().map(|book| format!("book:{}", book.pk)).collect::<Vec<_>>()])]
    fn get_favorite_books(&self) -> Vec<Book> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.books.lock().unwrap().clone()
    }
}

/// On memory, Redis and Memcached alike.
fn keeps_tags_keys_and_refreshes(cache: Cache) {
    let user = User::new(cache);
    for state in ["active", "deleted", "active", "deleted"] {
        user.get_users_by_state(state);
    }
    assert_eq!(user.calls(), 2, "a value for each state");
    user.get_users_by_state_cache()
        .invalidate("active")
        .unwrap();
    user.get_users_by_state("active");
    user.get_users_by_state("deleted");
    assert_eq!(user.calls(), 1, "`invalidate_cache_by_key`");
    user.cache
        .blocking()
        .delete_tags(["users_by_states"])
        .unwrap();
    user.get_users_by_state("active");
    user.get_users_by_state("deleted");
    assert_eq!(user.calls(), 2, "`invalidate_cache_by_tags`");
    user.get_users_by_state_cache().refresh("active");
    user.get_users_by_state("active");
    assert_eq!(user.calls(), 1, "`refresh_cache`");

    assert_eq!((user.friends_count(), user.friends_count()), (3, 3));
    assert_eq!(user.calls(), 1, "a cached property");
    user.friends_count_cache().invalidate().unwrap();
    user.friends_count_cache().refresh();
    user.friends_count();
    assert_eq!(user.calls(), 1);

    assert_eq!(user.get_favorite_books(), user.get_favorite_books());
    assert_eq!(user.calls(), 1);
    user.books.lock().unwrap()[1].title = "Ulysses, revised".into();
    user.cache.blocking().delete_tags(["book:2"]).unwrap();
    assert_eq!(user.get_favorite_books()[1].title, "Ulysses, revised");
    assert_eq!(user.calls(), 1, "a tag made from the value");
    user.cache
        .blocking()
        .delete("user_favorite_books:1")
        .unwrap();
    user.get_favorite_books();
    assert_eq!(user.calls(), 1, "`invalidate_cache_key`");
}

#[test]
fn tags_refreshes_and_properties() {
    keeps_tags_keys_and_refreshes(memory());
}

#[test]
fn tags_refreshes_and_properties_on_redis() {
    let server = redis::alone();
    keeps_tags_keys_and_refreshes(on_redis(&server, ""));
}

#[test]
fn tags_refreshes_and_properties_on_memcached() {
    let server = memcached::alone();
    keeps_tags_keys_and_refreshes(open(&format!("memcached://{}", server.address())));
}

/// "Prefix usage"
#[test]
fn a_prefix_covers_all_entries_of_one_shop() {
    #[derive(Clone)]
    struct Shop {
        id: u64,
        cache: Cache,
    }

    impl Shop {
        #[cached(cache = self.cache, key = "shop:{self.id}:goods_list", ttl = "1m")]
        fn get_all_goods_list(&self) -> Vec<u64> {
            vec![self.id]
        }

        #[cached(cache = self.cache, key = "shop:{self.id}:prices_list", ttl = "1m")]
        fn get_all_prices_list(&self) -> Vec<u64> {
            vec![self.id * 100]
        }
    }

    let cache = memory();
    let shops = [1, 2].map(|id| Shop {
        id,
        cache: cache.clone(),
    });
    let fill = || {
        for shop in &shops {
            shop.get_all_goods_list();
            shop.get_all_prices_list();
        }
    };
    fill();
    assert_eq!(cache.len(), 4);
    shops[0].get_all_goods_list_cache().invalidate().unwrap();
    assert_eq!(cache.len(), 3, "one list of one shop");
    shops[0].get_all_prices_list_cache().refresh();
    fill();
    assert_eq!(cache.blocking().delete_prefix("shop:1:").unwrap(), 2);
    assert_eq!(cache.len(), 2, "the other shop keeps its own");
}

/// "Invalidation summary"
#[test]
fn invalidators_take_what_is_in_the_key() {
    #[cached(cache = cache, key = "pre:{b}:key:{a}:value:{c}", ttl = "1m", tags = ["tag:{a}"])]
    fn time_consuming_operation(cache: &Cache, a: u64, b: u64, c: u64) -> u64 {
        let _ = cache;
        a + b + c
    }

    let cache = memory();
    let fill = || time_consuming_operation(&cache, 1, 2, 11);
    let is_kept = || {
        time_consuming_operation::peek(&cache, 1, 2, 11)
            .unwrap()
            .is_some()
    };
    fill();
    time_consuming_operation::invalidate(&cache, 1, 2, 11).unwrap();
    assert!(!is_kept());
    fill();
    cache
        .blocking()
        .delete_tags([format!("tag:{}", 1)])
        .unwrap();
    assert!(!is_kept());
    fill();
    cache
        .blocking()
        .delete_prefix(format!("pre:{}:", 2))
        .unwrap();
    assert!(!is_kept());
    fill();
    // `create_cache_key('key', 1, 'value', 11)`
    let key = ["pre", "2", "key", "1", "value", "11"]
        .map(escape)
        .join(":");
    assert!(cache.blocking().delete(key).unwrap());
    assert!(!is_kept());
}

/// "Internal caches framework": aliases.
#[test]
fn an_alias_is_the_name_of_a_cache() {
    let local = Cache::builder()
        .name("easy_cache_local_memory")
        .prefix("custom_prefix:")
        .build()
        .unwrap();
    larder::register(&local).unwrap();

    #[cached(cache = larder::named("easy_cache_local_memory").expect("registered"), key = "k:{n}", ttl = "1m")]
    fn aliased(n: u64) -> u64 {
        n
    }

    assert_eq!(aliased(7), 7);
    assert_eq!(local.len(), 1);
    assert!(aliased::peek(7).unwrap().is_some());
    assert!(
        larder::named("another_cache").is_err(),
        "an alias that is not there"
    );
}

/// "Custom cache instance class must implement AbstractCacheInstance"
#[test]
fn a_cache_instance_of_ones_own_is_a_store() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemRuntime::new())));
    let cache = Cache::builder().store(store).build().unwrap();
    keeps_tags_keys_and_refreshes(cache);
}

/// "Dynamic timeout example"
#[test]
fn the_timeout_depends_on_the_arguments() {
    fn timeout(group: &str) -> Duration {
        secs(if group == "admins" { 10 } else { 100 })
    }

    #[cached(cache = cache, key = "key:{group}", ttl = timeout(group))]
    async fn get_users_by_group(cache: &Cache, group: &str) -> Vec<String> {
        let _ = cache;
        vec![group.to_owned()]
    }

    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        get_users_by_group(&cache, "admins").await;
        get_users_by_group(&cache, "users").await;
        at.advance(secs(10));
        assert!(!cache.exists("key:admins").await.unwrap());
        assert!(cache.exists("key:users").await.unwrap());
        at.advance(secs(90));
        assert!(!cache.exists("key:users").await.unwrap());
    });
}

/// The settings of a refused default: `EASY_CACHE_DEFAULT_TIMEOUT` is a default of the cache.
#[test]
fn the_default_timeout_is_the_caches() {
    #[cached(cache = cache, key = "k", ttl = "default")]
    fn by_default(cache: &Cache) -> u64 {
        let _ = cache;
        7
    }

    let defaults = larder::Policy::new().ttl("2m");
    let cache = Cache::builder().defaults(defaults).build().unwrap();
    by_default(&cache);
    let remaining = cache.blocking().remaining_ttl("k").unwrap();
    assert!(matches!(remaining, Some(larder::Remaining::For(left)) if left <= secs(120)));
}
