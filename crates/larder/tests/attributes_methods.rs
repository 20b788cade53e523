//! `#[cached]` in an `impl`: every way to take `self`, associated functions, traits, and the handles.

#![cfg(feature = "macros")]

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, cached};

#[derive(Clone)]
struct Users {
    cache: Cache,
    region: String,
    runs: Arc<AtomicU32>,
}

impl Users {
    const LIMIT: u64 = 100;

    fn new(region: &str) -> Self {
        let cache = Cache::builder().build().expect("a cache");
        Self {
            cache,
            region: region.to_owned(),
            runs: Arc::default(),
        }
    }

    fn ran(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }

    fn runs(&self) -> u32 {
        self.runs.swap(0, Ordering::Relaxed)
    }

    /// A user.
    #[cached(key = "user:{self.region}:{org}:{id}", ttl = "10m", cache = self.cache, tags = ["org:{org}", "region:{self.region}"])]
    async fn user(&self, org: &str, id: u64) -> Result<String, String> {
        self.ran();
        tokio::task::yield_now().await;
        if id > Self::LIMIT {
            return Err(format!("no {id}"));
        }
        Ok(format!("{org}{id}{}", self.region))
    }

    #[cached(key = "count:{org}", ttl = "10m", cache = self.cache, when = |count| *count > self.region.len())]
    fn count(&self, org: String) -> usize {
        self.ran();
        org.len()
    }

    #[cached(key = "rename:{name}", ttl = "10m", cache = self.cache)]
    async fn rename(&mut self, name: &str) -> usize {
        self.ran();
        self.region.push_str(name);
        self.region.len()
    }

    #[cached(key = "grow:{by}", ttl = "10m", cache = self.cache)]
    fn grow(&mut self, by: usize) -> usize {
        self.ran();
        self.region.push_str(&"x".repeat(by));
        self.region.len()
    }

    #[cached(key = "arc:{self.region}:{id}", ttl = "10m", cache = self.cache)]
    async fn shared(self: Arc<Self>, id: u64) -> u64 {
        self.ran();
        id
    }

    #[cached(key = "arc-ref:{self.region}:{id}", ttl = "10m", cache = self.cache)]
    fn lent(self: &Arc<Self>, id: u64) -> u64 {
        self.ran();
        id
    }

    #[cached(key = "into:{self.region}", ttl = "10m", cache = self.cache)]
    fn into_region(self) -> String {
        self.ran();
        self.region
    }

    #[cached(key = "boxed:{self.region}", ttl = "10m", cache = self.cache)]
    async fn boxed(self: Box<Self>) -> usize {
        self.ran();
        self.region.len()
    }

    #[cached(key = "pinned:{id}", ttl = "10m", cache = self.cache)]
    fn pinned(self: Pin<&mut Self>, id: u64) -> u64 {
        self.ran();
        id
    }

    #[cached(ttl = "10m", associated)]
    async fn limit(of: &str, factor: u64) -> u64 {
        tokio::task::yield_now().await;
        Self::LIMIT * factor + of.len() as u64
    }

    #[cached(key = "show:{value}", ttl = "10m", cache = self.cache)]
    async fn show<'a, T: Display + Sync, const N: usize>(
        &self,
        value: &'a T,
        more: [u8; N],
    ) -> String {
        self.ran();
        format!("{value}{more:?}")
    }

    #[cached(key = "log:{id}", ttl = "10m", cache = self.cache)]
    fn log(&self, log: &mut Vec<u64>, id: u64) -> u64 {
        self.ran();
        log.push(id);
        id
    }
}

