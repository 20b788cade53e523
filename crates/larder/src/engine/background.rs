//! Loads that run behind their readers: bounded in number and time, at most one per key, never lost silently.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use super::{Lead, Site};
use crate::cache::{Cache, Permit};
use crate::event::Event;
use crate::key::KeyBuf;
use crate::policy::Verdict;
use crate::runtime::Task;
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
    pub(super) _permit: Permit,
}

/// The right to start a reload behind.
pub struct Ticket {
    cache: Cache,
    /// Boxed: every hit makes room for a ticket, few have one.
    behind: Box<Behind>,
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
        let lead = Lead::new(inner, lease, flight);
        Some(Self {
            cache: cache.clone(),
            behind: Box::new(Behind {
                lead,
                given_up: None,
                _permit: permit,
            }),
        })
    }

    /// Reloads with an async source.
    pub fn run<F>(mut self, reload: impl FnOnce(Cache, Mode) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let given_up = Arc::new(AtomicBool::new(false));
        self.behind.given_up = Some(Arc::clone(&given_up));
        let (cache, mode) = self.start();
        let inner = Arc::clone(&cache.inner);
        let mut task = Box::pin(reload(cache, mode));
        let task = std::future::poll_fn(move |context| match task.as_mut().poll(context) {
            Poll::Pending if given_up.load(Ordering::Relaxed) => Poll::Ready(()),
            polled => polled,
        });
        inner.runtime.spawn(Task::Load(Box::pin(task)));
    }

    /// Reloads with a sync source.
    pub fn run_blocking(self, reload: impl FnOnce(Cache, Mode) + Send + 'static) {
        let (cache, mode) = self.start();
        let inner = cache.inner.clone();
        let job = Box::new(move || reload(cache, mode));
        inner.runtime.spawn(Task::BlockingLoad(job));
    }

    /// Reloads within the call itself.
    pub(crate) fn claim(mut self) -> Mode {
        self.behind.lead.watch_for_loss();
        Mode::Claimed(self.behind)
    }

    /// Reloads within a call that leads other keys too.
    pub(super) fn into_lead(mut self) -> Lead {
        self.behind.lead.watch_for_loss();
        self.behind.lead
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
