//! Leading a flight: run the source, settle, fill under the lease, tell those who wait.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::hit::{age, detected};
use super::{Cacheable, Planned, Settle, Shape, Share, Site};
use crate::cache::{Filled, Inner, When};
use crate::detect::Source;
use crate::entry::{Kind, Slot, Terms, Value};
use crate::event::Event;
use crate::flight::{Flight, Landing, Led};
use crate::key::{Key, KeyBuf};
use crate::lease::Lease;
use crate::policy::{Fault, Policy, Verdict};
use crate::runtime::{Timestamp, nanos};
use crate::stats::Counter;
use crate::switch::Operations;

/// The leader's rights: the lease, and the flight that others may be waiting for.
///
/// Dropped before it has landed (an error that cannot be shared, a panic, a cancelled caller), it lands with "ask
/// again": the first of those who waited leads the next flight.
#[derive(Debug)]
pub(crate) struct Lead {
    pub(crate) inner: Arc<Inner>,
    pub(crate) lease: Lease,
    pub(crate) flight: Arc<Flight>,
    landed: bool,
    /// Whether an end without a value must be told: nobody else would hear of it.
    watched: bool,
}

impl Lead {
    pub(crate) fn new(inner: &Arc<Inner>, lease: Lease, flight: Arc<Flight>) -> Self {
        Self {
            inner: Arc::clone(inner),
            lease,
            flight,
            landed: false,
            watched: false,
        }
    }

    pub(super) fn watch_for_loss(&mut self) {
        self.watched = true;
    }

    /// Ends the flight. First it is taken out, so that who is told to ask again does not meet it again.
    pub(crate) fn land(&mut self, landing: Landing) {
        self.landed = true;
        self.inner.leases.land(&self.lease.key, &self.flight);
        self.flight.land(landing);
    }

    /// Whether nobody invalidated the entry since the lease was taken.
    fn entry_stands(&self, slot: &Slot) -> bool {
        self.inner.leases.lock(&self.lease.key).holds(&self.lease) && self.inner.tags.stand(slot)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        self.land(Landing::Retry);
        if self.watched {
            let key = &self.lease.key;
            let slot = self.inner.memory.peek(key);
            // What was written meanwhile has not failed.
            if let Some(slot) = slot.filter(|slot| self.entry_stands(slot)) {
                slot.throttle(self.inner.clock.now());
            }
            self.inner
                .tell(|| Event::RefreshFailed { key: key.as_str() });
        }
    }
}

/// One call on its way through the miss.
pub(super) struct Call<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) site: &'static Site,
    pub(super) key: Key,
    pub(super) buf: KeyBuf,
    pub(super) plan: Planned,
}

/// The entry before a load, and what the clock said of it then.
pub(super) type Kept = (Verdict, Slot);

/// What becomes of the answer besides being returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// An ordinary load.
    Load,
    /// A put: true, whatever was loaded meanwhile.
    Put,
    /// An error: any value that is there is worth more.
    Failure,
}