#[tokio::test]
async fn every_way_to_take_self() {
    let mut users = Users::new("eu");
    for _ in 0..2 {
        assert_eq!(users.user("acme", 7).await, Ok("acme7eu".to_owned()));
        assert_eq!(users.count("acme".to_owned()), 4);
        assert_eq!(Arc::new(users.clone()).shared(7).await, 7);
        assert_eq!(Arc::new(users.clone()).lent(7), 7);
        assert_eq!(users.clone().into_region(), "eu");
        assert_eq!(Box::new(users.clone()).boxed().await, 2);
        assert_eq!(Pin::new(&mut users).pinned(7), 7);
        assert_eq!(users.show(&7, [1]).await, "7[1]");
    }
    assert_eq!(users.runs(), 8);
    for _ in 0..2 {
        assert_eq!(users.rename("x").await, 3);
        assert_eq!(users.grow(2), 5);
    }
    assert_eq!((users.runs(), users.region.as_str()), (2, "euxxx"));
}

#[tokio::test]
async fn errors_of_methods_are_not_kept_and_when_sees_self() {
    let users = Users::new("eu");
    for _ in 0..2 {
        assert_eq!(users.user("acme", 700).await, Err("no 700".to_owned()));
        assert_eq!(users.count("ab".to_owned()), 2);
    }
    assert_eq!(users.runs(), 4);
}

#[tokio::test]
async fn a_field_of_self_in_the_key_keeps_objects_apart() {
    let users = Users::new("eu");
    let others = Users {
        region: "us".to_owned(),
        ..users.clone()
    };
    assert_eq!(users.user("acme", 7).await, Ok("acme7eu".to_owned()));
    assert_eq!(others.user("acme", 7).await, Ok("acme7us".to_owned()));
    users.cache.delete_tags(["region:us"]).await.unwrap();
    users.user("acme", 7).await.unwrap();
    others.user("acme", 7).await.unwrap();
    assert_eq!(users.runs(), 3);
}

#[tokio::test]
async fn an_async_method_has_a_handle() -> larder::Result<()> {
    let users = Users::new("eu");
    users.user("acme", 7).await.unwrap();
    let handle = users.user_cache();
    assert_eq!(handle.key("acme", 7), "user:eu:acme:7");
    assert_eq!(handle.peek("acme", 7).await?, Some("acme7eu".to_owned()));
    assert_eq!(handle.peek("acme", 8).await?, None);
    assert!(handle.invalidate("acme", 7).await?);
    assert!(!handle.invalidate("acme", 7).await?);
    handle.put("acme", 8, "put".to_owned()).await?;
    assert_eq!(users.user("acme", 8).await, Ok("put".to_owned()));
    assert_eq!(
        handle.explain("acme", 8).await?.entry.unwrap().tags,
        ["org:acme", "region:eu"]
    );
    assert_eq!(handle.uncached("acme", 8).await, Ok("acme8eu".to_owned()));
    assert_eq!(users.user("acme", 8).await, Ok("put".to_owned()));
    assert_eq!(handle.refresh("acme", 8).await, Ok("acme8eu".to_owned()));
    assert_eq!(users.user("acme", 8).await, Ok("acme8eu".to_owned()));
    assert!(handle.stats().hits() >= 2);
    let short_lived = String::from("acme");
    assert!(users.user_cache().invalidate(&short_lived, 8).await?);
    Ok(())
}

#[tokio::test]
async fn handles_of_the_other_ways_to_take_self() -> larder::Result<()> {
    let mut users = Arc::new(Users::new("eu"));
    assert_eq!(users.shared_cache().refresh(7).await, 7);
    assert_eq!(users.lent_cache().refresh(7), 7);
    assert_eq!(users.clone().shared(7).await, users.lent(7));
    assert_eq!(users.runs(), 2);
    assert!(users.shared_cache().invalidate(7).await?);
    assert!(users.lent_cache().invalidate(7)?);

    users.count_cache().put("acme".to_owned(), 17)?;
    assert_eq!(users.count("acme".to_owned()), 17);
    assert_eq!(users.show_cache().refresh(&7, [1, 2]).await, "7[1, 2]");
    let mut log = Vec::new();
    assert_eq!(users.log_cache().refresh(&mut log, 7), 7);
    assert_eq!(users.log(&mut log, 7), 7);
    assert_eq!(log, [7]);

    Users::limit("ab", 2).await;
    assert_eq!(Users::limit_cache().peek("ab", 2).await?, Some(202));
    assert_eq!(Users::limit_cache().uncached("ab", 3).await, 302);

    // A handle does not have what a method takes by value or changes, but it knows its entries.
    let users = Arc::make_mut(&mut users);
    users.grow(1);
    assert_eq!(users.grow_cache().peek(1)?, Some(3));
    users.rename_cache().put("y", 7).await?;
    assert_eq!(users.rename("y").await, 7);
    assert!(users.rename_cache().invalidate("y").await?);
    users.into_region_cache().put("stored".to_owned())?;
    assert_eq!(users.clone().into_region(), "stored");
    Ok(())
}

