//! The locks of a transaction.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::cache::Cache;
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Ground;
use crate::key::Key;
use crate::lock::{Holder, Locks, NotTaken};
use crate::overlay::Gate;
use crate::runtime::{BoxFuture, Timestamp};

/// For how long a lock is held beyond the time limit: the commit is not bounded by it.
const GRACE: Duration = Duration::from_secs(10);

/// Whose turn it is to take a lock.
const TURN: &str = "turn";

/// The locks of an outermost transaction and of all inside it, held until its end.
#[derive(Debug)]
pub(super) struct Held {
    cache: Cache,
    /// When the outermost one has to begin its commit.
    until: Timestamp,
    turns: Locks,
    locks: Mutex<Vec<Holder>>,
}

/// Takes locks for one transaction, as long as that may wait.
#[derive(Debug)]
pub(super) struct KeyGate {
    pub(super) held: Arc<Held>,
    pub(super) until: Timestamp,
    pub(super) limit: Duration,
}

impl Gate for KeyGate {
    fn lock<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let inner = &self.held.cache.inner;
            let (prefix, bare) = (&inner.prefix, inner.bare(key.as_str()));
            let name = Key::from(format!("{prefix}@transaction:{bare}"));
            let taken = self.held.take(name, self.until, self.limit).await;
            taken.map_err(|error| error.at(key))
        })
    }
}

/// It is one task's turn to take a lock while it lives: two that take the same one would wait for each other.
struct Turn<'a> {
    held: &'a Held,
    owner: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let now = self.held.cache.inner.clock.now();
        self.held.turns.release(&Key::from(TURN), self.owner, now);
    }
}

impl Held {
    pub(super) fn new(cache: &Cache, until: Timestamp) -> Self {
        Self {
            cache: cache.clone(),
            until,
            turns: Locks::default(),
            locks: Mutex::default(),
        }
    }

    /// When the outermost transaction has to begin its commit.
    pub(super) fn until(&self) -> Timestamp {
        self.until
    }

    /// Takes the one lock of all serializable transactions.
    ///
    /// # Errors
    /// When another holds it until `until`.
    pub(super) async fn take_all(&self, until: Timestamp, limit: Duration) -> Result<()> {
        let name = format!("{}@transaction", self.cache.inner.prefix);
        self.take(Key::from(name), until, limit).await
    }

    async fn take(&self, name: Key, until: Timestamp, limit: Duration) -> Result<()> {
        let _turn = self.turn().await;
        let (is_held, in_order) = {
            let locks = self.locks.lock();
            let is_held = locks.iter().any(|held| *held.key() == name);
            (is_held, locks.iter().all(|held| *held.key() < name))
        };
        if is_held {
            return Ok(());
        }
        let now = self.cache.inner.clock.now();
        let left = until.since(now);
        // Of those that wait in a circle, one waits out of order.
        let patience = if in_order { left } else { left.min(limit / 10) };
        if patience.is_zero() {
            return Err(late(limit));
        }
        let ground: Arc<dyn Ground> = Arc::clone(&self.cache.inner) as _;
        let holder = Holder::new(ground, name, self.until.since(now) + GRACE);
        match holder.take(Some(now.after(patience))).await {
            Ok(_) => {
                self.locks.lock().push(holder);
                Ok(())
            }
            Err(NotTaken::Held(_)) => Err(refused(in_order)),
            Err(NotTaken::Failed(error)) => Err(error.during("transaction")),
        }
    }

    async fn turn(&self) -> Turn<'_> {
        let inner = &self.cache.inner;
        let (turn, owner) = (Key::from(TURN), inner.runtime.random());
        loop {
            let now = inner.clock.now();
            if self
                .turns
                .take(&turn, owner, (now, 0), Timestamp::NEVER)
                .is_ok()
            {
                return Turn { held: self, owner };
            }
            self.turns.released(&turn).await;
        }
    }

    /// Starts the time of all locks anew, for the commit.
    ///
    /// # Errors
    /// When one is not held any more.
    pub(super) async fn renew(&self) -> Result<()> {
        let locks: Vec<Holder> = self.locks.lock().clone();
        for lock in &locks {
            let renewed = lock.renew().await;
            if renewed.map_err(|error| error.during("commit"))?.is_none() {
                return Err(lost(lock.key()));
            }
        }
        Ok(())
    }

    /// Gives all locks back.
    pub(super) async fn give_back(&self) {
        // Taken out one by one: what is left when this is dropped is given back behind.
        loop {
            let Some(lock) = self.locks.lock().last().cloned() else {
                return;
            };
            // One that cannot be given back ends by itself.
            drop(lock.release().await);
            self.locks.lock().pop();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.locks.get_mut().iter().for_each(Holder::let_go);
    }
}

/// The time limit has passed.
pub(super) fn late(limit: Duration) -> Error {
    let message = format!(
        "it took longer than {limit:?} and is rolled back: do less in it, or give it more time with `timeout`"
    );
    Error::new(ErrorKind::Timeout, "transaction", message)
}

fn refused(in_order: bool) -> Error {
    let message = if in_order {
        "another transaction holds the lock: run this one again, or give it more time with `timeout`"
    } else {
        "another transaction holds the lock, and may be waiting for one of this one's: run this one again, and use keys in one order everywhere (ascending is never refused early)"
    };
    Error::new(ErrorKind::Conflict, "transaction", message)
}

fn lost(name: &Key) -> Error {
    let message = "its lock was lost before the commit, so others may have written: run it again";
    Error::new(ErrorKind::Conflict, "commit", message).at(name)
}
