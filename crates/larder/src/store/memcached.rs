//! Memcached, by its meta protocol: several servers, leases by its own versions, no scan.
//!
//! Needs memcached 1.6 with evictions (its default) and versions (not `-C`). What is said of it here is from its
//! [protocol.txt](https://github.com/memcached/memcached/blob/1.6.18/doc/protocol.txt).
//!
//! # Addresses
//!
//! `memcached://host1:11211,host2` and `memcacheds://…` with TLS; the port is 11211 where none is written. A user name and a password are shown as `-Y` wants them.
//!
//! | parameter | meaning | default |
//! |---|---|---|
//! | `weights` | `2,1`: how many keys each host holds in relation to the others | all alike |
//! | `connect_timeout` | for connecting, TLS, login and a first answer together | 1s |
//! | `answer_timeout` | how long a server that owes answers may say nothing | 2s |
//! | `item_limit` | the servers' `-I` | 1mb |
//! | `ca_file` | a PEM file of authorities to trust instead of the system's | |
//! | `cert_file`, `key_file` | PEM files of a certificate to show, and its key | |
//! | `password_env`, `password_file` | where the password is, instead of in the address | |
//!
//! # What is kept how
//!
//! - **Servers.** Keys are spread by libmemcached's weighted ketama ring (160 points of MD5 for each server of average weight). A server that cannot be reached makes
//!   operations on its keys fail, and no others; a batch fails when one of its servers does. No other server takes its place: it would come back with what was true before.
//! - **Round trips.** A hit is one, a miss and its fill are two; operations on several servers go to all at once. One more is due when a server is first talked to or has lost its records, when
//!   another process removed a prefix that covers the key, and for entries with tags that the reader did not name.
//! - **Names.** An item is called `ld:e:<generation>:<key>`. A key with blanks or control characters is sent in Base64, one that is too long keeps its head and gets its
//!   whole SHA-256: 256 bits are enough to tell keys apart without storing them.
//! - **Leases** are [`Atomic`](LeaseLevel::Atomic): the version (CAS) of the item that a reader saw, made by vivifying where there was none. When memcached evicts that item, the
//!   lease is lost: the value is returned and not stored. No lease stands longer than twelve hours.
//! - **Lives** are exact to the millisecond on the clocks of the processes, as those of heads are; memcached itself keeps an item up to two seconds longer. What ends after
//!   2038-01-19 has no end.
//! - **Prefixes** are removed by moving a generation, in a time that does not depend on how many entries there are; it counts none. 256 prefixes are told apart: with
//!   one more, the whole name space is removed. When memcached evicts the item of generations, everything is gone.
//! - **Tags** have records without an end, which memcached evicts when nobody asks for them. A version that is gone is another version, so eviction forgets and never
//!   serves what is not true. Forgetting a tag moves the epoch on every server, so it fails, with what could be done done, when one of them cannot be reached.
//! - **Large entries** are refused with [`ErrorKind::Encode`](crate::ErrorKind), and what was there before is removed. They are not split over items: one evicted part
//!   would make all others a waste.
//! - **Counters** are decimal text, changed by comparing versions. Their lives, too, are exact.
//! - **Locks** end by memcached's clock: never before their time, and up to two seconds after. Fencing numbers grow also over a restart of the server, if the clocks of
//!   the processes that use it are right to the second. There is one owner as long as memcached evicts no lock and is not restarted: it is a cache.
//! - **Not done**: patterns, scans, sliding windows and bits are [`Unsupported`](crate::ErrorKind::Unsupported); [`touch`](Store::touch) says `false`, so that an entry
//!   is written whole.

use std::future::Future;
use std::sync::Arc;

use super::address::bad;
use super::{
    Counters, Fill, Found, LeaseLevel, Life, Locks, Opening, Page, Read, Removal, Scan, Store,
    StoreFuture, TagVersions, Touch, Write,
};
use crate::error::{Error, Result};

mod builder;
mod count;
mod generations;
mod group;
mod hold;
mod item;
mod lease;
mod link;
mod names;
mod read;
mod ring;
mod session;
mod silence;
mod stream;
mod tags;
mod wire;
mod write;

pub use builder::Builder;

const NAME: &str = "memcached";
const PORT: u16 = 11_211;

