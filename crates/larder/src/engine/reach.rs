//! The part of the miss that reaches outside the process: look before the load, keep after it.

use super::background::Ticket;
use super::failure::Cause;
use super::lead::{Asked, Call, Lead, Made};
use super::{Cacheable, Shape};
use crate::cache::{Cache, Filled, Looking, Outside, Reached, Through, When};
use crate::detect::Source;
use crate::entry::Slot;
use crate::error::Error;
use crate::event::Event;
use crate::flight::Landing;
use crate::policy::Verdict;
use crate::scope;
use crate::stats::Counter;
use crate::store::Ask;
use crate::switch::Operations;

/// What a look outside came to.
pub(super) enum Seen<R> {
    /// Return this.
    Answer(R),
    /// Return this, and reload behind.
    Refresh(R, Ticket),
    /// Load.
    Nothing,
    /// The store failed: load, or tell.
    Failed(Error),
}

impl Call<'_> {
    /// The store that this call's value is kept in.
    pub(super) fn outside(&self) -> Option<&Outside> {
        self.inner.outside_for(&self.plan.wire)
    }

    pub(super) fn looking(&self, ask: Ask, as_of: u64) -> Looking<'_> {
        Looking {
            key: &self.key,
            tags: &self.plan.tags,
            wire: &self.plan.wire,
            policy: &self.plan.policy,
            ask,
            as_of,
        }
    }

    /// Looks in the store as the leader: serves what can be served, else keeps the lease and what may stand in for a failure.
    pub(super) async fn look_outside<S, R>(&self, outside: &Outside, lead: &mut Lead) -> Seen<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        if scope::current().is_some_and(|settings| settings.invalidate_further) {
            let keys = std::slice::from_ref(&self.key);
            self.inner.forget_further(outside, keys).await;
            return Seen::Nothing;
        }
        lead.looked = Asked::now(self.inner);
        let looking = self.looking(Ask::EntryOrLease, lead.lease.as_of);
        let looked = self.inner.look(outside, looking).await;
        lead.store = looked.lease;
        if let Some(error) = looked.error {
            lead.store_failed = true;
            return Seen::Failed(error);
        }
        let Some(slot) = looked.slot else {
            return Seen::Nothing;
        };
        let looked = (slot, looked.is_bare);
        let (output, verdict) = match self.served_outside::<S, R>(outside, lead, looked) {
            Ok(served) => served,
            Err(slot) => {
                lead.kept = Some(slot);
                return Seen::Nothing;
            }
        };
        if verdict == Verdict::Refresh {
            let cache = Cache::of(self.inner.clone());
            if let Some(ticket) = Ticket::take_unseen(&cache, self.site, &self.buf) {
                return Seen::Refresh(output, ticket);
            }
        }
        Seen::Answer(output)
    }

    /// Serves an entry of the store, or gives it back if it cannot be served.
    pub(super) fn served_outside<S, R>(
        &self,
        outside: &Outside,
        lead: &mut Lead,
        (slot, is_bare): (Slot, bool),
    ) -> Result<(R, Verdict), Slot>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let Some((value, verdict)) = self.spent::<S, R>(&slot) else {
            return Err(slot);
        };
        self.serve(outside, lead, &slot, verdict, is_bare);
        Ok((S::value(value), verdict))
    }

    /// The value of an entry of the store that may be served now, which counts as one of its hits.
    fn spent<S, R>(&self, slot: &Slot) -> Option<(S::Value, Verdict)>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let now = self.inner.clock.now();
        let verdict = slot.verdict(now);
        if !matches!(verdict, Verdict::Fresh | Verdict::Refresh) || !self.allows(slot, now) {
            return None;
        }
        let (kind, value) = slot.shared();
        let value = S::read(kind, value).filter(|_| slot.spend())?;
        Some((value, verdict))
    }

    /// What the store has, while a reload of it runs behind: nobody waits for that.
    pub(super) async fn served_beside<S, R>(&self, seen: u64) -> Option<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let outside = self.outside()?;
        let slot = Box::pin(self.glance(outside, seen)).await?;
        let (value, verdict) = self.spent::<S, R>(&slot)?;
        self.found_outside(outside, &slot, verdict);
        outside.note(&self.key, &slot);
        Some(S::value(value))
    }

    /// Serves what is kept, here or in the store, to a call that has waited too long for another's load.
    pub(super) async fn save_late<V: Cacheable>(&self, cause: Cause) -> Option<V> {
        let here = self.kept();
        if let Some(value) = here.and_then(|slot| self.save::<V>(&slot, cause)) {
            return Some(value);
        }
        let outside = self.outside()?;
        let slot = Box::pin(self.glance(outside, self.inner.tags.epoch())).await?;
        let value = self.save::<V>(&slot, cause)?;
        outside.note(&self.key, &slot);
        Some(value)
    }

    /// Looks in the store without a right to fill it.
    async fn glance(&self, outside: &Outside, as_of: u64) -> Option<Slot> {
        let unread = self.inner.is_off(Operations::READ)
            || scope::current().is_some_and(|settings| settings.invalidate_further);
        if unread {
            return None;
        }
        let looking = self.looking(Ask::Entry, as_of);
        self.inner.look(outside, looking).await.slot
    }

    fn found_outside(&self, outside: &Outside, slot: &Slot, verdict: Verdict) {
        self.count(Counter::StoreHits, 1);
        let (key, store) = (self.key.as_str(), outside.store.name());
        self.inner.tell(|| Event::StoreHit {
            key,
            store,
            verdict,
        });
        let source = if verdict == Verdict::Refresh {
            Source::Refresh
        } else {
            Source::Fresh
        };
        self.detected_in(outside.store.name(), source, slot);
    }

    /// Counts a hit of the store, keeps a copy in memory if there is to be one, and tells those who wait.
    pub(super) fn serve(
        &self,
        outside: &Outside,
        lead: &mut Lead,
        slot: &Slot,
        verdict: Verdict,
        is_bare: bool,
    ) {
        self.found_outside(outside, slot, verdict);
        let copy = self.inner.promoted(outside, slot, lead.looked.at);
        outside.note(&self.key, copy.as_ref().unwrap_or(slot));
        if let Some(copy) = copy.filter(|_| !is_bare) {
            self.inner.fill_copy(&lead.lease, copy);
        }
        let (kind, value) = slot.shared();
        lead.land(Landing::Value {
            kind,
            value,
            tags: slot.tags().into(),
            as_of: lead.lease.as_of,
            due: slot.fresh_until(),
            asked: Some(lead.looked.moment),
        });
    }

    /// Takes a lease of the store, for a load that does not look first.
    pub(super) async fn lease_outside(&self, outside: &Outside, lead: &mut Lead) {
        let asked = Asked::now(self.inner);
        let looking = self.looking(Ask::EntryAndLease, lead.lease.as_of);
        let looked = self.inner.look(outside, looking).await;
        lead.store = looked.lease;
        if lead.kept.is_none() {
            (lead.kept, lead.looked) = (looked.slot, asked);
        }
    }

    /// Keeps what a load has made: in the store under its lease, then in memory.
    pub(super) async fn keep(&self, lead: &mut Lead, made: &Made<'_>) -> Filled {
        let (Some(outside), Some(slot)) = (self.outside(), &made.slot) else {
            return self.keep_in_memory(lead, made, Reached::Not);
        };
        let reached = match &lead.store {
            Some(lease) => {
                let (key, wire) = (&self.key, &self.plan.wire);
                let asked = Asked::now(self.inner);
                let fill = self.inner.fill_outside(outside, key, wire, slot, lease);
                let reached = Box::pin(fill).await;
                if made.is_settled_by(reached) {
                    lead.asked = asked;
                }
                reached
            }
            None => Reached::Not,
        };
        self.keep_in_memory(lead, made, reached)
    }

    /// Keeps what a `#[cache_put]` has computed; what was not to be kept leaves nothing behind.
    pub(super) async fn put_made(&self, lead: &Lead, made: &Made<'_>) -> Filled {
        let filled = match (&made.slot, self.outside()) {
            (None, _) => {
                drop(self.inner.remove_through(&self.key).await);
                return Filled::LeftOut;
            }
            (Some(slot), Some(outside)) => {
                let through = Through {
                    outside,
                    wire: &self.plan.wire,
                    key: &self.key,
                    when: When::Always,
                    asked: lead.asked.at,
                };
                let rights = (&lead.lease, lead.store.as_ref());
                self.inner.put_through(through, slot.clone(), rights).await
            }
            (Some(slot), None) => self.inner.fill_put(&lead.lease, slot.clone()),
        };
        self.filled(filled);
        filled
    }

    /// What memory keeps of a load, once the store has it or has refused it.
    pub(super) fn keep_in_memory(&self, lead: &Lead, made: &Made<'_>, reached: Reached) -> Filled {
        let Some(slot) = &made.slot else {
            return Filled::LeftOut;
        };
        let outside = self.outside();
        let filled = match (reached, outside) {
            (Reached::Superseded, _) => {
                self.inner.superseded(&self.key);
                Filled::Superseded
            }
            (_, None) => self.inner.fill(&lead.lease, When::Always, slot.clone()),
            (_, Some(outside)) => {
                let copy = self.inner.promoted(outside, slot, lead.asked.at);
                outside.anew(&self.key);
                if let Some(copy) = &copy {
                    outside.note(&self.key, copy);
                }
                // Without the store a copy is all there is; with it, it may be left out: the store may have told of this very change.
                let is_due = copy.is_some();
                let lease = &lead.lease;
                let kept = copy.is_some_and(|copy| match reached {
                    Reached::Stored => self.inner.fill_copy(lease, copy),
                    _ => self.inner.fill_without_store(lease, copy),
                });
                match (kept, reached) {
                    (true, _) => Filled::Stored,
                    (false, Reached::Stored) => {
                        self.inner.gives_way(&lead.lease);
                        self.inner.stored_outside(outside, &self.key, slot);
                        Filled::Stored
                    }
                    (false, _) if is_due => {
                        self.inner.superseded(&self.key);
                        Filled::Superseded
                    }
                    (false, _) => Filled::LeftOut,
                }
            }
        };
        self.filled(filled);
        filled
    }
}
