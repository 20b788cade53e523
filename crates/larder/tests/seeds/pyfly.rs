//! PyFly's caching guide, from top to bottom.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use larder::config::Configuration;
use larder::runtime::SystemRuntime;
use larder::store::Store;
use larder::testing::MemoryStore;
use larder::{Cache, ErrorKind, Remaining, cache_put, cached, invalidates};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{World, secs};
use crate::{on_redis, open, redis};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    email: String,
}

fn alice() -> User {
    User {
        name: "Alice".into(),
        email: "alice@example.com".into(),
    }
}

/// `get, put, evict, exists, clear, start, stop` on a cache, whatever is behind it.
async fn keeps_the_protocol(cache: &Cache) {
    cache.ping().await.unwrap();
    assert_eq!(cache.get::<User>("user:123").await.unwrap(), None);
    cache.set("user:123", &alice()).ttl("5m").await.unwrap();
    assert_eq!(cache.get::<User>("user:123").await.unwrap(), Some(alice()));
    assert!(cache.exists("user:123").await.unwrap());
    assert!(cache.delete("user:123").await.unwrap(), "it was there");
    assert!(
        !cache.delete("user:123").await.unwrap(),
        "it is not any more"
    );
    assert!(!cache.exists("user:123").await.unwrap());
    cache.set("a", &1_u64).ttl("forever").await.unwrap();
    cache.set("b", &2_u64).ttl("forever").await.unwrap();
    cache.clear().await.unwrap();
    assert_eq!(cache.get::<u64>("a").await.unwrap(), None);
    assert_eq!(cache.get::<u64>("b").await.unwrap(), None);
    cache.close().await;
    let closed = cache.get::<u64>("a").await.unwrap_err();
    assert_eq!(closed.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn the_protocol_of_an_adapter_in_memory() {
    keeps_the_protocol(&Cache::builder().build().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_of_an_adapter_on_redis() {
    let server = redis::alone();
    keeps_the_protocol(&on_redis(&server, "")).await;
}

#[tokio::test]
async fn a_backend_is_the_port_and_can_be_written_by_anyone() {
    let runtime = Arc::new(SystemRuntime::new());
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(runtime));
    let cache = Cache::builder().store(store).build().unwrap();
    keeps_the_protocol(&cache).await;
}

#[test]
fn a_ttl_ends_and_none_must_be_said() {
    let world = World::new();
    let (cache, at) = (world.cache(), Arc::clone(&world));
    world.run(async move {
        cache.set("short", &1_u64).ttl(secs(300)).await.unwrap();
        cache.set("for ever", &1_u64).ttl("forever").await.unwrap();
        let missing = cache.set("unsaid", &1_u64).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::InvalidPolicy);
        at.advance(secs(300));
        assert!(!cache.exists("short").await.unwrap());
        at.advance(secs(86_400 * 365));
        assert!(cache.exists("for ever").await.unwrap());
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn values_on_redis_can_be_json_that_others_read() {
    let server = redis::alone();
    let cache = on_redis(&server, "prefix=app:&format=json&envelope=none");
    let value = json!({"name": "Alice", "tags": ["a", "b"], "age": 7, "none": null});
    cache.set("user:123", &value).ttl("1h").await.unwrap();
    assert_eq!(
        cache.get::<Value>("user:123").await.unwrap(),
        Some(value.clone())
    );
    let raw = redis::cli(server.port(), &["GET", "app:user:123"]);
    assert_eq!(serde_json::from_str::<Value>(&raw).unwrap(), value);
    let left: u64 = redis::cli(server.port(), &["PTTL", "app:user:123"])
        .trim()
        .parse()
        .unwrap();
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
    // Half a second is half a second, and `clear` leaves what is not ours.
    cache.set("short", &1).ttl("500ms").await.unwrap();
    redis::cli(server.port(), &["SET", "others", "stay"]);
    cache.clear().await.unwrap();
    assert_eq!(redis::cli(server.port(), &["GET", "others"]).trim(), "stay");
    assert!(!cache.exists("user:123").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_functions_go_on_when_redis_is_gone() {
    static LOADS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = cache, key = "user:{id}", ttl = "10m")]
    async fn user(cache: &Cache, id: u64) -> String {
        let _ = cache;
        LOADS.fetch_add(1, Ordering::Relaxed);
        format!("user {id}")
    }

    let mut server = redis::alone();
    let cache = on_redis(&server, "memory_ttl=10m&timeout=200ms");
    assert_eq!(user(&cache, 1).await, "user 1");
    server.kill();
    assert_eq!(user(&cache, 1).await, "user 1");
    assert_eq!(LOADS.load(Ordering::Relaxed), 1, "memory stands in");
    assert_eq!(user(&cache, 2).await, "user 2");
    assert_eq!(user(&cache, 2).await, "user 2");
    assert_eq!(
        LOADS.load(Ordering::Relaxed),
        2,
        "what was loaded meanwhile is kept in memory"
    );
    assert!(cache.stats().store_failures > 0, "and it is told");
}

#[tokio::test]
async fn cache_and_cacheable_skip_the_body_on_a_hit() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cached(cache = backend, key = "user:{user_id}", ttl = "10m")]
    async fn get_user(backend: &Cache, user_id: &str) -> User {
        let _ = (backend, user_id);
        CALLS.fetch_add(1, Ordering::Relaxed);
        alice()
    }

    let backend = Cache::builder().build().unwrap();
    assert_eq!(get_user(&backend, "123").await, alice());
    assert_eq!(get_user(&backend, "123").await, alice());
    assert_eq!(CALLS.load(Ordering::Relaxed), 1);
    assert_eq!(get_user::key(&backend, "123").as_str(), "user:123");
}

#[tokio::test]
async fn condition_and_unless() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    // `condition(*args)` false: past the cache. `unless(result)` true: not stored.
    #[cached(cache = cache, key = "n:{n}", ttl = "10m", bypass = n < 0, when = |value| *value != 0)]
    async fn double(cache: &Cache, n: i64) -> i64 {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        n * 2
    }

    let cache = Cache::builder().build().unwrap();
    for n in [-1, -1, 0, 0, 1, 1] {
        assert_eq!(double(&cache, n).await, n * 2);
    }
    assert_eq!(CALLS.load(Ordering::Relaxed), 5, "only 1 was kept");
}

#[tokio::test]
async fn cache_put_always_executes_and_stores() {
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[cache_put(cache = cache, key = "item:{item_id}", ttl = "10m")]
    async fn update_item(cache: &Cache, item_id: &str, name: &str) -> Value {
        let _ = cache;
        CALLS.fetch_add(1, Ordering::Relaxed);
        json!({"id": item_id, "name": name})
    }

    let cache = Cache::builder().build().unwrap();
    update_item(&cache, "1", "First").await;
    update_item(&cache, "1", "Updated").await;
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
    let kept = cache.get::<Value>("item:1").await.unwrap();
    assert_eq!(kept, Some(json!({"id": "1", "name": "Updated"})));
}

#[tokio::test]
async fn cache_evict_of_a_key_and_of_all_entries() {
    #[invalidates(keys = ["item:{item_id}"], cache = cache)]
    async fn remove_item(cache: &Cache, item_id: &str) -> Result<(), &'static str> {
        let _ = cache;
        if item_id == "broken" {
            Err("no")
        } else {
            Ok(())
        }
    }

    #[invalidates(all, cache = cache)]
    async fn purge(cache: &Cache) {
        let _ = cache;
    }

    let cache = Cache::builder().build().unwrap();
    for key in ["item:1", "item:broken", "a", "b"] {
        cache.set(key, &1_u64).ttl("1m").await.unwrap();
    }
    remove_item(&cache, "1").await.unwrap();
    assert!(!cache.exists("item:1").await.unwrap());
    remove_item(&cache, "broken").await.unwrap_err();
    assert!(
        cache.exists("item:broken").await.unwrap(),
        "after success only"
    );
    purge(&cache).await;
    assert!(!cache.exists("a").await.unwrap());
    assert!(!cache.exists("b").await.unwrap());
}

/// The page of a search; the first if none is said.
fn number(page: &Option<u32>) -> u32 {
    page.unwrap_or(1)
}

#[tokio::test]
async fn key_templates_name_arguments() {
    #[cached(cache = cache, key = "order:{customer_id}:{order_id}", ttl = "1m")]
    async fn get_order(cache: &Cache, customer_id: &str, order_id: &str) -> String {
        let _ = cache;
        format!("{customer_id}{order_id}")
    }

    // Rust has no default arguments: what is left out is an `Option`.
    #[cached(cache = cache, key = "search:{query}:page:{page:crate::pyfly::number}", ttl = "1m")]
    async fn search_products(cache: &Cache, query: &str, page: Option<u32>) -> Vec<String> {
        let _ = cache;
        vec![format!("{query}{}", number(&page))]
    }

    let cache = Cache::builder().build().unwrap();
    let key = get_order::key(&cache, "abc", "123");
    assert_eq!(key.as_str(), "order:abc:123");
    let first = search_products::key(&cache, "shoes", None);
    assert_eq!(first.as_str(), "search:shoes:page:1");
    let third = search_products::key(&cache, "shoes", Some(3));
    assert_eq!(third.as_str(), "search:shoes:page:3");
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
struct Product {
    product_id: String,
    name: String,
    price: f64,
    category: String,
}

/// "Complete example: product catalog service".
#[derive(Clone)]
struct ProductService {
    cache: Cache,
    db: Arc<Mutex<BTreeMap<String, Product>>>,
    reads: Arc<AtomicU32>,
}

impl ProductService {
    #[cached(cache = self.cache, key = "product:{product_id}", ttl = "15m")]
    async fn get_product(&self, product_id: &str) -> Option<Product> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.db.lock().unwrap().get(product_id).cloned()
    }

    #[cached(cache = self.cache, key = "products:category:{category}", ttl = "5m")]
    async fn list_by_category(&self, category: &str) -> Vec<Product> {
        let db = self.db.lock().unwrap();
        let of = db.values().filter(|product| product.category == category);
        of.cloned().collect()
    }

    #[cache_put(cache = self.cache, key = "product:{product_id}", ttl = "15m")]
    async fn create_product(
        &self,
        product_id: &str,
        name: &str,
        price: f64,
        category: &str,
    ) -> Option<Product> {
        let product = Product {
            product_id: product_id.into(),
            name: name.into(),
            price,
            category: category.into(),
        };
        self.db
            .lock()
            .unwrap()
            .insert(product_id.into(), product.clone());
        Some(product)
    }

    #[cache_put(cache = self.cache, key = "product:{product_id}", ttl = "15m", when = |product| product.is_some())]
    async fn update_product(&self, product_id: &str, price: f64) -> Option<Product> {
        let mut db = self.db.lock().unwrap();
        let existing = db.get_mut(product_id)?;
        existing.price = price;
        Some(existing.clone())
    }

    #[invalidates(self.get_product(product_id = product_id))]
    async fn delete_product(&self, product_id: &str) {
        self.db.lock().unwrap().remove(product_id);
    }

    #[invalidates(all, cache = self.cache)]
    async fn clear_catalog(&self) {
        self.db.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn the_product_catalog() {
    let service = ProductService {
        cache: Cache::builder().build().unwrap(),
        db: Arc::default(),
        reads: Arc::default(),
    };
    let reads = || service.reads.load(Ordering::Relaxed);
    service
        .create_product("p1", "Widget", 29.99, "gadgets")
        .await
        .unwrap();
    let product = service.get_product("p1").await.unwrap();
    assert_eq!((product.price, reads()), (29.99, 0), "created and kept");
    service.update_product("p1", 24.99).await.unwrap();
    let product = service.get_product("p1").await.unwrap();
    assert_eq!((product.price, reads()), (24.99, 0), "updated and kept");
    assert_eq!(service.list_by_category("gadgets").await.len(), 1);
    service.delete_product("p1").await;
    assert_eq!(service.get_product("p1").await, None);
    assert_eq!(service.get_product("p1").await, None);
    assert_eq!(reads(), 1, "that there is none is kept too");
    service.clear_catalog().await;
    assert!(service.cache.is_empty());
}

#[test]
fn the_configuration_reference() {
    let one = |text: &str| {
        let configuration = Configuration::from_text("larder.yaml", text).unwrap();
        configuration.build().unwrap().remove(0)
    };
    let cache = one("url: memory://\nttl: 300s\n");
    let blocking = cache.blocking();
    blocking.set("k", &1_u64).wait().unwrap();
    let Some(Remaining::For(left)) = blocking.remaining_ttl("k").unwrap() else {
        panic!("the default is applied");
    };
    assert!(left <= secs(300) && left > secs(200), "{left:?}");
    // `enabled: false`
    let off = one("url: memory://\nttl: 300s\noff: true\n");
    off.blocking().set("k", &1_u64).wait().unwrap();
    assert_eq!(off.blocking().get::<u64>("k").unwrap(), None);
    // `provider: redis` and `redis.url`
    let redis = one("url: redis://localhost:6379/0\nttl: 300s\n");
    assert_eq!(redis.name(), "default");
}

#[tokio::test]
async fn put_if_absent_does_not_see_what_is_over() {
    let cache = open("sqlite://memory");
    cache.set("k", &1_u64).ttl("1s").await.unwrap();
    let began = Instant::now();
    let refused = !cache.set("k", &2_u64).ttl("1m").if_absent().await.unwrap();
    assert!(refused || began.elapsed() > secs(1), "what is there");
    let patience = Instant::now() + secs(20);
    while !cache.set("k", &2_u64).ttl("1m").if_absent().await.unwrap() {
        assert!(Instant::now() < patience, "what is over refuses it");
        tokio::task::yield_now().await;
    }
    assert_eq!(cache.get::<u64>("k").await.unwrap(), Some(2));
}
