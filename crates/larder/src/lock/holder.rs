//! Taking, renewing and giving back one lock, wherever the cache has its locks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{HeldUntil, Locks};
use crate::error::{Error, ErrorKind, Result};
use crate::guard::Ground;
use crate::key::Key;
use crate::runtime::{Runtime, Task, Timestamp};
use crate::store::wait::within;
use crate::store::{self, Acquired, Store};

/// How long who waits for a lock of a store pauses at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(250)];

/// One that takes a lock under a name of its own.
#[derive(Clone)]
pub(crate) struct Holder {
    ground: Arc<dyn Ground>,
    key: Key,
    owner: u64,
    ttl: Duration,
}

/// A lock that was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Larger than that of every earlier holder.
    pub(crate) fence: u64,
    /// From before it was asked for: here the lock never seems to be held for longer than there.
    pub(crate) until: Timestamp,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    /// Another holds it, for at most this long if it is not renewed.
    Held(Duration),
    /// The store could not be asked.
    Failed(Error),
}

/// Where the locks are.
enum Place<'a> {
    Here(&'a Locks),
    There(&'a dyn store::Locks),
}

/// The locks of a cache's store; `None` when the cache has no store.
pub(crate) fn locks_of<'a>(
    store: Option<&'a Arc<dyn Store>>,
    operation: &'static str,
) -> Result<Option<&'a dyn store::Locks>> {
    let Some(store) = store else {
        return Ok(None);
    };
    let unsupported = || Error::unsupported(operation, store.name(), "it has no locks");
    store.locks().map(Some).ok_or_else(unsupported)
}

impl Holder {
    pub(crate) fn new(ground: Arc<dyn Ground>, key: Key, ttl: Duration) -> Self {
        let owner = ground.runtime().random() | 1;
        Self {
            ground,
            key,
            owner,
            ttl,
        }
    }