/// Entries in memcached. See the [module](self).
///
/// # Cancellation
/// What was asked is owned by the task of the connection: a dropped future leaves nothing half read. What was not sent yet is not done, else it is.
#[derive(Debug)]
pub struct Memcached {
    group: group::Group,
}

impl Memcached {
    /// Begins one in code.
    ///
    /// ```
    /// use larder::store::memcached::Memcached;
    ///
    /// let store = Memcached::builder().server("cache1", 11211).server("cache2", 11211).build()?;
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    fn answer<'a, T>(
        &'a self,
        operation: &'static str,
        future: impl Future<Output = Result<T, link::Failure>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            self.group.open().map_err(|why| why.error(operation))?;
            future.await.map_err(|why| why.error(operation))
        })
    }
}

/// Opens `memcached://` and `memcacheds://`.
pub(crate) fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    let address = &mut *opening.address;
    let hosts = address.hosts(PORT);
    let weights = match address.text("weights") {
        None => vec![1; hosts.len()],
        Some(text) => {
            let weights: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
            weights
                .ok()
                .filter(|weights| weights.len() == hosts.len())
                .ok_or_else(|| {
                    bad(format!(
                        "`weights={text}`: expected a whole number for each host, like `2,1`"
                    ))
                })?
        }
    };
    if !matches!(address.path(), "" | "/") {
        return Err(bad("memcached has no databases: nothing follows the hosts"));
    }
    let mut builder = Builder::new().prefix(opening.prefix);
    for ((host, port), weight) in hosts.into_iter().zip(weights) {
        builder = builder.weighted_server(host, port, weight);
    }
    if let Some(limit) = address.span("connect_timeout")? {
        builder = builder.connect_timeout(limit);
    }
    if let Some(limit) = address.span("answer_timeout")? {
        builder = builder.answer_timeout(limit);
    }
    if let Some(limit) = address.bytes("item_limit")? {
        builder = builder.item_limit(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    if address.scheme() == "memcacheds" {
        builder = builder.tls();
        if let Some(path) = address.text("ca_file") {
            builder = builder.authority(path);
        }
        builder = match (address.text("cert_file"), address.text("key_file")) {
            (Some(certificate), Some(key)) => builder.identity(certificate, key),
            (None, None) => builder,
            _ => return Err(bad("`cert_file` and `key_file` go together: give both")),
        };
    }
    let secret = address.secret("password", "password_env", "password_file")?;
    let password = match (address.password().cloned(), secret) {
        (Some(_), Some(_)) => return Err(bad("two passwords: leave one out")),
        (one, other) => one.or(other),
    };
    match (address.user(), password) {
        (Some(user), Some(password)) => builder = builder.login(user, password),
        (None, None) => {}
        _ => {
            return Err(bad(
                "memcached wants a user name and a password, or neither",
            ));
        }
    }
    Ok(Arc::new(builder.build()?))
}

impl Store for Memcached {
    fn name(&self) -> &str {
        NAME
    }

    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Atomic
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<Found>> {
        self.answer("read", self.group.read(reads))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.answer("fill", self.group.fill(fills))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        self.answer("write", self.group.write(writes))
    }

    fn touch<'a>(&'a self, _: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        // A part of an item cannot be replaced.
        self.answer("touch", async { Ok(false) })
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        self.answer("remaining", self.group.remaining(keys))
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        match removal {
            Removal::Pattern { .. } => no(
                "remove",
                "memcached cannot list keys, so nothing is removed by pattern; give the entries a tag and forget it, or remove a prefix",
            ),
            Removal::Prefix(prefix) if prefix.len() > generations::LONGEST_PREFIX => {
                no("remove", "no prefix above 1024 bytes can be removed")
            }
            _ => self.answer("remove", self.group.remove(removal)),
        }
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], _: Life) -> StoreFuture<'a, TagVersions> {
        // Versions have no end.
        self.answer("tag_versions", self.group.tag_versions(tags))
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        self.answer("forget_tags", self.group.forget_tags(tags))
    }

    fn scan<'a>(&'a self, _: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        no(
            "scan",
            "memcached cannot list keys; to forget many at once, use tags or prefixes",
        )
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.answer("ping", self.group.ping())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.group.close();
            Ok(())
        })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }
}

fn no<'a, T: Send + 'a>(operation: &'static str, why: &'static str) -> StoreFuture<'a, T> {
    Box::pin(async move { Err(Error::unsupported(operation, NAME, why)) })
}
