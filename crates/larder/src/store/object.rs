//! Entries as objects in S3, Google Cloud Storage and Azure Blob Storage.
//!
//! | URL | what it runs on | feature |
//! |---|---|---|
//! | `s3://bucket/prefix` | Amazon S3 and servers that speak like it | `s3` |
//! | `gs://bucket/prefix` | Google Cloud Storage, by its XML API | `gcs` |
//! | `az://container/prefix`, `abfs[s]://container@account.dfs.core.windows.net/prefix` | Azure Blob Storage | `azure` |
//!
//! Credentials come from the environment as each cloud's own tools take them (`AWS_…`, `GOOGLE_…`, `AZURE_…`, and the metadata services of their machines), or from
//! parameters:
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `endpoint` | another server: `https://minio.example:9000` | the cloud's |
//! | `allow_http` | an endpoint without TLS is allowed | `0` |
//! | `region` | of S3 | `AWS_REGION`, `us-east-1` |
//! | `access_key_env`, `access_key_file` | S3's access key id, or Azure's account key | the environment |
//! | `secret_key_env`, `secret_key_file` | S3's secret access key | the environment |
//! | `account` | of Azure | `AZURE_STORAGE_ACCOUNT_NAME` |
//! | `credentials_file` | a service account of Google Cloud | `GOOGLE_APPLICATION_CREDENTIALS` |
//! | `anonymous` | requests are not signed | `0` |
//! | `virtual_hosted` | S3's bucket stands in the host's name | `0` |
//! | `bulk_delete` | S3 deletes many objects by one request | `1` |
//! | `conditional` | whether the server honours conditional writes: `auto` tries it once where the endpoint is not the cloud's own | `auto` |
//! | `timeout` | of one request with its answer, and for how long an operation tries that meets others on the same object; after half of it no request is made again | `30s`; retries end after 500 ms |
//! | `connect_timeout` | of a connection | `3s` |
//! | `in_flight` | requests at once | `64` |
//! | `max` | the largest entry: more is [`ErrorKind::Encode`](crate::ErrorKind) | `1gb` |
//! | `name_limit` | the longest name of an object after the prefix, in bytes, 100 to 900: less for servers with short file names | `900` |
//! | `sweep` | how often this process deletes what is over: `1h` | never |
//!
//! In a cache's URL `timeout` and `in_flight` bound each operation too (1 s and 1 024 by default, see [`config`](crate::config)): say a `timeout` where one request may take longer.
//!
//! # What it costs
//! Requests of each operation; those of one round go out together. A batch is that many requests of each kind at once.
//!
//! | operation | rounds | requests |
//! |---|---|---|
//! | hit | 1 | GET, and a GET for each tag |
//! | miss where something expired stands: lease and fill | 3 | GET; GET of the tag epoch; PUT |
//! | miss where nothing stands | 3 | GET; PUT of a marker and GET of the tag epoch; PUT |
//! | write | 1 | PUT |
//! | write if absent, if present | 1 to 3, 2 | PUT (then HEAD, PUT if something expired stands); HEAD, PUT |
//! | remove a key | 2 | HEAD; a delete if something stands |
//! | remove by prefix or pattern, for each 1 000 objects | 2 | LIST; a delete of all (S3; Azure takes 256 at once, Google one) |
//! | scan, for each page | 2 | LIST; a HEAD for each key |
//! | forget tags | 2 | PUT of the tag epoch; a delete of all |
//! | counter | 2 | GET, PUT |
//! | lock: acquire, renew, release | 2 | GET, PUT |
//! | ping | 1 | LIST |
//!
//! A tag that has no version yet, or one that would end before the entry, is one more PUT beside the marker's. A key whose name does not fit is read from its object where others are
//! read from the listing. There are no sliding windows and no bits, and nobody is told of changes.
//!
//! The credentials must be allowed to get, put, delete and list: without the last, Amazon says of an object that is not there that it is forbidden.
//!
//! # What a lease is worth
//! [`LeaseLevel::Versioned`]. A lease is the version (ETag or generation) of the object that stands in the place of the entry; where none stands, a marker of 36 bytes is
//! put there, if there is still none. Filling replaces that object only if it is still the same one. So a write (another version) and a removal (no object) of the key, by key, prefix or
//! pattern, end the lease in the same instant for all processes, also of keys that were never stored: their marker is listed and deleted like an entry. Each object
//! holds a random number, so a version never comes again. No time of any clock takes part, except that a fill after the lease's own life is refused.
//!
//! Where conditional writes are not honoured, leases hold within this process ([`LeaseLevel::Process`], which is also said until it has been tried), and counters and
//! locks are [`ErrorKind::Unsupported`](crate::ErrorKind).
//!
//! # What stays behind
//! No cloud deletes an object at an instant: what is over is not served, and stays until it is written again, removed or swept. Give the bucket a lifecycle rule that deletes
//! objects under `prefix/e/` some days after the longest life you use, and under `prefix/t/` some days after that (deleting the record of a tag forgets the tag), or let one process
//! `sweep`. Leave `prefix/m/` and `prefix/l/` alone. Sweeping reads the metadata of each object that is older than ten minutes and deletes those that ended ten minutes ago or more; an
//! entry that is written in the instant between is lost as by an eviction.
//!
//! # Names and other languages
//! An entry of key `user:7` is the object `prefix/e/user:7`; other characters than letters, digits, `_`, `-` and `:` are `!` and two hex digits. An entry without a head (`envelope = "none"`, a
//! counter) is the text itself, followed by white space. What others put into the bucket is not read.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::error::Result;
use crate::runtime::{Reactor, Runtime, Task};
use crate::store::{
    Acquired, Bits, Counters, Fill, Found, Invalidations, LeaseLevel, Life, Locks, Opening, Page,
    Read, Removal, Scan, Store, StoreFuture, TagVersions, Touch, Windows, Write,
};

