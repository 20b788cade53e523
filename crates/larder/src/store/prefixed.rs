//! A store in a name space of its own within another.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::head::rename_tags;
use super::{
    Acquired, Admission, Bits, Changed, Counters, Fill, Found, Invalidations, LeaseLevel, Life,
    Locks, Page, Quota, Read, Removal, Scan, Sink, Store, StoreFuture, TagVersions, Touch, Windows,
    Write,
};
use crate::error::{Error, Result};

/// A [`Store`] that puts a prefix before all keys, tags, locks, windows and rows of bits, and takes it away again from what it tells.
///
/// Removing by the prefix `""` removes what begins with the prefix. Also the tags in the heads of entries get the prefix, so that the store behind can compare them;
/// what is read is what was written.
///
/// ```
/// use std::sync::Arc;
/// use larder::store::{Condition, Prefixed, Store, Write};
/// use larder::testing::{MemoryStore, Simulation};
///
/// let simulation = Simulation::new(1);
/// let memory = MemoryStore::new(simulation.runtime());
/// let store = Prefixed::new(Arc::new(memory.clone()), "app:");
/// let write = Write { key: "a", bytes: b"1", life: None, condition: Condition::Always };
/// simulation.block_on(store.write(&[write]))?;
/// assert!(simulation.block_on(memory.remaining(&["app:a"]))?[0].is_some());
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
pub struct Prefixed {
    store: Arc<dyn Store>,
    prefix: Arc<str>,
}

impl Prefixed {
    /// All that goes to this store begins with `prefix`.
    pub fn new(store: Arc<dyn Store>, prefix: impl Into<Arc<str>>) -> Self {
        Self {
            store,
            prefix: prefix.into(),
        }
    }

    fn within(&self, text: &str) -> String {
        format!("{}{text}", self.prefix)
    }

    fn all(&self, texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| self.within(text)).collect()
    }

    /// An entry, or a head alone, as the store behind keeps it.
    fn inwards<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        rename_tags(bytes, |tag| self.within(tag)).map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    fn outwards(&self, bytes: Vec<u8>) -> Vec<u8> {
        let bare = |tag: &str| tag.strip_prefix(&*self.prefix).unwrap_or(tag).to_owned();
        rename_tags(&bytes, bare).unwrap_or(bytes)
    }

    fn lacks<T: Send + 'static>(&self, operation: &'static str) -> StoreFuture<'_, T> {
        let error = Error::unsupported(operation, self.name(), "it never could");
        Box::pin(std::future::ready(Err(error)))
    }

    async fn read_within(&self, reads: &[Read<'_>]) -> Result<Vec<Found>> {
        let keys: Vec<String> = reads.iter().map(|read| self.within(read.key)).collect();
        let tags: Vec<Vec<String>> = reads.iter().map(|read| self.all(read.tags)).collect();
        let tags: Vec<Vec<&str>> = tags.iter().map(|tags| refs(tags)).collect();
        let reads: Vec<Read<'_>> = reads
            .iter()
            .zip(keys.iter().zip(&tags))
            .map(|(read, (key, tags))| Read { key, tags, ..*read })
            .collect();
        let mut found = self.store.read(&reads).await?;
        for found in &mut found {
            found.bytes = found.bytes.take().map(|bytes| self.outwards(bytes));
        }
        Ok(found)
    }

    async fn fill_within(&self, fills: &[Fill<'_>]) -> Result<Vec<bool>> {
        let owned: Vec<_> = fills
            .iter()
            .map(|fill| (self.within(fill.key), self.inwards(fill.bytes)))
            .collect();
        let fills: Vec<Fill<'_>> = fills
            .iter()
            .zip(&owned)
            .map(|(fill, (key, bytes))| Fill {
                key,
                bytes,
                ..*fill
            })
            .collect();
        self.store.fill(&fills).await
    }

    async fn write_within(&self, writes: &[Write<'_>]) -> Result<Vec<bool>> {
        let owned: Vec<_> = writes
            .iter()
            .map(|write| (self.within(write.key), self.inwards(write.bytes)))
            .collect();
        let writes: Vec<Write<'_>> = writes
            .iter()
            .zip(&owned)
            .map(|(write, (key, bytes))| Write {
                key,
                bytes,
                ..*write
            })
            .collect();
        self.store.write(&writes).await
    }

    async fn remove_within(&self, removal: &Removal<'_>) -> Result<u64> {
        match removal {
            Removal::Keys(keys) => {
                let keys = self.all(keys);
                self.store.remove(&Removal::Keys(&refs(&keys))).await
            }
            Removal::Prefix(prefix) => {
                let prefix = &self.within(prefix);
                self.store.remove(&Removal::Prefix(prefix)).await
            }
            Removal::Pattern { prefix, pattern } => {
                let prefix = &self.within(prefix);
                let removal = Removal::Pattern { prefix, pattern };
                self.store.remove(&removal).await
            }
        }
    }
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[deny(clippy::missing_trait_methods)]
impl Store for Prefixed {
    fn name(&self) -> &str {
        self.store.name()
    }

    fn lease_level(&self) -> LeaseLevel {
        self.store.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Box::pin(self.read_within(reads))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.fill_within(fills))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.write_within(writes))
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let (key, head) = (&self.within(touch.key), &self.inwards(touch.head));
            self.store
                .touch(&Touch {
                    key,
                    head,
                    ..*touch
                })
                .await
        })
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(async move { self.store.remaining(&refs(&self.all(keys))).await })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(self.remove_within(removal))
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(async move { self.store.tag_versions(&refs(&self.all(tags)), life).await })
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Box::pin(async move { self.store.forget_tags(&refs(&self.all(tags))).await })
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let prefix = &self.within(scan.prefix);
            let page = self.store.scan(&Scan { prefix, ..*scan }).await?;
            let keys = page.keys.into_iter();
            let bare = keys.filter_map(|key| Some(key.strip_prefix(&*self.prefix)?.to_owned()));
            Ok(Page {
                keys: bare.collect(),
                cursor: page.cursor,
            })
        })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.store.ping()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.store.close()
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.store.counters().map(|_| self as _)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        self.store.locks().map(|_| self as _)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        self.store.windows().map(|_| self as _)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        self.store.bits().map(|_| self as _)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        self.store.invalidations().map(|_| self as _)
    }
}

