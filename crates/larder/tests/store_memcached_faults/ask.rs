//! Questions to a store, in short.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder::Result;
use larder::runtime::{Runtime, SystemRuntime};
use larder::store::memcached::{Builder, Memcached};
use larder::store::{
    Address, Ask, Condition, Fill, Found, Life, Opening, Read, Removal, Store, Token, Write,
};

pub(crate) const HOUR: Life = Some(Duration::from_secs(3_600));

/// One server.
pub(crate) fn builder(port: u16) -> Builder {
    limited(port, Duration::from_secs(20))
}

/// One server, with limits that a test can wait for.
pub(crate) fn hasty(port: u16) -> Builder {
    limited(port, Duration::from_millis(300))
}

fn limited(port: u16, limit: Duration) -> Builder {
    Memcached::builder()
        .server("127.0.0.1", port)
        .connect_timeout(limit)
        .answer_timeout(limit)
}

/// The store of a URL.
pub(crate) fn open(url: &str) -> Result<Arc<dyn Store>> {
    let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
    let mut address = Address::parse(url)?;
    let opened = larder::store::open(&mut Opening {
        address: &mut address,
        prefix: "",
        runtime: &runtime,
    })?;
    address.finish()?;
    Ok(opened)
}

/// What every store can be asked, with fewer words.
pub(crate) trait Asked: Store {
    async fn found(&self, key: &str, ask: Ask, tags: &[&str]) -> Result<Found> {
        let read = Read {
            key,
            ask,
            tags,
            lease: Duration::from_secs(60),
            life: HOUR,
            now: 0,
        };
        Ok(self.read(&[read]).await?.remove(0))
    }

    async fn value(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.found(key, Ask::Entry, &[]).await?.bytes)
    }

    async fn lease(&self, key: &str) -> Result<Token> {
        let found = self.found(key, Ask::EntryAndLease, &[]).await?;
        Ok(found.lease.expect("a lease that was asked for"))
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        self.put_if(key, bytes, Condition::Always).await
    }

    async fn put_if(&self, key: &str, bytes: &[u8], condition: Condition) -> Result<bool> {
        let write = Write {
            key,
            bytes,
            life: HOUR,
            condition,
        };
        Ok(self.write(&[write]).await?.remove(0))
    }

    async fn fill_one(&self, key: &str, bytes: &[u8], lease: &Token) -> Result<bool> {
        let fill = Fill {
            key,
            bytes,
            life: HOUR,
            lease,
        };
        Ok(self.fill(&[fill]).await?.remove(0))
    }

    async fn remove_one(&self, key: &str) -> Result<u64> {
        self.remove(&Removal::Keys(&[key])).await
    }
}

impl<S: Store + ?Sized> Asked for S {}

/// Asks until the answer is right.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut right: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !right().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
