//! What a guarded store, its operations and its probe share.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::Knobs;
use super::breaker::{Breaker, BreakerState, Failure};
use super::gate::Gate;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::{Runtime, Task};
use crate::store::owed::{Batch, Because, Item, Owed};
use crate::store::wait::within;
use crate::store::{Notice, Notices, Removal, Store};

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) knobs: Knobs,
    pub(super) notices: Arc<dyn Notices>,
    pub(super) breaker: Mutex<Breaker>,
    owed: Mutex<Owed>,
    /// How many are owed, to be read without the lock.
    debt: AtomicUsize,
    gate: Gate,
    /// One at a time removes what is owed.
    settling: Gate,
    pub(super) is_closed: AtomicBool,
    itself: Weak<Self>,
}

/// What is left behind by an operation that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It was never sent.
    Unsent,
    /// It was sent, and nobody knows whether it arrived.
    InDoubt,
    /// As that, and whoever asked went away.
    Dropped,
}

/// Why an operation gave nothing.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) error: Error,
    /// What it leaves behind will be removed.
    pub(super) is_remembered: bool,
}

impl Inner {
    pub(super) fn new(
        store: Arc<dyn Store>,
        runtime: Arc<dyn Runtime>,
        knobs: Knobs,
        notices: Arc<dyn Notices>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|itself| Self {
            store,
            runtime,
            breaker: Mutex::new(Breaker::new()),
            owed: Mutex::new(Owed::new(knobs.remembered)),
            debt: AtomicUsize::new(0),
            gate: Gate::new(knobs.in_flight),
            settling: Gate::new(1),
            is_closed: AtomicBool::new(false),
            itself: Weak::clone(itself),
            knobs,
            notices,
        })
    }

    pub(super) fn tell(&self, what: Notice<'_>) {
        self.notices.notice(self.store.name(), what);
    }

    pub(super) fn owed(&self) -> usize {
        self.debt.load(Ordering::Acquire)
    }

    /// One operation within its limit: at the breaker, behind what is owed, in its turn.
    pub(super) async fn run<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        stake: impl Fn(Left) -> Vec<(Item, Because)>,
        operate: impl Future<Output = Result<T>>,
    ) -> Result<T, Lost> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(self.lost(Error::new(
                ErrorKind::Closed,
                operation,
                "the store is closed",
            )));
        }
        let mut left = LeftBehind {
            inner: self,
            stake,
            left: Left::Unsent,
            is_open: true,
        };
        if self.breaker.lock().state() != BreakerState::Closed {
            return Err(left.unsent(self.refusal(operation)));
        }
        let stage = &mut left.left;
        let outcome = within(self.runtime.sleep(limit), async {
            let _place = self.gate.enter().await;
            self.settle().await.map_err(Outcome::Unsettled)?;
            *stage = Left::Dropped;
            operate.await.map_err(Outcome::Failed)
        })
        .await;
        match outcome {
            Some(Ok(value)) => {
                left.is_open = false;
                self.breaker.lock().success();
                Ok(value)
            }
            Some(Err(Outcome::Failed(error))) => Err(self.failed(operation, error, left)),
            Some(Err(Outcome::Unsettled(error))) => {
                self.trip();
                Err(left.unsent(error))
            }
            None => Err(self.timed_out(operation, limit, left)),
        }
    }

    fn refusal(&self, operation: &'static str) -> Error {
        Error::unavailable(
            operation,
            self.store.name(),
            "its breaker is open after too many failures: it is asked again by itself, try later",
        )
    }

    fn lost(&self, error: Error) -> Lost {
        Lost {
            error,
            is_remembered: false,
        }
    }

    fn failed<S: Fn(Left) -> Vec<(Item, Because)>>(
        &self,
        operation: &'static str,
        error: Error,
        mut left: LeftBehind<'_, S>,
    ) -> Lost {
        let how = match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Timeout => Failure::Unreachable,
            ErrorKind::Store => Failure::Answered,
            // It did answer, and what it says is about the question.
            _ => {
                left.is_open = false;
                self.breaker.lock().success();
                return self.lost(error);
            }
        };
        self.tell(Notice::Failed {
            operation,
            error: &error,
        });
        let is_remembered = left.remember(Left::InDoubt);
        self.failure(how);
        Lost {
            error,
            is_remembered,
        }
    }

    fn timed_out<S: Fn(Left) -> Vec<(Item, Because)>>(
        &self,
        operation: &'static str,
        limit: Duration,
        mut left: LeftBehind<'_, S>,
    ) -> Lost {
        self.tell(Notice::TimedOut { operation, limit });
        let message = format!("{} did not answer within {limit:?}", self.store.name());
        let error = Error::new(ErrorKind::Timeout, operation, message);
        let sent = match left.left {
            Left::Unsent => Left::Unsent,
            Left::InDoubt | Left::Dropped => Left::InDoubt,
        };
        let is_remembered = left.remember(sent);
        self.failure(Failure::Unreachable);
        Lost {
            error,
            is_remembered,
        }
    }

    fn failure(&self, how: Failure) {
        let opened = self.breaker.lock().failure(how, &self.knobs);
        if let Some(span) = opened {
            self.opened(span);
        }
    }

    /// Opens at once: what is owed cannot be removed.
    fn trip(&self) {
        let mut breaker = self.breaker.lock();
        let span = (breaker.state() == BreakerState::Closed).then(|| breaker.open(&self.knobs));
        drop(breaker);
        if let Some(span) = span {
            self.opened(span);
        }
    }

    fn opened(&self, span: Duration) {
        self.tell(Notice::Opened { wait: span });
        if let Some(inner) = self.itself.upgrade() {
            super::probe::spawn(&inner, span);
        }
    }

    /// Remembers what is to be removed; false when nothing may be remembered.
    pub(super) fn remember(&self, items: Vec<(Item, Because)>) -> bool {
        if items.is_empty() || self.knobs.remembered == 0 {
            return false;
        }
        let now = self.runtime.clock().now();
        let until = now.after(self.knobs.remember);
        let mut owed = self.owed.lock();
        let expired = owed.expire(now);
        let mut collapsed = Vec::new();
        for (item, because) in items {
            collapsed.push(owed.add([item], because, until));
        }
        let count = owed.len();
        self.debt.store(count, Ordering::Release);
        drop(owed);
        self.tell_expired(expired);
        for collapsed in collapsed {
            for prefix in &collapsed.into {
                self.tell(Notice::RemovalsCollapsed {
                    count: collapsed.count,
                    prefix,
                });
            }
        }
        self.tell(Notice::RemovalRemembered { owed: count });
        true
    }

    fn tell_expired(&self, count: usize) {
        if count > 0 {
            self.tell(Notice::RemovalsLost {
                count,
                why: "the store could not be reached for too long",
            });
        }
    }

    /// Removes all that is owed.
    pub(super) async fn settle(&self) -> Result<()> {
        if self.owed() == 0 {
            return Ok(());
        }
        let _alone = self.settling.enter().await;
        while let Some(batch) = self.next_owed() {
            let refused = self.apply(&batch).await?;
            let mut owed = self.owed.lock();
            owed.paid(&batch);
            self.debt.store(owed.len(), Ordering::Release);
            drop(owed);
            let count = batch.0.len() - refused;
            self.tell(Notice::RemovalsApplied { count });
            self.once_more(batch);
        }
        Ok(())
    }

    fn next_owed(&self) -> Option<Batch> {
        let mut owed = self.owed.lock();
        let expired = owed.expire(self.runtime.clock().now());
        self.debt.store(owed.len(), Ordering::Release);
        let batch = owed.batch();
        drop(owed);
        self.tell_expired(expired);
        batch
    }

    /// How many the store cannot do at all.
    async fn apply(&self, batch: &Batch) -> Result<usize> {
        let (mut keys, mut tags, mut refused) = (Vec::new(), Vec::new(), 0);
        for (item, ..) in &batch.0 {
            let done = match item {
                Item::Key(key) => {
                    keys.push(&**key);
                    continue;
                }
                Item::Tag(tag) => {
                    tags.push(&**tag);
                    continue;
                }
                Item::Prefix(prefix) => self.store.remove(&Removal::Prefix(prefix)).await,
                Item::Pattern(prefix, pattern) => {
                    self.store
                        .remove(&Removal::Pattern { prefix, pattern })
                        .await
                }
            };
            refused += usize::from(self.is_refused(done)?);
        }
        if !keys.is_empty() {
            let done = self.store.remove(&Removal::Keys(&keys)).await;
            refused += if self.is_refused(done)? {
                keys.len()
            } else {
                0
            };
        }
        if !tags.is_empty() {
            let done = self.store.forget_tags(&tags).await;
            refused += if self.is_refused(done)? {
                tags.len()
            } else {
                0
            };
        }
        if refused > 0 {
            self.tell(Notice::RemovalsLost {
                count: refused,
                why: "the store cannot do it",
            });
        }
        Ok(refused)
    }

    /// An error that will not pass: trying again would keep the store closed for ever.
    fn is_refused<T>(&self, done: Result<T>) -> Result<bool> {
        match done {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// A write that nobody heard of again may arrive after the removal: removes it again when it should have.
    fn once_more(&self, batch: Batch) {
        let in_doubt = batch.0.into_iter();
        let in_doubt = in_doubt.filter(|(.., because)| *because == Because::InDoubt);
        let items: Vec<_> = in_doubt
            .map(|(item, ..)| (item, Because::Removed))
            .collect();
        if items.is_empty() {
            return;
        }
        let (inner, sleep) = (
            Weak::clone(&self.itself),
            self.runtime.sleep(self.knobs.again),
        );
        self.runtime.spawn(Task::Chore(Box::pin(async move {
            sleep.await;
            if let Some(inner) = inner.upgrade()
                && !inner.is_closed.load(Ordering::Acquire)
            {
                inner.remember(items);
                inner.settle_apart().await;
            }
        })));
    }

    /// Settles without an operation that waits for it.
    async fn settle_apart(&self) {
        if self.breaker.lock().state() != BreakerState::Closed {
            return;
        }
        let limit = self.runtime.sleep(self.knobs.sweep);
        if !matches!(within(limit, self.settle()).await, Some(Ok(()))) {
            self.trip();
        }
    }
}

enum Outcome {
    Unsettled(Error),
    Failed(Error),
}

/// Remembers, however the operation ends, what it leaves behind.
struct LeftBehind<'a, S: Fn(Left) -> Vec<(Item, Because)>> {
    inner: &'a Inner,
    stake: S,
    /// What it would be if the caller went away now.
    left: Left,
    is_open: bool,
}

impl<S: Fn(Left) -> Vec<(Item, Because)>> LeftBehind<'_, S> {
    fn remember(&mut self, left: Left) -> bool {
        self.is_open = false;
        self.inner.remember((self.stake)(left))
    }

    fn unsent(mut self, error: Error) -> Lost {
        let is_remembered = self.remember(Left::Unsent);
        Lost {
            error,
            is_remembered,
        }
    }
}

impl<S: Fn(Left) -> Vec<(Item, Because)>> Drop for LeftBehind<'_, S> {
    fn drop(&mut self) {
        if self.is_open && self.left == Left::Dropped {
            self.inner.remember((self.stake)(Left::Dropped));
        }
    }
}
