//! Loading several keys with one call, sharing loads with whoever loads some of them already.

use std::collections::HashMap;
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;

use super::failure::Cause;
use super::follow::{Followed, deadline};
use super::hit::{count, count_look, look};
use super::lead::{Asked, Call, Kept, Made};
use super::timed::Limit;
use super::{AsResult, Cacheable, Hit, LOADING, Lead, Planned, Share, Ticket, hit};
use crate::cache::{Cache, Inner, Looked, Looking, Outside, Reached};
use crate::detect::Source;
use crate::error::{Error, Result};
use crate::flight::{Flight, Landing, Led, moment};
use crate::key::Key;
use crate::lease::Joined;
use crate::middleware::{Action, Doing, Intended, Outcome};
use crate::policy::Verdict;
use crate::runtime::Timestamp;
use crate::scope;
use crate::stats::Counter;
use crate::store::Ask;
use crate::switch::Operations;

/// One call for several keys.
pub(crate) struct Batch<'a> {
    inner: &'a Arc<Inner>,
    cache: &'a Cache,
    plan: Planned,
    until: Timestamp,
    /// The reads that middleware was asked about and that have not ended; `None` for those that it has left out.
    reading: Mutex<HashMap<String, Option<Doing<'a>>>>,
}

/// Which of the missing keys this call loads, and for which it waits.
pub(crate) struct Joining {
    pub(crate) leads: Leads,
    pub(crate) follows: Vec<Following>,
}

/// The keys that this call loads.
pub(crate) struct Leads {
    leads: Vec<Leading>,
    began: Timestamp,
}

struct Leading {
    key: String,
    lead: Lead,
    kept: Option<Kept>,
}

/// A key that another call loads.
pub(crate) struct Following {
    key: String,
    flight: Arc<Flight>,
    seen: u64,
    began: u64,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(cache: &'a Cache, plan: Planned) -> Self {
        let inner = &cache.inner;
        Self {
            inner,
            cache,
            until: deadline(inner, plan.policy.wait).min(deadline(inner, plan.policy.hard_timeout)),
            plan,
            reading: Mutex::default(),
        }
    }

