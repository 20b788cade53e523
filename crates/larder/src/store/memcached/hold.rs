//! Locks: an item that is added if there is none, and compared by version after.

use std::time::Duration;

use super::Memcached;
use super::generations::millis;
use super::group::{Group, TRIES, refused};
use super::item;
use super::link::Failure;
use super::names::{Kind, name};
use super::wire::Answer;
use crate::store::{Acquired, Locks, StoreFuture};

impl Locks for Memcached {
    fn acquire<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> StoreFuture<'a, Acquired> {
        self.answer("lock", self.group.acquire(name, owner, ttl))
    }

    fn renew<'a>(&'a self, name: &'a str, owner: &'a str, ttl: Duration) -> StoreFuture<'a, bool> {
        self.answer("renew", self.group.renew(name, owner, ttl))
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> StoreFuture<'a, bool> {
        self.answer("release", self.group.release(name, owner))
    }

    fn held<'a>(&'a self, name: &'a str) -> StoreFuture<'a, Option<Duration>> {
        self.answer("held", self.group.held(name))
    }
}

impl Group {
    async fn acquire(&self, lock: &str, owner: &str, ttl: Duration) -> Result<Acquired, Failure> {
        let (server, name) = (self.server(lock), name(Kind::Lock, "", lock));
        let ttl = seconds(ttl);
        for _ in 0..TRIES {
            let (generations, answers) = self
                .trip(server, |_, exchange| {
                    let flags = format_args!("ME T{ttl} c");
                    exchange.set(&name, owner.as_bytes(), &[], flags);
                    exchange.get(&name, format_args!("v c t"));
                })
                .await?;
            let [added, found] = &*answers else { continue };
            refused(added, owner.len(), self.item_limit)?;
            if added.done() {
                return Ok(Acquired::Held {
                    fence: generations.fence(added.cas),
                });
            }
            if !found.done() {
                // Its time was over in between.
                continue;
            }
            if found.body != owner.as_bytes() {
                return Ok(Acquired::Taken { left: left(found) });
            }
            if let Some(cas) = self.set_again(server, lock, owner, ttl, found.cas).await? {
                return Ok(Acquired::Held {
                    fence: generations.fence(cas),
                });
            }
        }
        Err(self.contended(server))
    }

    async fn renew(&self, lock: &str, owner: &str, ttl: Duration) -> Result<bool, Failure> {
        let server = self.server(lock);
        for _ in 0..TRIES {
            let found = self.look(server, lock).await?;
            if !found.done() || found.body != owner.as_bytes() {
                return Ok(false);
            }
            let set = self.set_again(server, lock, owner, seconds(ttl), found.cas);
            if set.await?.is_some() {
                return Ok(true);
            }
        }
        Err(self.contended(server))
    }

    async fn release(&self, lock: &str, owner: &str) -> Result<bool, Failure> {
        let (server, name) = (self.server(lock), name(Kind::Lock, "", lock));
        for _ in 0..TRIES {
            let found = self.look(server, lock).await?;
            if !found.done() || found.body != owner.as_bytes() {
                return Ok(false);
            }
            let cas = found.cas;
            let (_, answers) = self
                .trip(server, |_, exchange| {
                    exchange.delete(&name, format_args!("C{cas}"));
                })
                .await?;
            if answers[0].done() {
                return Ok(true);
            }
        }
        Err(self.contended(server))
    }

    async fn held(&self, lock: &str) -> Result<Option<Duration>, Failure> {
        let found = self.look(self.server(lock), lock).await?;
        Ok(found.done().then(|| left(&found)))
    }

    async fn look(&self, server: usize, lock: &str) -> Result<Answer, Failure> {
        let name = name(Kind::Lock, "", lock);
        let (_, mut answers) = self
            .trip(server, |_, exchange| {
                exchange.get(&name, format_args!("v c t"));
            })
            .await?;
        Ok(answers.remove(0))
    }

    /// Starts the time of a lock anew if it has this version; its new version then.
    async fn set_again(
        &self,
        server: usize,
        lock: &str,
        owner: &str,
        ttl: u64,
        cas: u64,
    ) -> Result<Option<u64>, Failure> {
        let name = name(Kind::Lock, "", lock);
        let (_, answers) = self
            .trip(server, |_, exchange| {
                let flags = format_args!("C{cas} T{ttl} c");
                exchange.set(&name, owner.as_bytes(), &[], flags);
            })
            .await?;
        refused(&answers[0], owner.len(), self.item_limit)?;
        Ok(answers[0].done().then_some(answers[0].cas))
    }
}

/// A lock must not end before its time, and memcached's clock ticks once a second: one for a part of a second, one for the tick.
fn seconds(ttl: Duration) -> u64 {
    item::ttl(ttl.as_secs().saturating_add(2), millis())
}

/// What is left at most: memcached's clock is never ahead of the time.
fn left(found: &Answer) -> Duration {
    match u64::try_from(found.ttl) {
        Ok(seconds) => Duration::from_secs(seconds.max(1)),
        Err(_) => Duration::MAX,
    }
}
