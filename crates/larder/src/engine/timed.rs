//! Calls that do not wait for ever: what stands in for a load that takes too long, and what becomes of the load.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::errand::{Apart, Trip};
use super::failure::Cause;
use super::follow::{deadline, within};
use super::lead::{Call, Keep};
use super::plan::Errors;
use super::{Cacheable, Lead, Settle, Shape, Ticket};
use crate::cache::Permit;
use crate::detect::Source;
use crate::entry::Slot;
use crate::event::Event;
use crate::guard::{Reason, Refused};
use crate::lease::Lease;
use crate::policy::{FOREVER, Verdict};
use crate::runtime::Timestamp;
use crate::stats::Counter;
use crate::switch::Operations;

/// What a refusal by the engine is called in messages: the knob that said so.
const HARD: &str = "hard_timeout";

/// When a call stops waiting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// If a kept entry can stand in.
    pub(super) soft: Timestamp,
    pub(super) hard: Timestamp,
}

/// Which of them has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    Soft,
    Hard,
}

impl Limits {
    pub(super) fn are_none(self) -> bool {
        self.soft == Timestamp::NEVER && self.hard == Timestamp::NEVER
    }

    /// Without the limit that has come and changed nothing.
    pub(super) fn without(mut self, limit: Limit) -> Self {
        match limit {
            Limit::Soft => self.soft = Timestamp::NEVER,
            Limit::Hard => self.hard = Timestamp::NEVER,
        }
        self
    }

    /// Those that have not been passed by, in order.
    fn to_come(self) -> impl Iterator<Item = (Limit, Timestamp)> {
        [(Limit::Soft, self.soft), (Limit::Hard, self.hard)]
            .into_iter()
            .filter(|(_, until)| *until != Timestamp::NEVER)
    }
}

/// An entry that can be served in place of a load that takes too long.
struct StandIn {
    slot: Slot,
    /// Lost with the entry: the load's own lease travels with the load.
    lease: Lease,
}