trait Source {
    fn load(&self, id: u64) -> u64;
    fn fetch(&self, id: u64) -> impl Future<Output = Result<u64, String>> + Send;
    fn name(id: u64) -> String;
}

impl Source for Users {
    #[cached(key = "load:{self.region}:{id}", ttl = "10m", cache = self.cache, no_handle)]
    fn load(&self, id: u64) -> u64 {
        self.ran();
        id
    }

    #[cached(key = "fetch:{self.region}:{id}", ttl = "10m", cache = self.cache, no_handle)]
    async fn fetch(&self, id: u64) -> Result<u64, String> {
        self.ran();
        if id == 13 {
            return Err("unlucky".to_owned());
        }
        Ok(id)
    }

    #[cached(ttl = "10m", no_handle, associated)]
    fn name(id: u64) -> String {
        format!("{id} of {}", Self::LIMIT)
    }
}

#[tokio::test]
async fn trait_methods_without_a_handle() {
    let users = Users::new("eu");
    for _ in 0..2 {
        assert_eq!((users.load(7), users.fetch(7).await), (7, Ok(7)));
        assert_eq!(users.fetch(13).await, Err("unlucky".to_owned()));
        assert_eq!(Users::name(7), "7 of 100");
    }
    assert_eq!(users.runs(), 4);
}

struct Repository<T> {
    items: Vec<T>,
}

impl<T: Clone + Display + Send + Sync + 'static> Repository<T> {
    #[cached(ttl = "10m", skip = [self])]
    fn item(&self, at: usize) -> Option<T> {
        self.items.get(at).cloned()
    }

    #[cached(key = "text:{self.items:len}:{at}", ttl = "10m")]
    async fn text(&self, at: usize) -> Option<String> {
        self.items.get(at).map(ToString::to_string)
    }
}

#[tokio::test]
async fn automatic_keys_name_the_type() {
    let (numbers, texts) = (
        Repository { items: vec![7] },
        Repository {
            items: vec!["seven"],
        },
    );
    assert_eq!((numbers.item(0), texts.item(0)), (Some(7), Some("seven")));
    assert_eq!((numbers.item(0), texts.item(0)), (Some(7), Some("seven")));
    assert_eq!(
        numbers.item_cache().key(0),
        "attributes_methods::Repository<i32>::item(0usize)"
    );
    assert_eq!(
        Users::limit_cache().key("a", 1),
        "attributes_methods::Users::limit(\"a\",1u64)"
    );
    assert_eq!(numbers.text(0).await.as_deref(), Some("7"));
}

struct Borrowed<'a>(&'a str);

impl Borrowed<'_> {
    #[cached(key = "borrowed:{self.0}:{at}", ttl = "10m")]
    async fn tail(&self, at: usize) -> String {
        self.0[at..].to_owned()
    }
}

#[tokio::test]
async fn a_type_that_borrows() {
    let text = String::from("acme");
    assert_eq!(Borrowed(&text).tail(1).await, "cme");
    assert_eq!(
        Borrowed(&text)
            .tail_cache()
            .peek(1)
            .await
            .unwrap()
            .as_deref(),
        Some("cme")
    );
}
