//! The values that move, and the functions that make them.

use std::sync::Arc;

use larder::runtime::{Runtime, SystemRuntime};
use larder::store::{self, Address, Ask, Opening, Read, Store};
use larder::{Cache, cached};
use serde::{Deserialize, Serialize};

/// What is kept: a small number, a short text and a long one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) id: u64,
    pub(crate) title: String,
    pub(crate) body: String,
}

impl Page {
    /// A page whose fields take about so many bytes.
    pub(crate) fn of(size: usize) -> Self {
        let title = "A title".to_owned();
        let body = "x".repeat(size.saturating_sub(title.len() + 8));
        Self {
            id: size as u64,
            title,
            body,
        }
    }
}

/// What all keys begin with.
pub(crate) const PREFIX: &str = "bench:";

#[cached(key = "page:{size}", ttl = "1h", cache = cache)]
pub(crate) async fn page(cache: &Cache, size: usize) -> Page {
    Page::of(size)
}

#[cached(key = "tagged:{size}", ttl = "1h", tags = ["pages"], cache = cache)]
pub(crate) async fn tagged(cache: &Cache, size: usize) -> Page {
    Page::of(size)
}

#[cached(key = "page:{size}", ttl = "1h", cache = cache)]
pub(crate) fn page_sync(cache: &Cache, size: usize) -> Page {
    Page::of(size)
}

/// The key of a page, without what all begin with.
pub(crate) fn key(size: usize) -> String {
    format!("page:{size}")
}

pub(crate) fn open(url: &str) -> Cache {
    let cache = Cache::builder().url(url).expect("a good URL");
    cache.build().expect("a cache")
}

/// The store of a URL alone, without a cache.
pub(crate) fn open_store(url: &str) -> Arc<dyn Store> {
    let mut address = Address::parse(url).expect("a good URL");
    let runtime: Arc<dyn Runtime> = Arc::new(SystemRuntime::new());
    let opened = store::open(&mut Opening {
        address: &mut address,
        prefix: PREFIX,
        runtime: &runtime,
    });
    opened.expect("a store")
}

/// The bytes of a page as a cache has stored it.
pub(crate) async fn stored(store: &dyn Store, size: usize) -> Vec<u8> {
    let read = Read {
        key: &format!("{PREFIX}{}", key(size)),
        ask: Ask::Entry,
        tags: &[],
        lease: std::time::Duration::ZERO,
        life: None,
        now: 0,
    };
    let found = store.read(&[read]).await.expect("an answer");
    let found = found.into_iter().next().and_then(|found| found.bytes);
    found.expect("the page was stored")
}

/// How much of one figure: `64 B`, `1 KB`.
pub(crate) fn sized(size: usize) -> String {
    match size {
        0..1_000 => format!("{size} B"),
        _ => format!("{} KB", size / 1_000),
    }
}