    /// One that gives back what was taken by this owner.
    pub(crate) fn of(ground: Arc<dyn Ground>, key: Key, owner: u64) -> Self {
        let ttl = Duration::from_secs(10);
        Self {
            ground,
            key,
            owner,
            ttl,
        }
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn owner(&self) -> u64 {
        self.owner
    }

    pub(crate) fn ttl(&self) -> Duration {
        self.ttl
    }

    fn runtime(&self) -> &dyn Runtime {
        &**self.ground.runtime()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.runtime().clock().now()
    }

    /// How stores know the owner.
    fn name(&self) -> String {
        format!("{:016x}", self.owner)
    }

    fn place(&self, operation: &'static str) -> Result<Place<'_>> {
        let there = locks_of(self.ground.store(), operation)?;
        Ok(there.map_or(Place::Here(self.ground.locks()), Place::There))
    }

    /// Takes the lock, and waits until then for one that is held.
    ///
    /// # Cancellation
    /// What a store may have given to a caller that went away is given back behind.
    pub(crate) async fn take(&self, until: Option<Timestamp>) -> Result<Taken, NotTaken> {
        match self.place("lock").map_err(NotTaken::Failed)? {
            Place::Here(locks) => self.take_here(locks, until).await,
            Place::There(locks) => self.take_there(locks, until).await,
        }
    }

    async fn take_here(&self, locks: &Locks, until: Option<Timestamp>) -> Result<Taken, NotTaken> {
        loop {
            let now = self.now();
            let end = now.after(self.ttl);
            let floor = self.runtime().clock().unix_micros();
            let held = match locks.take(&self.key, self.owner, (now, floor), end) {
                Ok(fence) => return Ok(Taken { fence, until: end }),
                Err(HeldUntil(held)) => held,
            };
            let Some(until) = until.filter(|until| now < *until) else {
                return Err(NotTaken::Held(held.since(now)));
            };
            let wait = until.min(held).since(now);
            let released = locks.released(&self.key);
            within(self.runtime().sleep(wait), released).await;
        }
    }

    /// A store tells nobody when a lock is given back: it is asked again after a growing pause.
    async fn take_there(
        &self,
        locks: &dyn store::Locks,
        until: Option<Timestamp>,
    ) -> Result<Taken, NotTaken> {
        let name = self.name();
        let mut doubt = Doubt::new(self);
        let mut pause = PAUSES[0];
        let mut held: Option<Timestamp> = None;
        loop {
            let asked = self.now();
            doubt.is_open = true;
            let acquired = locks.acquire(self.key.as_str(), &name, self.ttl);
            let failed = match self.bounded("lock", acquired).await {
                Ok(Acquired::Held { fence }) => {
                    doubt.is_open = false;
                    let until = asked.after(self.ttl);
                    return Ok(Taken { fence, until });
                }
                Ok(Acquired::Taken { left }) => {
                    doubt.is_open = false;
                    held = Some(self.now().after(left));
                    None
                }
                Err(error) => Some(error),
            };
            let now = self.now();
            let left = held.map_or(Duration::ZERO, |end| end.since(now));
            // A store that cannot be asked while another is known to hold the lock says nothing new.
            if let Some(error) = failed.filter(|_| left.is_zero()) {
                return Err(NotTaken::Failed(error));
            }
            let Some(until) = until.filter(|until| now < *until) else {
                return Err(NotTaken::Held(left));
            };
            let wait = self.jittered(pause).min(until.since(now));
            let wait = wait.min(left.max(Duration::from_millis(1)));
            self.runtime().sleep(wait).await;
            pause = (pause * 2).min(PAUSES[1]);
        }
    }

    /// Between a half and all of it, so that those who began to wait together do not ask together.
    fn jittered(&self, pause: Duration) -> Duration {
        let half = pause / 2;
        let more = self.runtime().random() % (crate::runtime::nanos(half) + 1);
        half + Duration::from_nanos(more)
    }

    /// No answer of a store is worth more time than the lock itself has.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let late = || Error::new(ErrorKind::Timeout, operation, "no answer from the store");
        let limit = self.runtime().sleep(self.ttl);
        within(limit, answer).await.unwrap_or_else(|| Err(late()))
    }

    /// Starts the time of the lock anew; until when it is held, or `None` when it was lost.
    pub(crate) async fn renew(&self) -> Result<Option<Timestamp>> {
        let now = self.now();
        let end = now.after(self.ttl);
        let renewed = match self.place("renew")? {
            Place::Here(locks) => locks.renew(&self.key, self.owner, now, end),
            Place::There(locks) => {
                let name = self.name();
                let renewed = locks.renew(self.key.as_str(), &name, self.ttl);
                self.bounded("renew", renewed).await?
            }
        };
        Ok(renewed.then_some(end))
    }

    /// Gives the lock back; false when it is not held any more.
    pub(crate) async fn release(&self) -> Result<bool> {
        match self.place("unlock")? {
            Place::Here(locks) => Ok(locks.release(&self.key, self.owner, self.now())),
            Place::There(locks) => {
                let name = self.name();
                let released = locks.release(self.key.as_str(), &name);
                self.bounded("unlock", released).await
            }
        }
    }

    /// Gives the lock back at once, if it is one of this process.
    pub(crate) fn release_here(&self) -> Option<bool> {
        let Ok(Place::Here(locks)) = self.place("unlock") else {
            return None;
        };
        Some(locks.release(&self.key, self.owner, self.now()))
    }

    /// Gives the lock back from where nobody can wait: at once in this process, else behind. Until the word has come there, the lock's own end bounds it.
    pub(crate) fn let_go(&self) {
        if self.release_here().is_none() {
            let own = self.clone();
            let chore = async move { drop(own.release().await) };
            self.runtime().spawn(Task::Chore(Box::pin(chore)));
        }
    }

    /// Whether it is held, by the lock's own time in this process, by what was promised of a store.
    pub(crate) fn is_held(&self, promised: Timestamp) -> bool {
        let now = self.now();
        match self.place("lock") {
            Ok(Place::Here(locks)) => locks.is_held_by(&self.key, self.owner, now),
            _ => now < promised,
        }
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Whether a store may have given the lock without our having heard of it.
struct Doubt<'a> {
    holder: &'a Holder,
    is_open: bool,
}

impl<'a> Doubt<'a> {
    fn new(holder: &'a Holder) -> Self {
        Self {
            holder,
            is_open: false,
        }
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.holder.let_go();
        }
    }
}