impl Call<'_> {
    /// Counted from now.
    pub(super) fn limits(&self) -> Limits {
        let policy = &self.plan.policy;
        Limits {
            soft: deadline(self.inner, policy.timeout),
            hard: deadline(self.inner, policy.hard_timeout),
        }
    }

    /// Runs the source as the leader, for as long as the caller waits.
    pub(super) async fn lead_in_time<S, R, L, F, T, A>(
        &self,
        mut lead: Lead,
        limits: Limits,
        errors: Errors<S::Error>,
        (load, settle, apart): (L, T, A),
    ) -> R
    where
        A: Apart<R>,
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        let stand_in = self.stand_in::<S::Value>(&lead);
        let leaves = A::CAN && !self.plan.borrows && !self.inner.is_off(Operations::WRITE);
        // A load that would be dropped is worth waiting for as long as there is time.
        let limits = match (&stand_in, leaves) {
            (Some(_), true) => limits,
            _ => limits.without(Limit::Soft),
        };
        if !leaves || limits.are_none() {
            let load = pin!(self.lead::<S, R, _, _, _>(lead, errors.share, load, settle));
            return self
                .dropped_in_time::<S, R>(limits, errors, stand_in, load)
                .await;
        }
        let flight = std::sync::Arc::clone(&lead.flight);
        let left = lead.watch_once_left();
        let mut trip = Trip::begin(apart, Ticket::of_lead(lead), &flight);
        for (limit, until) in limits.to_come() {
            if let Some(output) = within(self.inner, until, &mut trip).await {
                return output;
            }
            let place = Permit::take(self.inner);
            if place.is_none() {
                self.found_no_place();
                if trip.needs_place() {
                    continue;
                }
            }
            if let Some(output) = self.late::<S, R>(limit, errors, stand_in.as_ref()) {
                left.store(place.is_some(), Ordering::Release);
                flight.go_behind();
                trip.leave(self.inner, place, self.plan.policy.load_limit);
                return output;
            }
        }
        trip.await
    }

    /// Runs the source without a flight, for as long as the caller waits.
    pub(super) async fn alone_in_time<S, R, L, F, T>(
        &self,
        limits: Limits,
        errors: Errors<S::Error>,
        load: L,
        settle: T,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        let load = pin!(self.alone::<S, R, _, _, _>(Keep::Load, load, settle));
        self.hard_in_time::<S, R>(limits, errors, load).await
    }

    /// Waits up to the hard limit for a load that goes when the caller does.
    pub(super) async fn hard_in_time<S, R>(
        &self,
        limits: Limits,
        errors: Errors<S::Error>,
        load: Pin<&mut impl Future<Output = R>>,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let limits = limits.without(Limit::Soft);
        self.dropped_in_time::<S, R>(limits, errors, None, load)
            .await
    }

    /// Waits for a load that goes when the caller does.
    async fn dropped_in_time<S, R>(
        &self,
        limits: Limits,
        errors: Errors<S::Error>,
        stand_in: Option<StandIn>,
        mut load: Pin<&mut impl Future<Output = R>>,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        for (limit, until) in limits.to_come() {
            if let Some(output) = within(self.inner, until, load.as_mut()).await {
                return output;
            }
            if let Some(output) = self.late::<S, R>(limit, errors, stand_in.as_ref()) {
                return output;
            }
        }
        load.await
    }

    /// What a call is given that has waited up to a limit for its own load; `None`: it waits on.
    fn late<S, R>(
        &self,
        limit: Limit,
        errors: Errors<S::Error>,
        stand_in: Option<&StandIn>,
    ) -> Option<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        self.timed_out(limit);
        let stand_in = stand_in.and_then(|stand_in| self.serve_in_place::<S::Value>(stand_in));
        stand_in
            .map(S::value)
            .or_else(|| self.refused_late::<S, R>(limit, errors))
    }

    /// The same for a call that waits for another's load.
    pub(super) async fn late_follower<S, R>(
        &self,
        limit: Limit,
        errors: Errors<S::Error>,
    ) -> Option<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let saved = self.save_late::<S::Value>(Cause::Timeout).await;
        if saved.is_some() || limit == Limit::Hard {
            self.timed_out(limit);
        }
        saved
            .map(S::value)
            .or_else(|| self.refused_late::<S, R>(limit, errors))
    }

    pub(super) fn timed_out(&self, limit: Limit) {
        self.count(Counter::TimedOut, 1);
        let key = self.key.as_str();
        let limit = Duration::from_nanos(match limit {
            Limit::Soft => self.plan.policy.timeout,
            Limit::Hard => self.plan.policy.hard_timeout,
        });
        self.inner.tell(|| Event::TimedOut { key, limit });
    }

    fn refused_late<S, R>(&self, limit: Limit, errors: Errors<S::Error>) -> Option<R>
    where
        S: Shape<R>,
    {
        let refuse = errors.refuse.filter(|_| limit == Limit::Hard)?;
        let refused = self.refusal();
        self.detected(Source::Failed, None);
        Some(S::error(refuse(refused)))
    }

    pub(super) fn refusal(&self) -> Refused {
        let key = self.key.as_str();
        let refused = Refused::new(HARD, key, Reason::TimedOut);
        self.count(Counter::Refused, 1);
        self.inner.tell(|| {
            let refused = &refused;
            Event::Refused { key, refused }
        });
        refused
    }

    fn found_no_place(&self) {
        self.count(Counter::RefreshesRefused, 1);
        let key = self.key.as_str();
        self.inner.tell(|| Event::RefreshRefused { key });
    }

    /// What is kept for a load that fails can be served for one that takes too long.
    fn stand_in<V: Cacheable>(&self, lead: &Lead) -> Option<StandIn> {
        let policy = &self.plan.policy;
        if policy.timeout == FOREVER && policy.hard_timeout == FOREVER {
            return None;
        }
        let kept = self.kept_before(lead, self.inner.clock.now());
        let lease = self.inner.leases.take(&self.key, lead.lease.as_of);
        // Asked after the lease was taken: if the load's own one stands now, both are lost together.
        match self.still_kept::<V>(lead, kept) {
            Some((Verdict::Reload, slot)) if self.allows(&slot, self.inner.clock.now()) => {
                Some(StandIn { slot, lease })
            }
            _ => None,
        }
    }

    fn serve_in_place<V: Cacheable>(&self, stand_in: &StandIn) -> Option<V> {
        let StandIn { slot, lease } = stand_in;
        let stands = self.inner.leases.lock(&self.key).holds(lease);
        if !stands || !self.inner.tags.stand(slot) {
            return None;
        }
        let value = self.save::<V>(slot, Cause::Timeout)?;
        if let Some(outside) = self.outside() {
            let copy = self.inner.promoted(outside, slot, self.inner.clock.now());
            outside.note(&self.key, copy.as_ref().unwrap_or(slot));
            if let Some(copy) = copy {
                self.inner.fill_stand_in(lease, copy);
            }
        }
        Some(value)
    }
}
