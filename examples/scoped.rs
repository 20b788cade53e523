//! Views: each instance has its part of one cache, and gives it up with one call.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, cached};

struct Shop {
    cache: Cache,
    queries: AtomicU32,
}

impl Shop {
    fn open(cache: &Cache, id: u64) -> Self {
        Self {
            cache: cache.scoped(format!("shop:{id}:")),
            queries: AtomicU32::new(0),
        }
    }

    #[cached(cache = self.cache, key = "price:{item}", ttl = "1h", tags = ["prices"])]
    async fn price(&self, item: &str) -> usize {
        self.queries.fetch_add(1, Ordering::Relaxed);
        item.len() * 100
    }

    async fn both(&self) -> u32 {
        self.price("tea").await;
        self.price("coffee").await;
        self.queries.swap(0, Ordering::Relaxed)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> larder::Result<()> {
    let cache = Cache::builder().name("shops").build()?;
    let (seven, eight) = (Shop::open(&cache, 7), Shop::open(&cache, 8));
    assert_eq!((seven.both().await, eight.both().await), (2, 2));

    let mut keys = cache.scan("*").await?;
    keys.sort();
    println!("in the cache:        {keys:?}");
    println!(
        "as shop 7 sees it:   {:?}",
        seven.cache.scan("*:tea").await?
    );
    assert_eq!(seven.cache.scan("*:tea").await?, ["price:tea"]);

    seven.cache.clear().await?;
    let queries = (seven.both().await, eight.both().await);
    println!("shop 7 cleared:      {queries:?} queries");
    assert_eq!(queries, (2, 0));

    cache.delete_tags(["prices"]).await?;
    let queries = (seven.both().await, eight.both().await);
    println!("all prices forgotten: {queries:?} queries");
    assert_eq!(queries, (2, 2));
    Ok(())
}