impl Call<'_> {
    pub(super) fn count(&self, counter: Counter, n: u64) {
        self.inner.stats.add(counter, n);
        if self.is_function() {
            self.site.counters.add(counter, n);
        }
    }

    fn is_function(&self) -> bool {
        !self.site.path.is_empty()
    }

    pub(super) fn detected(&self, source: Source, age: Option<Duration>) {
        detected(self.inner, self.site, &self.buf, source, age);
    }

    /// Runs the source as the leader, and all that follows.
    pub(super) async fn lead<S, R, L, F, T>(
        &self,
        mut lead: Lead,
        share: Option<Share<S::Error>>,
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
        let began = self.inner.clock.now();
        let kept = self.kept_before(began);
        let flight = Arc::clone(&lead.flight);
        let output = Led::new(&[&flight], async move { load().await })
            .run()
            .await;
        let took = self.took(began);
        match S::split(output) {
            Ok(value) => {
                self.conclude::<S, R>(&mut lead, &value, took, settle);
                self.detected(Source::Loaded, None);
                S::value(value)
            }
            Err(error) => self.fail::<S, R, T>(lead, kept, share, error, took, settle),
        }
    }

    /// Runs the source with a lease but no flight: nobody waits for it.
    pub(super) async fn alone<S, R, L, F, T>(&self, keep: Keep, load: L, settle: T) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        let lease = self.inner.leases.take(&self.key, self.inner.tags.epoch());
        let began = self.inner.clock.now();
        let output = load().await;
        let took = self.took(began);
        let split = S::split(output);
        let answer = split.as_ref();
        let keep = if answer.is_err() {
            self.failed(took);
            Keep::Failure
        } else {
            self.loaded(took);
            keep
        };
        let (settled, value) = settled(answer, took, settle, S::keep);
        if let (Some(terms), Some(value)) = (self.terms(&settled, &lease, took), value) {
            self.store(keep, &lease, value, size_of::<S::Value>(), terms);
        } else if keep == Keep::Put {
            // What is true now was not to be kept; what was kept before is not true any more.
            self.inner.remove(&self.key);
        }
        match split {
            Ok(value) => {
                self.detected(Source::Loaded, None);
                S::value(value)
            }
            Err(error) => {
                self.detected(Source::Failed, None);
                S::error(error)
            }
        }
    }

    fn took(&self, began: Timestamp) -> Duration {
        self.inner.clock.now().since(began)
    }

    fn loaded(&self, took: Duration) {
        self.count(Counter::Loads, 1);
        self.count(Counter::LoadNanos, nanos(took));
        let key = self.key.as_str();
        self.inner.tell(|| Event::Loaded { key, took });
    }

    pub(super) fn failed(&self, took: Duration) {
        self.count(Counter::Loads, 1);
        self.count(Counter::LoadNanos, nanos(took));
        self.count(Counter::LoadFailures, 1);
        let key = self.key.as_str();
        self.inner.tell(|| Event::LoadFailed { key, took });
    }

    pub(super) fn conclude<S, R>(
        &self,
        lead: &mut Lead,
        value: &S::Value,
        took: Duration,
        settle: impl FnOnce(&mut Settle<'_, S::Value, S::Error>),
    ) where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        self.loaded(took);
        let followed = lead.flight.has_followers();
        let (settled, kept) = settled(Ok(value), took, settle, S::keep);
        let terms = self.terms(&settled, &lead.lease, took);
        let shared = match kept {
            Some(shared) => Some(shared),
            None if followed => Some(S::keep(value)),
            None => None,
        };
        // Also when nothing is stored: they decide whether those who wait may have the value.
        let tags: Arc<[Key]> = self.tags(&settled).into();
        if let (Some(terms), Some(shared)) = (terms, shared.clone()) {
            self.store(
                Keep::Load,
                &lead.lease,
                shared,
                size_of::<S::Value>(),
                terms,
            );
        }
        let as_of = lead.lease.as_of;
        lead.land(match shared {
            Some((kind, value)) => Landing::Value {
                kind,
                value,
                tags,
                as_of,
            },
            None => Landing::Retry,
        });
    }

    /// The source failed: serve what was kept for this case, else give the error on, and keep the error if asked.
    ///
    /// `kept` is the entry before the load and the verdict on it. One that is still served, as under a refresh that somebody asked for, saves
    /// nobody: who asked wants to hear of the failure. But it is worth more than a kept error.
    fn fail<S, R, T>(
        &self,
        mut lead: Lead,
        kept: Option<Kept>,
        share: Option<Share<S::Error>>,
        error: S::Error,
        took: Duration,
        settle: T,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        self.failed(took);
        let kept = self.still_kept::<S::Value>(&lead, kept);
        if let Some(value) = self.fall_back::<S::Value>(&mut lead, kept.as_ref()) {
            return S::value(value);
        }
        let (settled, failure) =
            settled::<S::Value, S::Error>(Err(&error), took, settle, |_| unreachable!());
        if kept.is_none()
            && let (Some(terms), Some(failure)) = (self.terms(&settled, &lead.lease, took), failure)
        {
            self.store(
                Keep::Failure,
                &lead.lease,
                failure,
                size_of::<S::Error>(),
                terms,
            );
        }
        if !lead.watched {
            lead.land(match share {
                Some(share) if lead.flight.has_followers() => Landing::Failed((share.pack)(&error)),
                _ => Landing::Retry,
            });
        }
        self.detected(Source::Failed, None);
        S::error(error)
    }

    /// Taken before the source runs: a failure may want it when eviction has taken it meanwhile.
    pub(super) fn kept_before(&self, began: Timestamp) -> Option<Kept> {
        let slot = self.inner.memory.peek(&self.key)?;
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
    ) -> Option<V> {
        let Some((Verdict::Reload, slot)) = kept.filter(|_| !lead.watched) else {
            return None;
        };
        let value = self.save::<V>(slot)?;
        let (kind, shared) = slot.shared();
        lead.land(Landing::Value {
            kind,
            value: shared,
            tags: slot.tags().into(),
            as_of: lead.lease.as_of,
        });
        Some(value)
    }

    /// Serves a kept entry in place of a failure, and leaves its source alone for a while.
    pub(super) fn save<V: Cacheable>(&self, slot: &Slot) -> Option<V> {
        let now = self.inner.clock.now();
        let verdict = slot.verdict(now);
        if verdict == Verdict::Gone {
            return None;
        }
        let value = slot.value::<V>()?;
        // One that is still served was filled meanwhile, by a source that works.
        if verdict == Verdict::Reload {
            slot.throttle(now);
        }
        self.count(Counter::Saved, 1);
        let age = age(self.inner, slot);
        let key = self.key.as_str();
        self.inner.tell(|| Event::Saved { key, age });
        self.detected(Source::Saved, Some(age));
        Some(value)
    }

    /// How the answer is kept; `None` when it is not.
    fn terms(&self, settled: &Settled, lease: &Lease, took: Duration) -> Option<Terms> {
        let mut policy = self.plan.policy;
        if settled.failure {
            // A kept error lives for its own time; the timeline of values is not its own.
            policy = Policy::new();
        }
        policy.ttl = settled.ttl.or(policy.ttl);
        let fault = self.plan.fault.or(settled.fault).or(policy.fault());
        let missing = policy.ttl.is_none().then_some(Fault::NoTtl);
        if !settled.store {
            return None;
        }
        if let Some(fault) = fault.or(missing) {
            let key = self.key.as_str();
            self.inner.tell(|| Event::BadPolicy { key, fault });
            return None;
        }
        if self.inner.is_off(Operations::WRITE) {
            return None;
        }
        Some(Terms {
            policy,
            tags: self.tags(settled),
            as_of: lease.as_of,
            cost: took,
            weight: policy.weight,
        })
    }

    /// The tags from the arguments and from the value.
    fn tags(&self, settled: &Settled) -> Vec<Key> {
        let all = self.plan.tags.iter().chain(&settled.tags);
        all.cloned().collect()
    }

    fn store(&self, keep: Keep, lease: &Lease, value: (Kind, Value), size: usize, terms: Terms) {
        let slot = self.inner.slot(&lease.key, value, size, terms);
        let filled = match keep {
            Keep::Load => self.inner.fill(lease, When::Always, slot),
            Keep::Failure => self.inner.fill(lease, When::Absent, slot),
            Keep::Put => self.inner.fill_put(lease, slot),
        };
        // The cache has counted it; here it is the function's.
        let counter = match filled {
            Filled::Stored => Counter::Stored,
            Filled::Superseded => Counter::Superseded,
            Filled::LeftOut => return,
        };
        if self.is_function() {
            self.site.counters.add(counter, 1);
        }
    }
}

/// What the settling closures decided, without the borrow of the answer.
struct Settled {
    store: bool,
    failure: bool,
    ttl: Option<u64>,
    tags: Vec<Key>,
    fault: Option<Fault>,
}

fn settled<V, E>(
    answer: Result<&V, &E>,
    took: Duration,
    settle: impl FnOnce(&mut Settle<'_, V, E>),
    keep: impl FnOnce(&V) -> (Kind, Value),
) -> (Settled, Option<(Kind, Value)>) {
    let mut deciding = Settle::new(answer, took);
    settle(&mut deciding);
    let value = match answer {
        Ok(value) => deciding.store.then(|| keep(value)),
        Err(_) => deciding.failure,
    };
    let settled = Settled {
        store: deciding.store,
        failure: answer.is_err(),
        ttl: deciding.ttl,
        tags: deciding.tags,
        fault: deciding.fault,
    };
    (settled, value)
}
