//! Redis and Valkey: one server, a cluster, or a master that sentinels watch.
//!
//! ```no_run
//! # async fn example() -> larder::Result<()> {
//! use larder::store::redis::Redis;
//!
//! let store = Redis::builder([("localhost", 6379)]).prefix("app:").build()?;
//! # drop(store);
//! # Ok(())
//! # }
//! ```
//!
//! # URLs
//! `redis://user:password@host:6379/0`, `rediss://` with TLS, `redis+cluster://host1,host2`, `redis+sentinel://host1,host2?service=mymaster`, and `rediss+cluster://` and
//! `rediss+sentinel://`. Several hosts of `redis://` are tried in turn.
//!
//! | parameter | default | what it is |
//! |---|---|---|
//! | `connect_timeout` | `1s` | how long connecting may take, and how long a connection may stay silent |
//! | `in_flight` | `1024` | how many operations are under way at once |
//! | `client_name` | none | what connections are called in `CLIENT LIST` |
//! | `password_env`, `password_file` | none | where the password stands, if not in the URL |
//! | `ca_file` | the system's | the certificates that are trusted (`rediss`), in PEM |
//! | `insecure` | `0` | trusts any certificate |
//! | `service` | `mymaster` | how the sentinels call the master |
//! | `sentinel_user`, `sentinel_password_env`, `sentinel_password_file` | none | for the sentinels themselves |
//! | `client_side` | `0` | a local copy that the server keeps true; not with a cluster |
//!
//! # Connections
//! One for all that is asked, made with the first operation and made anew when it is lost. A connection on which nothing was answered while somebody gave up waiting is asked once more and replaced if it stays silent
//! for `connect_timeout`. Behind sentinels the master is asked for once a second, so that one that was replaced while it could still be reached is left.
//!
//! # Round trips
//! A hit is one, and so is a look that takes a lease; a fill is one. What was there a moment ago and should be there still is asked for with GET (MGET with tags), which costs the server a part of what a script costs;
//! if it was removed meanwhile by another process, the script follows in a second round trip.
//!
//! # What lies in the database
//! An entry is a string under exactly its key. Records beside it (leases, versions of tags, locks, windows, bits) are called like their key, then the byte `0xFF`, which no UTF-8 text
//! holds, then a letter. So a user whom the ACL restricts to `~app:*` has all that is needed. Strings only: what else lies under an entry's key is not there for readers and is
//! overwritten by writers.
//!
//! # Leases
//! [`LeaseLevel::Atomic`]: looking and leasing is one script, and checking and storing is one. That is as good as the server's memory: replication is asynchronous, so a
//! [failover](https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#write-safety) may lose the last changes, removals among them.
//!
//! # Clusters and hash tags
//! A key's slot is Redis' own: of what stands between the first `{` and the first `}` behind it, else of the whole key. The key's lease lies in the same slot, whatever braces the key has. Operations on many keys are
//! grouped by slot and sent at once; each group is atomic, all together are not. Tags lie in slots of their own: their versions are asked for beside the entry, and compared here. A lease costs one more round
//! trip there, for the tag epoch and versions that are made. While a slot is on its way from one master to another its entries can be read, but not leased. An addition to a counter may count twice
//! if the connection breaks while it is under way. Keys that are often read together may share a hash tag: `user:{7}:name`, `user:{7}:mail`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::{Cmd, Value};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::{
    Bits, Counters, Fill, Invalidations, LeaseLevel, Life, Locks, Opening, Page, Read, Removal,
    Scan, Sink, Store, StoreFuture, TagVersions, Touch, Windows, Write,
};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Reactor, Side};

mod cluster;
mod connect;
mod fault;
mod likely;
mod line;
mod look;
mod names;
mod powers;
mod read;
mod remove;
mod reply;
mod script;
mod settings;
mod tags;
mod tracking;
mod watch;
mod write;

use connect::Plan;
use likely::Likely;
use line::{Gone, Line, To};
use names::Names;
use settings::{Service, Settings};
use tracking::Tracking;

pub use settings::Builder;

const NAME: &str = "redis";
/// What a string of Redis holds at most, by its documentation.
const LARGEST: usize = 512 * 1024 * 1024;
/// A century: longer than anything lives, and far from what overflows in the server.
const LONGEST: u128 = 100 * 365 * 24 * 3_600 * 1_000;