mod contest;
mod core;
mod counters;
mod fallback;
mod frame;
mod http;
mod lease;
mod list;
mod locks;
mod names;
mod open;
mod tags;
mod wire;

use self::core::Core;
use self::wire::each;

/// A store of objects.
///
/// ```no_run
/// # use larder::store::{Address, Opening, object::Objects};
/// # async fn example(runtime: std::sync::Arc<dyn larder::runtime::Runtime>) -> larder::Result<()> {
/// let mut address = Address::parse("s3://bucket/cache?region=eu-central-1&timeout=2s")?;
/// let store = Objects::open(&mut Opening { address: &mut address, prefix: "", runtime: &runtime })?;
/// let swept = store.sweep().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Objects {
    core: Arc<Core>,
    place: String,
}

impl Objects {
    /// A store at an address; does not connect.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind) for parameters that cannot be, credentials that cannot be read, and a scheme whose feature is missing.
    pub fn open(opening: &mut Opening<'_>) -> Result<Self> {
        let place = format!("{}://{}", opening.address.scheme(), opening.address.place());
        let (core, sweep) = open::core(opening.address, opening.prefix)?;
        let core = Arc::new(core);
        if let Some(every) = sweep {
            let keeper = keep_swept(Arc::downgrade(&core), Arc::clone(opening.runtime), every);
            opening.runtime.spawn(Task::Chore(Box::pin(keeper)));
        }
        Ok(Self { core, place })
    }

    /// Deletes entries, markers of leases and records of tags that were over ten minutes ago or more; how many there were.
    ///
    /// Costs a LIST for each 1 000 objects and a HEAD for each that is older than ten minutes.
    pub async fn sweep(&self) -> Result<u64> {
        Reactor::enter(self.core.sweep()).await
    }

    fn run<'a, T, F>(future: F) -> StoreFuture<'a, T>
    where
        F: Future<Output = Result<T>> + Send + 'a,
    {
        Box::pin(Reactor::enter(future))
    }
}

pub(crate) fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(Objects::open(opening)?))
}

/// Sweeps now and then for as long as the store is there and open.
async fn keep_swept(core: Weak<Core>, runtime: Arc<dyn Runtime>, every: Duration) {
    loop {
        runtime.sleep(every).await;
        let Some(core) = core.upgrade() else {
            return;
        };
        if core.is_closed() {
            return;
        }
        // A server that is away now is there the next time.
        let _ = Reactor::enter(async move { core.sweep().await }).await;
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Objects {
    fn name(&self) -> &str {
        self.core.wire.name
    }

    fn lease_level(&self) -> LeaseLevel {
        self.core.lease_level()
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        Self::run(async {
            let found = reads.iter().map(|read| self.core.read_one(read));
            each(found.collect()).await
        })
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Self::run(async {
            let filled = fills.iter().map(|fill| self.core.fill_one(fill));
            each(filled.collect()).await
        })
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Self::run(self.core.write(writes))
    }

    /// An object cannot be changed in part.
    fn touch<'a>(&'a self, _: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Self::run(async {
            let left = keys.iter().map(|key| self.core.remaining_one(key));
            each(left.collect()).await
        })
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Self::run(self.core.remove(removal))
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Self::run(self.core.versions(tags, life))
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Self::run(self.core.forget(tags))
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Self::run(self.core.scan(scan))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Self::run(self.core.ping())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.core.close();
        Box::pin(async { Ok(()) })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        None
    }

    fn bits(&self) -> Option<&dyn Bits> {
        None
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        None
    }
}

impl Counters for Objects {
    fn add<'a>(&'a self, key: &'a str, by: i64, life: Life) -> StoreFuture<'a, i64> {
        Self::run(self.core.add(key, by, life))
    }
}

impl Locks for Objects {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        Self::run(self.core.acquire(name, owner, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        Self::run(self.core.renew(name, owner, ttl))
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        Self::run(self.core.release(name, owner))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        Self::run(self.core.held(name))
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Objects").field(&self.place).finish()
    }
}

/// 64 bits that nobody can know, from the generator that TLS uses.
fn random() -> u64 {
    let mut bytes = [0; 8];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .expect("larder: the system gives random numbers");
    u64::from_be_bytes(bytes)
}
