//! One recording while it is made.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{AsItems, Items, Limits};
use crate::cache::{Cache, Filled};
use crate::detect::Source;
use crate::engine::failure::Cause;
use crate::engine::lead::{Asked, Call, Kept, Lead};
use crate::engine::{Cacheable, Planned, Settle, Site};
use crate::event::{Event, Unrecorded};
use crate::flight::{IN_SOURCE, polled};
use crate::key::KeyBuf;
use crate::runtime::BoxFuture;

/// What was yielded so far, and the right to keep it.
///
/// Dropped before the source has ended, it keeps nothing: one of those who wait records anew.
pub(super) struct Recorder<T> {
    cache: Cache,
    site: &'static Site,
    key: KeyBuf,
    plan: Planned,
    /// `None` once it has come to an end.
    lead: Option<Lead>,
    kept: Option<Kept>,
    items: Vec<T>,
    bytes: u64,
}

impl<T> Recorder<T> {
    pub(super) fn new(
        cache: &Cache,
        site: &'static Site,
        key: KeyBuf,
        plan: Planned,
        mut lead: Lead,
    ) -> Self {
        lead.asked = Asked::now(&cache.inner);
        let mut recorder = Self {
            cache: cache.clone(),
            site,
            key,
            plan,
            lead: None,
            kept: None,
            items: Vec::new(),
            bytes: 0,
        };
        recorder.kept = recorder.call().kept_before(&lead, lead.asked.at);
        recorder.lead = Some(lead);
        recorder
    }

    fn call(&self) -> Call<'_> {
        Call {
            inner: &self.cache.inner,
            site: self.site,
            key: self.key.to_key(),
            buf: self.key.clone(),
            plan: self.plan.clone(),
        }
    }

    /// Asks the source, as the leader.
    pub(super) fn lead<O>(&self, ask: impl FnOnce() -> O) -> O {
        let Some(lead) = &self.lead else { return ask() };
        let flight = Arc::clone(&lead.flight);
        flight.held.store(IN_SOURCE, Ordering::Release);
        polled(&flight, ask)
    }

    /// The consumer gets an item: from now on it is the one who lets others wait.
    fn hand_out(&self) {
        if let Some(lead) = &self.lead {
            let now = self.cache.inner.clock.now().as_nanos();
            lead.flight
                .held
                .store(now.max(IN_SOURCE + 1), Ordering::Release);
        }
    }

    /// Gives the recording up: there is more of it than may be kept.
    pub(super) fn give_up(mut self: Box<Self>) {
        self.lose(Unrecorded::TooLong);
    }

    fn lose(&mut self, why: Unrecorded) {
        if let Some(lead) = self.lead.take() {
            // First those who wait go on.
            drop(lead);
            let key = self.key.as_str();
            self.cache.inner.tell(|| Event::NotRecorded { key, why });
        }
    }
}

impl<T: Cacheable> Recorder<T> {
    /// Notes an item; false when it is one too many.
    pub(super) fn note(&mut self, item: &T, limits: &Limits<T>) -> bool {
        if !limits.admit(self.items.len(), &mut self.bytes, item) {
            return false;
        }
        self.items.push(item.clone());
        self.hand_out();
        true
    }

    /// An error came; what was kept for this case, if nothing was passed on yet.
    pub(super) fn fail(mut self: Box<Self>) -> Option<Items<T>> {
        let cause = Cause::of_what_came_back();
        let mut lead = self.lead.take()?;
        let call = self.call();
        let took = self.cache.inner.clock.now().since(lead.asked.at);
        if cause == Cause::Failure {
            call.failed(took);
        }
        let kept = call.still_kept::<Items<T>>(&lead, self.kept.clone());
        if self.items.is_empty()
            && let Some(items) = call.fall_back::<Items<T>>(&mut lead, kept.as_ref(), cause)
        {
            return Some(items);
        }
        call.detected(Source::Failed, None);
        lead.refused = cause == Cause::Refusal;
        drop(lead);
        let (key, why) = (self.key.as_str(), Unrecorded::Failed);
        self.cache.inner.tell(|| Event::NotRecorded { key, why });
        cause.passed_on();
        None
    }

    /// The source has ended: keeps what it yielded as one entry, whose time begins now.
    pub(super) fn end(
        mut self: Box<Self>,
        settle: impl FnOnce(&mut Settle<'_, Items<T>, Infallible>),
    ) -> BoxFuture<'static, ()> {
        let Some(mut lead) = self.lead.take() else {
            return Box::pin(std::future::ready(()));
        };
        // The items are here; nobody waits for a consumer any more.
        lead.flight.held.store(IN_SOURCE, Ordering::Release);
        let items = Arc::new(std::mem::take(&mut self.items));
        let took = self.cache.inner.clock.now().since(lead.asked.at);
        let made = self
            .call()
            .make::<AsItems, Items<T>>(&lead, &items, took, settle);
        let mut made = made.unseen();
        Box::pin(async move {
            let call = self.call();
            let filled = call.keep(&mut lead, &made).await;
            let slot = made.slot.take().filter(|_| filled == Filled::Stored);
            call.land(&mut lead, made);
            call.detected(Source::Loaded, slot.as_ref());
        })
    }
}

impl<T> Drop for Recorder<T> {
    fn drop(&mut self) {
        self.lose(Unrecorded::Dropped);
    }
}