/// A store on Redis or Valkey. See the [module](self).
pub struct Redis {
    plan: Arc<Plan>,
    reactor: Reactor,
    home: Arc<Line>,
    own: Arc<Line>,
    /// The home runtime turned out to be of no use.
    homeless: AtomicBool,
    gate: Semaphore,
    names: Names,
    likely: Likely,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("hosts", &self.plan.settings.hosts)
            .field("service", &self.plan.settings.service)
            .finish_non_exhaustive()
    }
}

/// Opens the store of a URL.
pub(crate) fn open(opening: &mut Opening<'_>) -> Result<Arc<dyn Store>> {
    let store = settings::from_address(opening.address, opening.prefix)?.build()?;
    Ok(store)
}

impl Redis {
    /// A store on these hosts, each with its port.
    pub fn builder<H: Into<String>>(hosts: impl IntoIterator<Item = (H, u16)>) -> Builder {
        let hosts = hosts.into_iter().map(|(host, port)| (host.into(), port));
        Builder::new(hosts.collect())
    }

    fn new(settings: Settings, reactor: Reactor) -> Self {
        let tracking = settings
            .client_side
            .then(|| Tracking::new(&settings.prefix));
        let names = match settings.service {
            Service::Cluster => Names::Slotted,
            _ => Names::Plain,
        };
        let gate = Semaphore::new(settings.in_flight);
        let plan = Arc::new(Plan::new(settings, tracking));
        let line = |side| Line::new(Arc::clone(&plan), reactor.handle(side));
        Self {
            home: line(Side::Home),
            own: line(Side::Own),
            homeless: AtomicBool::new(false),
            gate,
            names,
            likely: Likely::new(),
            plan,
            reactor,
        }
    }

    fn line(&self) -> &Arc<Line> {
        // The server leaves out our own changes by the connection that made them: there can be only one.
        let one = self.plan.tracking.is_some() || self.homeless.load(Ordering::Relaxed);
        match self.reactor.side() {
            Side::Home if !one => &self.home,
            _ => &self.own,
        }
    }

    /// One command and its answer.
    async fn ask(&self, operation: &'static str, cmd: Cmd) -> Result<Value> {
        self.ask_at(operation, cmd, To::Key).await
    }

    async fn ask_at(&self, operation: &'static str, cmd: Cmd, to: To) -> Result<Value> {
        let Ok(_place) = self.gate.acquire().await else {
            return Err(fault::closed(operation));
        };
        let line = self.line();
        match line.ask(operation, &cmd, to).await {
            Ok(answer) => answer,
            Err(Gone) if Arc::ptr_eq(line, &self.home) => {
                self.homeless.store(true, Ordering::Relaxed);
                let answer = Box::pin(self.own.ask(operation, &cmd, to)).await;
                answer.unwrap_or_else(|Gone| Err(no_runtime(operation)))
            }
            Err(Gone) => Err(no_runtime(operation)),
        }
    }

    /// Several commands at once, and their answers in order.
    async fn ask_all(&self, operation: &'static str, cmds: Vec<Cmd>) -> Result<Vec<Value>> {
        let asked = cmds.into_iter().map(|cmd| self.ask(operation, cmd));
        join_all(asked).await.into_iter().collect()
    }

    /// The places of these keys, in groups that one script may touch.
    fn groups<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut of_slot = std::collections::HashMap::new();
        for (place, key) in keys.enumerate() {
            let slot = match self.names {
                Names::Plain => 0,
                Names::Slotted => names::slot(key.as_bytes()),
            };
            let group = *of_slot.entry(slot).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            if groups[group].len() == BATCH {
                of_slot.insert(slot, groups.len());
                groups.push(vec![place]);
            } else {
                groups[group].push(place);
            }
        }
        groups
    }
}

/// How many keys one script takes: it keeps others waiting while it runs.
const BATCH: usize = 512;

/// What a store says when the program is ending and its runtimes with it.
fn no_runtime(operation: &'static str) -> Error {
    Error::unavailable(operation, NAME, "no runtime drives its connections")
}

