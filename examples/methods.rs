//! Cached methods of a service that owns its cache, and the handle `svc.user_cache()`.

use std::sync::atomic::{AtomicU32, Ordering};

use larder::{Cache, cache_put, cached, invalidates};

struct Service {
    cache: Cache,
    queries: AtomicU32,
}

impl Service {
    #[cached(cache = self.cache, key = "user:{id}", ttl = "10m")]
    async fn user(&self, id: u64) -> Result<String, String> {
        self.queries.fetch_add(1, Ordering::Relaxed);
        Ok(format!("user {id}"))
    }

    /// Always runs, and what it returns is what `user` serves from then on.
    #[cache_put(cache = self.cache, key = "user:{id}", ttl = "10m")]
    async fn rename(&self, id: u64, name: &str) -> Result<String, String> {
        Ok(format!("{name}, who was user {id}"))
    }

    #[invalidates(self.user(id = id))]
    async fn delete(&self, id: u64) -> Result<(), String> {
        if id > 0 {
            Ok(())
        } else {
            Err("the first user stays".to_owned())
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let svc = Service {
        cache: Cache::builder().name("users").size(1_000).build()?,
        queries: AtomicU32::new(0),
    };
    assert_eq!(svc.user(7).await?, svc.user(7).await?);
    let queries = svc.queries.load(Ordering::Relaxed);
    println!("user(7), twice:          {queries} query");
    assert_eq!(queries, 1);

    svc.rename(7, "Ada").await?;
    println!("after rename(7, \"Ada\"):  {}", svc.user(7).await?);
    assert_eq!(svc.user(7).await?, "Ada, who was user 7");

    let handle = svc.user_cache();
    svc.delete(7).await?;
    println!("after delete(7):         {:?}", handle.peek(7).await?);
    assert_eq!(handle.peek(7).await?, None);

    handle.put(0, "root".to_owned()).await?;
    assert!(svc.delete(0).await.is_err());
    println!("delete(0) failed:        {:?}", handle.peek(0).await?);
    assert_eq!(handle.peek(0).await?.as_deref(), Some("root"));

    handle.refresh(0).await?;
    println!("after refresh(0):        {}", svc.user(0).await?);
    assert_eq!(svc.user(0).await?, "user 0");

    let stats = handle.stats();
    println!("user: {} hits, {} loads", stats.hits(), stats.loads);
    assert_eq!(svc.queries.load(Ordering::Relaxed), 2);
    Ok(())
}
