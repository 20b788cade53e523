//! The store's part of a batch: one look for all keys, one fill for all values.

use super::inside::Turn;
use super::{Batch, Due, Item, Leading, Leads, Why};
use crate::cache::{Filled, Looking, Outside, Reached};
use crate::detect::Source;
use crate::engine::lead::{Asked, Call, Lead, Made};
use crate::engine::{Cacheable, Shape, Ticket};
use crate::error::Error;
use crate::key::Key;
use crate::middleware::Outcome;
use crate::policy::Verdict;
use crate::scope;
use crate::store::Ask;
use crate::switch::Operations;

/// A value on its way to where it is kept.
pub(crate) struct Filling<'a> {
    pub(super) call: Call<'a>,
    pub(super) lead: Lead,
    pub(super) made: Made<'a>,
    pub(super) inside: Option<Turn>,
}

impl<'a> Batch<'a> {
    /// Looks in the store for what this call leads, all in one round trip; gives back what is still to be loaded.
    ///
    /// # Errors
    /// What the store failed with, for those who want to hear of it; what it failed for is led on all the same.
    pub(crate) async fn look<T: Clone, S, R>(
        &self,
        leads: Leads<'a, T>,
        found: &mut Vec<(T, S::Value)>,
        due: &mut Due<T>,
    ) -> (Leads<'a, T>, Option<Error>)
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let Leads { mut leads, began } = leads;
        let wire = leads.first().map(|leading| leading.item.call.plan.wire);
        let Some(outside) = wire.and_then(|wire| self.inner.outside_for(&wire)) else {
            return (Leads { leads, began }, None);
        };
        self.forget_outside(outside, &leads).await;
        // What is only reloaded has been taken already: of the store it needs the lease.
        let is_unread = |leading: &Leading<'_, T>| {
            self.inner.is_off(Operations::READ) || leading.item.reading.is_none()
        };
        let ask = |leading: &Leading<'_, T>| match leading.why {
            Why::Missing if !is_unread(leading) => Ask::EntryOrLease,
            _ => Ask::EntryAndLease,
        };
        let asks: Vec<Ask> = leads.iter().map(ask).collect();
        let asked = Asked::now(self.inner);
        let looked = {
            let looking: Vec<Looking<'_>> = leads
                .iter()
                .zip(&asks)
                .map(|(leading, ask)| leading.looking(*ask))
                .collect();
            self.inner.look_many(outside, &looking).await
        };
        let mut left = Vec::with_capacity(leads.len());
        let mut failed = None;
        for ((mut leading, looked), ask) in leads.drain(..).zip(looked).zip(asks) {
            leading.lead.store = looked.lease;
            leading.lead.store_failed = looked.error.is_some();
            leading.lead.looked = asked;
            failed = failed.or(looked.error);
            let slot = match ask {
                Ask::EntryOrLease => looked.slot,
                _ => {
                    leading.lead.kept = looked.slot;
                    None
                }
            };
            let Some(slot) = slot else {
                left.push(leading);
                continue;
            };
            let (call, looked) = (&leading.item.call, (slot, looked.is_bare));
            match call.served_outside::<S, R>(outside, &mut leading.lead, looked) {
                Ok((output, verdict)) => match S::split(output) {
                    Ok(value) => {
                        leading.item.ended(Outcome::Hit);
                        let Item { id, call, .. } = leading.item;
                        if verdict == Verdict::Refresh
                            && let Some(ticket) =
                                Ticket::take_unseen(self.cache, call.site, &call.buf)
                        {
                            due.add(&id, call.buf, ticket);
                        }
                        found.push((id, value));
                    }
                    Err(_) => left.push(leading),
                },
                Err(slot) => {
                    leading.kept = leading.kept.or(Some((slot.verdict(began), slot)));
                    left.push(leading);
                }
            }
        }
        self.lease_rest(outside, &mut left).await;
        (Leads { leads: left, began }, failed)
    }

    /// Removes what is to be loaded anew, if this scope asks for that.
    async fn forget_outside<T>(&self, outside: &Outside, leads: &[Leading<'_, T>]) {
        if !scope::current().is_some_and(|settings| settings.invalidate_further) {
            return;
        }
        let keys = leads.iter().map(|leading| leading.item.call.key.clone());
        let keys: Vec<Key> = keys.collect();
        self.inner.forget_further(outside, &keys).await;
    }

    /// Takes the leases that the look did not give: of entries that are there and cannot be used.
    async fn lease_rest<T>(&self, outside: &Outside, leads: &mut [Leading<'_, T>]) {
        let lacks =
            |leading: &Leading<'_, T>| leading.lead.store.is_none() && !leading.lead.store_failed;
        if !leads.iter().any(lacks) {
            return;
        }
        let looked = {
            let without = leads.iter().filter(|leading| lacks(leading));
            let looking: Vec<Looking<'_>> = without
                .map(|leading| leading.looking(Ask::EntryAndLease))
                .collect();
            self.inner.look_many(outside, &looking).await
        };
        let without = leads.iter_mut().filter(|leading| lacks(leading));
        for (leading, looked) in without.zip(looked) {
            leading.lead.store = looked.lease;
            if leading.lead.kept.is_none() {
                leading.lead.kept = looked.slot;
            }
        }
    }

    /// Keeps what was made, all in one round trip, and tells those who wait.
    pub(crate) async fn fill(&self, filling: Vec<Filling<'a>>) {
        let filling = self.keep_inside(filling);
        let asked = Asked::now(self.inner);
        let reached = self.fill_outside(&filling).await;
        for (filling, reached) in filling.into_iter().zip(reached) {
            let Filling {
                call,
                mut lead,
                mut made,
                ..
            } = filling;
            if made.is_settled_by(reached) {
                lead.asked = asked;
            }
            let filled = call.keep_in_memory(&lead, &made, reached);
            made.storing.end(filled.into());
            let slot = made.slot.take().filter(|_| filled == Filled::Stored);
            call.land(&mut lead, made);
            call.detected(Source::Loaded, slot.as_ref());
        }
    }

    async fn fill_outside(&self, filling: &[Filling<'_>]) -> Vec<Reached> {
        let mut reached = vec![Reached::Not; filling.len()];
        let Some(first) = filling.first() else {
            return reached;
        };
        let Some(outside) = first.call.outside() else {
            return reached;
        };
        let (mut places, mut fills) = (Vec::new(), Vec::new());
        for (
            at,
            Filling {
                call, lead, made, ..
            },
        ) in filling.iter().enumerate()
        {
            if let (Some(slot), Some(lease)) = (&made.slot, &lead.store) {
                places.push(at);
                fills.push((&call.key, slot, &call.plan.wire, lease));
            }
        }
        let outcomes = self.inner.fill_outside_many(outside, &fills).await;
        for (at, outcome) in places.into_iter().zip(outcomes) {
            reached[at] = outcome;
        }
        reached
    }
}

impl<T> Leading<'_, T> {
    fn looking(&self, ask: Ask) -> Looking<'_> {
        self.item.call.looking(ask, self.lead.lease.as_of)
    }
}