/// A life in milliseconds, as scripts take it: `""` for one without end.
fn millis(life: Life) -> String {
    life.map_or_else(String::new, |span| finite(span).to_string())
}

/// At least a millisecond: 0 would mean for ever, or an error.
fn finite(span: Duration) -> u128 {
    // Up, so that nothing is gone before its time.
    let whole = span.as_nanos().div_ceil(1_000_000);
    whole.clamp(1, LONGEST)
}

/// 64 random bits that are not 0.
fn random() -> u64 {
    use std::cell::Cell;
    use std::hash::{BuildHasher, RandomState};
    thread_local! {
        static STATE: (RandomState, Cell<u64>) = (RandomState::new(), Cell::new(0));
    }
    // A keyed hash of a counter, the key from the system.
    STATE.with(|(state, count)| {
        loop {
            count.set(count.get().wrapping_add(1));
            let random = state.hash_one(count.get());
            if random != 0 {
                return random;
            }
        }
    })
}

/// Refuses what the server could not hold, before it answers by hanging up.
fn fits(operation: &'static str, bytes: &[u8]) -> Result<()> {
    if bytes.len() <= LARGEST {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Encode,
        operation,
        format!(
            "{} bytes are more than the 512 MiB that redis holds under a key",
            bytes.len()
        ),
    ))
}

#[deny(clippy::missing_trait_methods)]
impl Store for Redis {
    fn name(&self) -> &str {
        NAME
    }

    fn lease_level(&self) -> LeaseLevel {
        LeaseLevel::Atomic
    }

    fn read<'a>(&'a self, reads: &'a [Read<'a>]) -> StoreFuture<'a, Vec<super::Found>> {
        Box::pin(self.read_all(reads))
    }

    fn fill<'a>(&'a self, fills: &'a [Fill<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.fill_all(fills))
    }

    fn write<'a>(&'a self, writes: &'a [Write<'a>]) -> StoreFuture<'a, Vec<bool>> {
        Box::pin(self.write_all(writes))
    }

    fn touch<'a>(&'a self, touch: &'a Touch<'a>) -> StoreFuture<'a, bool> {
        Box::pin(self.touch_one(touch))
    }

    fn remaining<'a>(&'a self, keys: &'a [&'a str]) -> StoreFuture<'a, Vec<Option<Life>>> {
        Box::pin(self.remaining_all(keys))
    }

    fn remove<'a>(&'a self, removal: &'a Removal<'a>) -> StoreFuture<'a, u64> {
        Box::pin(self.remove_all(removal))
    }

    fn tag_versions<'a>(&'a self, tags: &'a [&'a str], life: Life) -> StoreFuture<'a, TagVersions> {
        Box::pin(self.versions(tags, life))
    }

    fn forget_tags<'a>(&'a self, tags: &'a [&'a str]) -> StoreFuture<'a, ()> {
        Box::pin(self.forget(tags))
    }

    fn scan<'a>(&'a self, scan: &'a Scan<'a>) -> StoreFuture<'a, Page> {
        Box::pin(self.page(scan))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.ask("ping", ::redis::cmd("PING")).await?;
            Ok(())
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.gate.close();
            self.home.close();
            self.own.close();
            if let Some(tracking) = &self.plan.tracking {
                tracking.clear();
            }
            Ok(())
        })
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }

    fn locks(&self) -> Option<&dyn Locks> {
        Some(self)
    }

    fn windows(&self) -> Option<&dyn Windows> {
        Some(self)
    }

    fn bits(&self) -> Option<&dyn Bits> {
        Some(self)
    }

    fn invalidations(&self) -> Option<&dyn Invalidations> {
        self.plan.tracking.as_ref().map(|_| self as _)
    }
}

impl Invalidations for Redis {
    fn subscribe(&self, sink: Arc<dyn Sink>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let Some(tracking) = &self.plan.tracking else {
                return Err(Error::unsupported(
                    "subscribe",
                    NAME,
                    "it was opened without `client_side=1`",
                ));
            };
            tracking.add(sink);
            // A connection that is up tracks already; one that is made tracks before it answers.
            self.ask("subscribe", ::redis::cmd("PING")).await?;
            Ok(())
        })
    }
}
