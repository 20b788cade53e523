//! Loads that run behind their readers: bounded in number and time, at most one per key, never lost silently.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use super::errand::Errand;
use super::{Lead, Site};
use crate::cache::{Cache, Permit};
use crate::event::Event;
use crate::key::KeyBuf;
use crate::policy::Verdict;
use crate::runtime::Task;
use crate::scope;
use crate::stats::Counter;
use crate::switch::Operations;

/// How a load came about, and with which rights it runs.
#[derive(Debug)]
pub enum Mode {
    /// A call that missed.
    Foreground,
    /// A reload behind a reader.
    Background(Box<Behind>),
    /// The one of many readers of a stale entry that reloads it itself, because its source cannot be run behind.
    Claimed(Box<Behind>),
    /// A reload that was asked for.
    Refresh,
    /// `#[cache_put]`: always computes and stores.
    Put,
}

/// The rights of a reload behind a reader: it leads the key's flight and holds a place among the loads behind.
#[derive(Debug)]
pub struct Behind {
    pub(super) lead: Lead,
    /// Set when the load took too long: what is left of the task can go. `None` on a thread, which cannot be left in the middle.
    pub(super) given_up: Option<Arc<AtomicBool>>,
    /// `None` while its caller waits for it.
    pub(super) _permit: Option<Permit>,
}

impl Behind {
    /// Whether its caller waits for it: the same call, which has asked and told before.
    pub(super) fn is_waited_for(&self) -> bool {
        self._permit.is_none()
    }
}

/// The right to start a reload behind.
pub struct Ticket {
    cache: Cache,
    /// Boxed: every hit makes room for a ticket, few have one.
    behind: Box<Behind>,
    /// For a load whose caller waits: where its output goes.
    errand: Option<Arc<dyn Any + Send + Sync>>,
}

impl Ticket {
    /// `None` when the key is being loaded already, or when too many loads run behind.
    pub(super) fn take(cache: &Cache, site: &'static Site, key: &KeyBuf) -> Option<Self> {
        let inner = &cache.inner;
        let ticket = Self::take_unseen(cache, site, key)?;
        // The reader may have seen the entry before another's reload replaced it.
        let slot = inner.memory.peek(key)?;
        (slot.verdict(inner.clock.now()) != Verdict::Fresh).then_some(ticket)
    }

    /// [`take`](Self::take) for an entry that memory need not hold.
    pub(crate) fn take_unseen(cache: &Cache, site: &'static Site, key: &KeyBuf) -> Option<Self> {
        let inner = &cache.inner;
        let key = key.to_key();
        if inner.leases.is_loading(&key) || inner.is_off(Operations::WRITE) {
            return None;
        }
        let Some(permit) = Permit::take(inner) else {
            inner.stats.add(Counter::RefreshesRefused, 1);
            site.counters.add(Counter::RefreshesRefused, 1);
            inner.tell(|| Event::RefreshRefused { key: key.as_str() });
            return None;
        };
        let (lease, flight) = inner.leases.lead_if_idle(&key, inner.tags.epoch())?;
        flight.go_behind();
        let lead = Lead::new(inner, lease, flight);
        Some(Self {
            cache: cache.clone(),
            behind: Box::new(Behind {
                lead,
                given_up: None,
                _permit: Some(permit),
            }),
            errand: None,
        })
    }

    /// The right to load for a caller that waits and may leave.
    pub(super) fn of_lead(lead: Lead) -> Self {
        let cache = Cache::of(Arc::clone(&lead.inner));
        Self {
            cache,
            behind: Box::new(Behind {
                lead,
                given_up: None,
                _permit: None,
            }),
            errand: None,
        }
    }

    pub(super) fn on_errand(self, errand: Arc<dyn Any + Send + Sync>) -> Self {
        Self {
            errand: Some(errand),
            ..self
        }
    }

    /// Reloads with an async source.
    pub fn run<F, R>(mut self, reload: impl FnOnce(Cache, Mode) -> F)
    where
        F: Future<Output = R> + Send + 'static,
        R: Send + 'static,
    {
        if let Some(errand) = self.errand.take().and_then(Errand::<R>::of) {
            let mode = Mode::Background(self.behind);
            return errand.take_on(reload(self.cache, mode));
        }
        let given_up = Arc::new(AtomicBool::new(false));
        self.behind.given_up = Some(Arc::clone(&given_up));
        let (cache, mode) = self.start();
        let inner = Arc::clone(&cache.inner);
        let reader = scope::Context::here();
        let mut task = Box::pin(reload(cache, mode));
        let task = std::future::poll_fn(move |context| {
            match reader.enter(|| task.as_mut().poll(context)) {
                Poll::Pending if given_up.load(Ordering::Relaxed) => Poll::Ready(()),
                polled => polled.map(drop),
            }
        });
        inner.runtime.spawn(Task::Load(Box::pin(task)));
    }

    /// Reloads with a sync source.
    pub fn run_blocking<R>(mut self, reload: impl FnOnce(Cache, Mode) -> R + Send + 'static)
    where
        R: Send + 'static,
    {
        if let Some(errand) = self.errand.take().and_then(Errand::<R>::of) {
            let (cache, mode) = (self.cache, Mode::Background(self.behind));
            let inner = cache.inner.clone();
            // It is the caller's own load, and the caller waits: what holds for it holds for the load.
            let scope = scope::Along::new();
            let job = errand.take_on_blocking(move || scope.run(|| reload(cache, mode)));
            inner.runtime.spawn(Task::BlockingLoad(job));
            return;
        }
        let (cache, mode) = self.start();
        let inner = cache.inner.clone();
        let reader = scope::Context::here();
        let job = Box::new(move || drop(reader.enter(|| reload(cache, mode))));
        inner.runtime.spawn(Task::BlockingLoad(job));
    }

    /// Reloads within the call itself.
    pub(crate) fn claim(mut self) -> Mode {
        self.behind.lead.watch_for_loss();
        Mode::Claimed(self.behind)
    }

    /// The rights to reload this key together with others, which need one place among the loads behind.
    pub(super) fn into_parts(self) -> (Lead, Option<Permit>) {
        let Behind { lead, _permit, .. } = *self.behind;
        (lead, _permit)
    }

    fn start(mut self) -> (Cache, Mode) {
        self.behind.lead.watch_for_loss();
        (self.cache, Mode::Background(self.behind))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