impl Counters for Prefixed {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let Some(counters) = self.store.counters() else {
            return self.lacks("increment");
        };
        Box::pin(async move { counters.add(&self.within(key), by, life).await })
    }

    fn count<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        let Some(counters) = self.store.counters() else {
            return self.lacks("count");
        };
        Box::pin(async move { counters.count(&self.within(key), by, life).await })
    }
}

impl Locks for Prefixed {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        let Some(locks) = self.store.locks() else {
            return self.lacks("lock");
        };
        Box::pin(async move { locks.acquire(&self.within(name), owner, ttl).await })
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        let Some(locks) = self.store.locks() else {
            return self.lacks("renew");
        };
        Box::pin(async move { locks.renew(&self.within(name), owner, ttl).await })
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        let Some(locks) = self.store.locks() else {
            return self.lacks("unlock");
        };
        Box::pin(async move { locks.release(&self.within(name), owner).await })
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        let Some(locks) = self.store.locks() else {
            return self.lacks("locked");
        };
        Box::pin(async move { locks.held(&self.within(name)).await })
    }
}

impl Windows for Prefixed {
    fn admit<'a>(&'a self, key: &'a str, quota: &'a Quota) -> StoreFuture<'a, Admission> {
        let Some(windows) = self.store.windows() else {
            return self.lacks("admit");
        };
        Box::pin(async move { windows.admit(&self.within(key), quota).await })
    }
}

impl Bits for Prefixed {
    fn set<'a>(&'a self, key: &'a str, positions: &'a [u32], life: Life) -> StoreFuture<'a, u64> {
        match self.store.bits() {
            Some(bits) => {
                Box::pin(async move { bits.set(&self.within(key), positions, life).await })
            }
            None => self.lacks("set_bits"),
        }
    }

    fn test<'a>(&'a self, key: &'a str, positions: &'a [u32]) -> StoreFuture<'a, Vec<bool>> {
        match self.store.bits() {
            Some(bits) => Box::pin(async move { bits.test(&self.within(key), positions).await }),
            None => self.lacks("test_bits"),
        }
    }

    fn clear<'a>(&'a self, key: &'a str) -> StoreFuture<'a, bool> {
        match self.store.bits() {
            Some(bits) => Box::pin(async move { bits.clear(&self.within(key)).await }),
            None => self.lacks("clear_bits"),
        }
    }
}

impl Invalidations for Prefixed {
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        let prefix = Arc::clone(&self.prefix);
        match self.store.invalidations() {
            Some(invalidations) => invalidations.subscribe(Arc::new(Bare { sink, prefix })),
            None => self.lacks("subscribe"),
        }
    }
}

/// Passes on what is of this name space, without its prefix.
#[derive(Debug)]
struct Bare {
    sink: Arc<dyn Sink>,
    prefix: Arc<str>,
}

impl Sink for Bare {
    fn changed(&self, what: Changed<'_>) {
        let bare = match what {
            Changed::Key(key) => key.strip_prefix(&*self.prefix).map(Changed::Key),
            Changed::Tag(tag) => tag.strip_prefix(&*self.prefix).map(Changed::Tag),
            Changed::All => Some(Changed::All),
        };
        if let Some(bare) = bare {
            self.sink.changed(bare);
        }
    }
}
