//! The source failed: what was kept for this case, or the error.

use std::time::Duration;

use super::hit::age;
use super::lead::{Call, Kept, Lead};
use super::{Cacheable, Settle, Shape, Share};
use crate::detect::Source;
use crate::entry::Slot;
use crate::event::Event;
use crate::flight::{Flight, Landing};
use crate::guard::mark;
use crate::policy::Verdict;
use crate::runtime::Timestamp;
use crate::stats::Counter;

/// What an error of a source comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The source itself.
    Failure,
    /// A guard before it, which says nothing of the source.
    Refusal,
    /// Nothing came back in time.
    Timeout,
}

impl Cause {
    /// Of the source that has just come back on this thread.
    pub(super) fn of_what_came_back() -> Self {
        if mark::take() {
            Self::Refusal
        } else {
            Self::Failure
        }
    }

    /// How a flight ends with an error of this cause, if that can be shared with those who wait.
    pub(super) fn landing<E>(self, flight: &Flight, share: Option<Share<E>>, error: &E) -> Landing {
        match share {
            Some(share) if flight.has_followers() => Landing::Failed {
                error: (share.pack)(error),
                refused: self == Self::Refusal,
            },
            _ => Landing::Retry,
        }
    }

    /// The error goes on to who called. If that is a source, the refusal is no failure of its own.
    pub(super) fn passed_on(self) {
        if self == Self::Refusal {
            mark::set(mark::Mark::Refused);
        }
    }
}

impl Call<'_> {
    /// The source failed: serve what was kept for this case, else give the error on, and keep the error if asked.
    ///
    /// `kept` is the entry before the load and the verdict on it. One that is still served, as under a refresh that somebody asked for, saves
    /// nobody: who asked wants to hear of the failure. But it is worth more than a kept error.
    pub(super) fn fail<S, R, T>(
        &self,
        mut lead: Lead,
        kept: Option<Kept>,
        share: Option<Share<S::Error>>,
        (error, cause): (S::Error, Cause),
        took: Duration,
        settle: T,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        if cause == Cause::Failure {
            self.failed(took);
        }
        lead.refused = cause == Cause::Refusal;
        let kept = self.still_kept::<S::Value>(&lead, kept);
        if let Some(value) = self.fall_back::<S::Value>(&mut lead, kept.as_ref(), cause) {
            return S::value(value);
        }
        if kept.is_none() && cause == Cause::Failure {
            self.keep_failure::<S, R>(&lead.lease, &error, took, settle);
        }
        if !lead.is_watched() {
            let landing = cause.landing(&lead.flight, share, &error);
            lead.land(landing);
        }
        self.detected(Source::Failed, None);
        cause.passed_on();
        S::error(error)
    }

    /// Taken before the source runs: a failure may want it when eviction has taken it meanwhile.
    pub(super) fn kept_before(&self, lead: &Lead, began: Timestamp) -> Option<Kept> {
        let here = self.inner.memory.peek(&self.key);
        let slot = here.or_else(|| lead.kept.clone())?;
        Some((slot.verdict(began), slot))
    }

    /// What of it can still be given.
    pub(super) fn still_kept<V: Cacheable>(&self, lead: &Lead, kept: Option<Kept>) -> Option<Kept> {
        let now = self.inner.clock.now();
        kept.filter(|(_, slot)| {
            !slot.is_other_than::<V>()
                && slot.verdict(now) != Verdict::Gone
                && lead.entry_stands(slot)
        })
    }

    /// Lands a load that failed with what was kept for this case.
    pub(super) fn fall_back<V: Cacheable>(
        &self,
        lead: &mut Lead,
        kept: Option<&Kept>,
        cause: Cause,
    ) -> Option<V> {
        let Some((Verdict::Reload, slot)) = kept.filter(|_| !lead.is_watched()) else {
            return None;
        };
        let value = self.save::<V>(slot, cause)?;
        if let Some(outside) = self.outside() {
            let copy = self.inner.promoted(outside, slot, lead.looked.at);
            outside.note(&self.key, copy.as_ref().unwrap_or(slot));
            if let Some(copy) = copy {
                self.inner.fill_stand_in(&lead.lease, copy);
            }
        }
        let asked = self.outside().map(|_| lead.looked.moment);
        let (kind, shared) = slot.shared();
        lead.land(Landing::Value {
            kind,
            value: shared,
            tags: slot.tags().into(),
            as_of: lead.lease.as_of,
            due: slot.fresh_until(),
            asked,
        });
        Some(value)
    }

    /// Whether the caller would have this entry, as old as it is.
    pub(super) fn allows(&self, slot: &Slot, now: Timestamp) -> bool {
        self.plan.overrides.allow_entry(slot, now)
    }

    /// Serves a kept entry in place of a failure, and leaves the source alone for a while if it was the source that failed.
    pub(super) fn save<V: Cacheable>(&self, slot: &Slot, cause: Cause) -> Option<V> {
        let now = self.inner.clock.now();
        let verdict = slot.verdict(now);
        if verdict == Verdict::Gone || !self.allows(slot, now) {
            return None;
        }
        let value = slot.value::<V>()?;
        // One that is still served was filled meanwhile, by a source that works.
        if cause != Cause::Refusal && verdict == Verdict::Reload {
            slot.throttle(now);
        }
        self.count(Counter::Saved, 1);
        let age = age(self.inner, slot);
        let key = self.key.as_str();
        self.inner.tell(|| Event::Saved { key, age });
        self.detected_in("memory", Source::Saved, slot);
        Some(value)
    }
}
