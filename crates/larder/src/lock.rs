//! Locks by name with an owner and an end.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use crate::key::Key;
use crate::runtime::Timestamp;

mod holder;

pub(crate) use holder::{Holder, NotTaken, Taken, locks_of};

#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    held: HashMap<Key, Held, RandomState>,
    /// The last number. One for all names: it grows for each, also for one that was forgotten meanwhile.
    fence: u64,
    /// One count for all who wait, of whatever lock.
    waiters: u64,
}

#[derive(Debug)]
struct Held {
    owner: u64,
    until: Timestamp,
    /// By number, so that they are woken in the order in which they came.
    waiting: BTreeMap<u64, Waker>,
}

/// Why a lock was not taken: it is held until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldUntil(pub(crate) Timestamp);

impl Locks {
    /// Takes a free or expired lock; its fencing number.
    ///
    /// `floor` is the time of day in microseconds: numbers go on growing when the process starts anew.
    pub(crate) fn take(
        &self,
        key: &Key,
        owner: u64,
        (now, floor): (Timestamp, u64),
        until: Timestamp,
    ) -> Result<u64, HeldUntil> {
        let mut table = self.0.lock();
        let Table {
            held: locks, fence, ..
        } = &mut *table;
        match locks.get(key) {
            Some(held) if held.until > now => return Err(HeldUntil(held.until)),
            _ => {}
        }
        *fence = floor.max(*fence + 1);
        let fence = *fence;
        // The waiting ones of an expired lock go with it: they look again at its end by themselves.
        let before = locks.insert(
            key.clone(),
            Held {
                owner,
                until,
                waiting: BTreeMap::new(),
            },
        );
        // Whoever forgets to give locks back pays for the clean-up now and then.
        let expired: Vec<_> = if locks.len().is_power_of_two() {
            locks.extract_if(|_, held| held.until <= now).collect()
        } else {
            Vec::new()
        };
        // Wakers are foreign code, their drop too: never under the lock.
        drop(table);
        wake(before);
        drop(expired);
        Ok(fence)
    }

    /// Gives a lock back; false when the owner does not hold it any more.
    pub(crate) fn release(&self, key: &Key, owner: u64, now: Timestamp) -> bool {
        let mut table = self.0.lock();
        if !table
            .held
            .get(key)
            .is_some_and(|held| held.owner == owner && held.until > now)
        {
            return false;
        }
        let held = table.held.remove(key);
        drop(table);
        wake(held);
        true
    }

    /// Moves the end of a lock that the owner still holds.
    pub(crate) fn renew(&self, key: &Key, owner: u64, now: Timestamp, until: Timestamp) -> bool {
        let mut table = self.0.lock();
        match table.held.get_mut(key) {
            Some(held) if held.owner == owner && held.until > now => {
                held.until = until;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn is_held(&self, key: &Key, now: Timestamp) -> bool {
        let table = self.0.lock();
        table.held.get(key).is_some_and(|held| held.until > now)
    }

    pub(crate) fn is_held_by(&self, key: &Key, owner: u64, now: Timestamp) -> bool {
        let table = self.0.lock();
        table
            .held
            .get(key)
            .is_some_and(|held| held.owner == owner && held.until > now)
    }

    /// Resolves when the lock was given back since.
    pub(crate) fn released<'a>(&'a self, key: &'a Key) -> Released<'a> {
        Released {
            locks: self,
            key,
            number: None,
        }
    }
}

fn wake(held: Option<Held>) {
    held.into_iter()
        .flat_map(|held| held.waiting.into_values())
        .for_each(Waker::wake);
}

/// Waits for a lock to be given back. Dropped, it waits no more.
#[derive(Debug)]
pub(crate) struct Released<'a> {
    locks: &'a Locks,
    key: &'a Key,
    /// The one it is noted under.
    number: Option<u64>,
}

impl Future for Released<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        let mut table = self.locks.0.lock();
        let Table { held, waiters, .. } = &mut *table;
        let Some(held) = held.get_mut(self.key) else {
            return Poll::Ready(());
        };
        let before = match self.number {
            None => {
                *waiters += 1;
                self.number = Some(*waiters);
                held.waiting.insert(*waiters, waker)
            }
            Some(number) => match held.waiting.get_mut(&number) {
                Some(noted) => Some(std::mem::replace(noted, waker)),
                // Woken by the release of whom it was noted with, whoever holds it now.
                None => return Poll::Ready(()),
            },
        };
        drop(table);
        drop(before);
        Poll::Pending
    }
}

impl Drop for Released<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut table = self.locks.0.lock();
        let held = table.held.get_mut(self.key);
        let waker = held.and_then(|held| held.waiting.remove(&number));
        drop(table);
        drop(waker);
    }
}