    /// Takes what is there; gives back what is not, each key once, and what is to be reloaded though it is there.
    pub(crate) fn hits<V: Cacheable>(
        &self,
        keys: Vec<String>,
        found: &mut HashMap<String, V>,
    ) -> (Vec<String>, Leads) {
        let mut leads = Vec::new();
        let mut seen = HashSet::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            if !seen.insert(key.clone()) {
                continue;
            }
            match self.hit::<V>(&key) {
                Hit::Value(Ok(value)) => {
                    self.ended(&key, Outcome::Hit);
                    found.insert(key, value);
                }
                Hit::Refresh(Ok(value), ticket) => {
                    self.ended(&key, Outcome::Hit);
                    found.insert(key.clone(), value);
                    leads.push(Leading {
                        key,
                        lead: ticket.into_lead(),
                        kept: None,
                    });
                }
                _ => missing.push(key),
            }
        }
        let began = self.inner.clock.now();
        (missing, Leads { leads, began })
    }

    fn hit<V: Cacheable>(&self, key: &str) -> Hit<Result<V>> {
        let full = self.cache.full_key(key);
        if self.inner.middleware.is_empty() || self.inner.is_off(Operations::READ) {
            let looked = hit::<AsResult, Result<V>>(self.cache, &LOADING, &full);
            count_look(self.inner, &LOADING, &full, Some(&looked));
            return looked;
        }
        let intended = || Intended::key(Action::Get, self.inner.bare(full.as_str()));
        let reading = self.inner.begin(intended);
        let is_read = reading.is_some();
        self.reading.lock().insert(key.to_owned(), reading);
        let looked = match is_read {
            true => look::<AsResult, Result<V>>(self.cache, &LOADING, full.clone()),
            false => {
                count(self.inner, &LOADING, Counter::Misses);
                Hit::Miss
            }
        };
        count_look(self.inner, &LOADING, &full, Some(&looked));
        looked
    }

    /// Tells the middleware how the read of a key ended; once, the first time.
    fn ended(&self, key: &str, outcome: Outcome) {
        let mut reading = self.reading.lock();
        let Some(Some(reading_of_key)) = reading.get_mut(key) else {
            return;
        };
        let mut ended = std::mem::replace(reading_of_key, Doing::unseen());
        drop(reading);
        ended.end(outcome);
    }

    /// Whether a key is not read: reading is off, or it was left out.
    fn is_unread(&self, key: &str) -> bool {
        self.inner.is_off(Operations::READ) || matches!(self.reading.lock().get(key), Some(None))
    }

    /// Tells the middleware of the loads that are about to begin.
    pub(crate) fn loading(&self, leads: &Leads) -> Vec<Doing<'_>> {
        if self.inner.middleware.is_empty() {
            return Vec::new();
        }
        let begin = |leading: &Leading| {
            self.ended(&leading.key, Outcome::Miss);
            let full = self.cache.full_key(&leading.key);
            let intended = || Intended::key(Action::Load, self.inner.bare(full.as_str()));
            self.inner.begin(intended).unwrap_or(Doing::unseen())
        };
        leads.leads.iter().map(begin).collect()
    }

    /// Leads the keys that nobody loads.
    pub(crate) fn join<V: Cacheable>(
        &self,
        missing: &[String],
        found: &mut HashMap<String, V>,
    ) -> Joining {
        let mut leads = Vec::new();
        let mut follows = Vec::new();
        for key in missing {
            let call = self.call(key);
            let seen = self.inner.tags.epoch();
            let leases = &self.inner.leases;
            let is_unread = self.is_unread(key);
            let joined = if is_unread {
                leases.lead_alone(&call.key, seen)
            } else {
                leases.join(&call.key, seen, |flight| call.may_join(flight))
            };
            match joined {
                Joined::Lead(lease, flight) => {
                    let mut lead = Lead::new(self.inner, lease, flight);
                    let filled = match is_unread {
                        true => None,
                        false => call.filled_meanwhile::<AsResult, Result<V>>(&mut lead),
                    };
                    match filled {
                        Some(Ok(value)) => {
                            self.ended(key, Outcome::Hit);
                            found.insert(key.clone(), value);
                        }
                        _ => {
                            let kept = call.kept_before(&lead, self.inner.clock.now());
                            leads.push(Leading {
                                key: key.clone(),
                                lead,
                                kept,
                            });
                        }
                    }
                }
                Joined::Follow(flight) => follows.push(Following {
                    key: key.clone(),
                    flight,
                    seen,
                    began: moment(),
                }),
            }
        }
        let began = self.inner.clock.now();
        Joining {
            leads: Leads { leads, began },
            follows,
        }
    }

    /// Looks in the store for what this call leads, all in one round trip; gives back what is still to be loaded.
    pub(crate) async fn look<V: Cacheable>(
        &self,
        leads: Leads,
        found: &mut HashMap<String, V>,
    ) -> Leads {
        let Leads { leads, began } = leads;
        let Some(outside) = self.inner.outside_for(&self.plan.wire) else {
            return Leads { leads, began };
        };
        if leads.is_empty() {
            return Leads { leads, began };
        }
        self.forget_outside(outside, &leads).await;
        // What is only reloaded has been taken already: of the store it needs the lease.
        let ask = |leading: &Leading| match found.contains_key(&leading.key) {
            true => Ask::EntryAndLease,
            false if self.is_unread(&leading.key) => Ask::EntryAndLease,
            false => Ask::EntryOrLease,
        };
        let asks: Vec<Ask> = leads.iter().map(ask).collect();
        let asked = Asked::now(self.inner);
        let looked = self.look_outside(outside, &leads, &asks).await;
        let mut left = Vec::with_capacity(leads.len());
        for ((mut leading, looked), ask) in leads.into_iter().zip(looked).zip(asks) {
            leading.lead.store = looked.lease;
            leading.lead.store_failed = looked.error.is_some();
            leading.lead.looked = asked;
            let slot = looked.slot.filter(|_| ask == Ask::EntryOrLease);
            let Some(slot) = slot else {
                left.push(leading);
                continue;
            };
            let call = self.call(&leading.key);
            let looked = (slot, looked.is_bare);
            match call.served_outside::<AsResult, Result<V>>(outside, &mut leading.lead, looked) {
                Ok((Ok(value), verdict)) => {
                    let reload = (verdict == Verdict::Refresh)
                        .then(|| Ticket::take_unseen(self.cache, &LOADING, &call.buf))
                        .flatten();
                    self.ended(&leading.key, Outcome::Hit);
                    found.insert(leading.key.clone(), value);
                    left.extend(reload.map(|ticket| Leading {
                        key: leading.key,
                        lead: ticket.into_lead(),
                        kept: None,
                    }));
                }
                Ok((Err(_), _)) => left.push(leading),
                Err(slot) => {
                    let verdict = slot.verdict(began);
                    leading.kept = leading.kept.or(Some((verdict, slot)));
                    left.push(leading);
                }
            }
        }
        self.lease_rest(outside, &mut left).await;
        Leads { leads: left, began }
    }

    /// Removes what is to be loaded anew, if this scope asks for that.
    async fn forget_outside(&self, outside: &Outside, leads: &[Leading]) {
        if !scope::current().is_some_and(|settings| settings.invalidate_further) {
            return;
        }
        let keys: Vec<Key> = leads
            .iter()
            .map(|l| self.cache.full_key(&l.key).to_key())
            .collect();
        self.inner.forget_further(outside, &keys).await;
    }

    async fn look_outside(
        &self,
        outside: &Outside,
        leads: &[Leading],
        asks: &[Ask],
    ) -> Vec<Looked> {
        let calls: Vec<Call<'a>> = leads
            .iter()
            .map(|leading| self.call(&leading.key))
            .collect();
        let looking: Vec<Looking<'_>> = calls
            .iter()
            .zip(leads)
            .zip(asks)
            .map(|((call, leading), ask)| call.looking(*ask, leading.lead.lease.as_of))
            .collect();
        self.inner.look_many(outside, &looking).await
    }

    /// Takes the leases that the look did not give: of entries that are there and cannot be used.
    async fn lease_rest(&self, outside: &Outside, leads: &mut [Leading]) {
        let (mut without, _): (Vec<&mut Leading>, Vec<_>) = leads
            .iter_mut()
            .partition(|leading| leading.lead.store.is_none() && !leading.lead.store_failed);
        if without.is_empty() {
            return;
        }
        let calls: Vec<Call<'a>> = without.iter().map(|l| self.call(&l.key)).collect();
        let looking: Vec<Looking<'_>> = calls
            .iter()
            .zip(&without)
            .map(|(call, leading)| call.looking(Ask::EntryAndLease, leading.lead.lease.as_of))
            .collect();
        let looked = self.inner.look_many(outside, &looking).await;
        for (leading, looked) in without.iter_mut().zip(looked) {
            leading.lead.store = looked.lease;
            if leading.lead.kept.is_none() {
                leading.lead.kept = looked.slot;
            }
        }
    }

    /// Stores what was loaded and lands every flight of this call.
    pub(crate) async fn fill<V: Cacheable>(&self, leads: Leads, loaded: &mut HashMap<String, V>) {
        let took = self.inner.clock.now().since(leads.began);
        let wanted: HashSet<&String> = leads.leads.iter().map(|l| &l.key).collect();
        // A loader may answer more than it was asked for; nothing is known of what it was not asked for.
        loaded.retain(|key, _| wanted.contains(key));
        drop(wanted);
        let mut filled = Vec::with_capacity(leads.leads.len());
        for Leading { key, mut lead, .. } in leads.leads {
            let call = self.call(&key);
            match loaded.get(&key) {
                Some(value) => {
                    let made = call.make::<AsResult, Result<V>>(&lead, value, took, |_| {});
                    filled.push((call, lead, made));
                }
                None => lead.land(Landing::Retry),
            }
        }
        let asked = Asked::now(self.inner);
        let reached = self.fill_outside(&filled).await;
        for ((call, mut lead, mut made), reached) in filled.into_iter().zip(reached) {
            if made.is_settled_by(reached) {
                lead.asked = asked;
            }
            let filled = call.keep_in_memory(&lead, &made, reached);
            made.storing.end(filled.into());
            let slot = made.slot.take();
            call.land(&mut lead, made);
            call.detected(Source::Loaded, slot.as_ref());
        }
    }

    async fn fill_outside(&self, filled: &[(Call<'_>, Lead, Made<'_>)]) -> Vec<Reached> {
        let mut reached = vec![Reached::Not; filled.len()];
        let Some(outside) = self.inner.outside_for(&self.plan.wire) else {
            return reached;
        };
        let (mut places, mut fills) = (Vec::new(), Vec::new());
        for (at, (call, lead, made)) in filled.iter().enumerate() {
            if let (Some(slot), Some(lease)) = (&made.slot, &lead.store) {
                places.push(at);
                fills.push((&call.key, slot, &self.plan.wire, lease));
            }
        }
        let outcomes = self.inner.fill_outside_many(outside, &fills).await;
        for (at, outcome) in places.into_iter().zip(outcomes) {
            reached[at] = outcome;
        }
        reached
    }

    /// The load failed: takes what was kept for this case.
    ///
    /// # Errors
    /// The failure, when a key is left with nothing.
    pub(crate) fn fail<V: Cacheable>(
        &self,
        leads: Leads,
        error: Error,
        found: &mut HashMap<String, V>,
    ) -> Result<()> {
        self.fail_by(leads, (error, Cause::of_what_came_back()), found)
    }

    /// The load took longer than `hard_timeout`: takes what was kept for this case.
    ///
    /// # Errors
    /// The refusal, when a key is left with nothing.
    pub(crate) fn fail_late<V: Cacheable>(
        &self,
        leads: Leads,
        found: &mut HashMap<String, V>,
    ) -> Result<()> {
        let Some(first) = leads.leads.first() else {
            return Ok(());
        };
        let call = self.call(&first.key);
        call.timed_out(Limit::Hard);
        self.fail_by(leads, (call.refusal().into(), Cause::Timeout), found)
    }

    fn fail_by<V: Cacheable>(
        &self,
        leads: Leads,
        (error, cause): (Error, Cause),
        found: &mut HashMap<String, V>,
    ) -> Result<()> {
        let took = self.inner.clock.now().since(leads.began);
        let share = Share::by_clone();
        let mut outcome = Ok(());
        for Leading {
            key,
            mut lead,
            kept,
        } in leads.leads
        {
            let call = self.call(&key);
            if cause == Cause::Failure {
                call.failed(took);
            }
            // What is only reloaded has been taken already; its lead tells of the loss when it is dropped.
            if found.contains_key(&key) {
                continue;
            }
            let kept = call.still_kept::<V>(&lead, kept);
            if let Some(value) = call.fall_back(&mut lead, kept.as_ref(), cause) {
                found.insert(key, value);
                continue;
            }
            // The time of others who wait is not over.
            lead.land(match cause {
                Cause::Timeout => Landing::Retry,
                _ => Landing::Failed((share.pack)(&error)),
            });
            call.detected(Source::Failed, None);
            outcome = Err(error.clone());
        }
        outcome
    }

    /// Waits for the other loads; gives back the keys whose load came to nothing.
    pub(crate) async fn follow<V: Cacheable>(
        &self,
        follows: Vec<Following>,
        found: &mut HashMap<String, V>,
    ) -> Result<Vec<String>> {
        let mut again = Vec::new();
        for Following {
            key,
            flight,
            seen,
            began,
        } in follows
        {
            let call = self.call(&key);
            let share = Some(Share::by_clone());
            match call
                .follow::<AsResult, Result<V>>(&flight, self.until, (seen, began), share)
                .await
            {
                Followed::Answer(answer) => {
                    self.ended(&key, Outcome::Miss);
                    found.insert(key, answer?);
                }
                Followed::Again => again.push(key),
                late @ (Followed::Late | Followed::Alone | Followed::Past) => {
                    if matches!(late, Followed::Late) {
                        call.waited_too_long();
                    }
                    // Waiting is over for this one: take the flight over, so that the next round leads it.
                    self.inner.leases.land(&call.key, &flight);
                    again.push(key);
                }
            }
        }
        Ok(again)
    }

    pub(super) fn inner(&self) -> &'a Arc<Inner> {
        self.inner
    }

    pub(super) fn call(&self, key: &str) -> Call<'a> {
        let buf = self.cache.full_key(key);
        Call {
            inner: self.inner,
            site: &LOADING,
            key: buf.to_key(),
            buf,
            plan: Planned {
                policy: self.plan.policy,
                tags: self.plan.tags.clone(),
                wire: self.plan.wire,
                borrows: true,
                overrides: self.plan.overrides.clone(),
                fault: self.plan.fault,
            },
        }
    }
}

impl Leads {
    pub(crate) fn is_empty(&self) -> bool {
        self.leads.is_empty()
    }

    /// Leads these keys too.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.leads.extend(more.leads);
        self
    }

    /// Nothing to lead.
    pub(crate) fn none(&self) -> Self {
        Self {
            leads: Vec::new(),
            began: self.began,
        }
    }

    pub(crate) fn bare_keys(&self) -> Vec<String> {
        self.leads.iter().map(|l| l.key.clone()).collect()
    }

    /// Runs the loader as the leader of all its keys.
    pub(crate) async fn load<F: Future>(&mut self, load: F) -> F::Output {
        for Leading { lead, .. } in &mut self.leads {
            lead.asked = Asked::now(&lead.inner);
        }
        let flights: Vec<&Flight> = self.leads.iter().map(|l| &*l.lead.flight).collect();
        Led::new(&flights, None, load).run().await
    }
}
