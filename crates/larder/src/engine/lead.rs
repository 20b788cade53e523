//! Leading a flight: run the source, settle, fill under the lease, tell those who wait.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::failure::Cause;
use super::hit::{Seen, detected};
use super::{Cacheable, Planned, Settle, Shape, Share, Site};
use crate::cache::{Filled, Inner, Reached, StoreLease, When};
use crate::detect::Source;
use crate::entry::{Kind, Slot, Terms, Value};
use crate::event::{Event, Unrecorded};
use crate::flight::{Flight, Landing, Led, moment};
use crate::key::{Key, KeyBuf};
use crate::lease::Lease;
use crate::loaded::{self, Offer};
use crate::middleware::{Action, Doing, Intended, Outcome};
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
    watch: Watch,
    /// Whether a guard refused it: the entry is not throttled for that.
    pub(super) refused: bool,
    /// The right to fill the store.
    pub(crate) store: Option<StoreLease>,
    /// What the store held for the case that the source fails.
    pub(crate) kept: Option<Slot>,
    /// Before the store was asked for what is `kept`.
    pub(crate) looked: Asked,
    /// Before that was asked for which the flight is about to give.
    pub(crate) asked: Asked,
    /// Whether the store has just failed: it is not asked again for this load.
    pub(crate) store_failed: bool,
}

/// Whether an end without a value must be told: nobody else would hear of it.
#[derive(Debug)]
enum Watch {
    /// The caller hears of it.
    Caller,
    Nobody,
    /// The caller does until it has left.
    UntilLeft(Arc<AtomicBool>),
}

/// The last instant of which is known that what was asked for then is true for all processes.
///
/// Who began to ask later, or who looks later, may miss what another process has invalidated since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) moment: u64,
    pub(crate) at: Timestamp,
}

impl Made<'_> {
    /// Ends its writing as middleware sees it, so that it may outlive the call.
    pub(super) fn unseen(mut self) -> Made<'static> {
        self.storing.end(Outcome::of(self.slot.is_some()));
        Made {
            shared: self.shared,
            slot: self.slot,
            storing: Doing::unseen(),
            tags: self.tags,
        }
    }

    /// Whether a store that keeps it knows that nobody has invalidated it: of tags only a reader will see.
    pub(super) fn is_settled_by(&self, reached: Reached) -> bool {
        reached == Reached::Stored && self.tags.is_empty()
    }
}

impl Asked {
    pub(crate) fn now(inner: &Inner) -> Self {
        Self {
            moment: moment(),
            at: inner.clock.now(),
        }
    }
}

impl Lead {
    pub(crate) fn new(inner: &Arc<Inner>, lease: Lease, flight: Arc<Flight>) -> Self {
        let asked = Asked::now(inner);
        Self {
            inner: Arc::clone(inner),
            lease,
            flight,
            landed: false,
            watch: Watch::Caller,
            refused: false,
            store: None,
            kept: None,
            looked: asked,
            asked,
            store_failed: false,
        }
    }

    /// A lease with a flight that nobody can join.
    pub(super) fn alone(inner: &Arc<Inner>, lease: Lease) -> Self {
        let flight = Flight::new(lease.as_of);
        Self::new(inner, lease, flight)
    }

    pub(super) fn watch_for_loss(&mut self) {
        self.watch = Watch::Nobody;
    }

    /// The caller may leave before the load ends, and sets this then.
    pub(super) fn watch_once_left(&mut self) -> Arc<AtomicBool> {
        let left = Arc::new(AtomicBool::new(false));
        self.watch = Watch::UntilLeft(Arc::clone(&left));
        left
    }

    pub(super) fn is_watched(&self) -> bool {
        match &self.watch {
            Watch::Caller => false,
            Watch::Nobody => true,
            Watch::UntilLeft(left) => left.load(Ordering::Acquire),
        }
    }

    /// Ends the flight. First it is taken out, so that who is told to ask again does not meet it again.
    pub(crate) fn land(&mut self, landing: Landing) {
        self.landed = true;
        self.inner.leases.land(&self.lease.key, &self.flight);
        self.flight.land(landing);
    }

    /// Whether nobody invalidated the entry since the lease was taken.
    pub(super) fn entry_stands(&self, slot: &Slot) -> bool {
        self.inner.leases.lock(&self.lease.key).holds(&self.lease) && self.inner.tags.stand(slot)
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if self.landed {
            return;
        }
        self.land(Landing::Retry);
        if self.is_watched() {
            let key = &self.lease.key;
            let slot = self.inner.memory.peek(key).or_else(|| self.kept.clone());
            // What was written meanwhile has not failed.
            if let Some(slot) = slot.filter(|slot| !self.refused && self.entry_stands(slot)) {
                slot.throttle(self.inner.clock.now());
                if let Some(outside) = &self.inner.outside {
                    outside.note(key, &slot);
                }
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

/// What a load came to, before it is kept and told.
pub(super) struct Made<'a> {
    pub(super) shared: Option<(Kind, Value)>,
    /// The entry, if one is to be kept.
    pub(super) slot: Option<Slot>,
    /// Its writing, as middleware sees it.
    pub(super) storing: Doing<'a>,
    pub(super) tags: Arc<[Key]>,
}

/// What becomes of the answer besides being returned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// An ordinary load.
    Load,
    /// A put: true, whatever was loaded meanwhile.
    Put,
}

impl<'a> Call<'a> {
    pub(super) fn count(&self, counter: Counter, n: u64) {
        self.inner.stats.add(counter, n);
        self.count_own(counter, n);
    }

    /// What the cache has counted already.
    fn count_own(&self, counter: Counter, n: u64) {
        match self.site.is_function() {
            true => self.site.counters.add(counter, n),
            false => self.inner.count_direct(self.key.as_str(), counter, n),
        }
    }

    /// Tells the detections of a read that came from no entry; `made` is the entry that it left.
    pub(super) fn detected(&self, source: Source, made: Option<&Slot>) {
        let seen = Seen::made(source, made, self.plan.policy.strategy());
        detected(self.inner, self.site, &self.buf, seen);
    }

    pub(super) fn detected_in(&self, tier: &str, source: Source, slot: &Slot) {
        let seen = Seen::of(source, tier, slot);
        detected(self.inner, self.site, &self.buf, seen);
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
        self.ready_outside(&mut lead).await;
        lead.asked = Asked::now(self.inner);
        let began = lead.asked.at;
        let kept = self.kept_before(&lead, began);
        let flight = Arc::clone(&lead.flight);
        let offer = self.offer::<S::Value>(&lead, kept.as_ref(), began);
        let mut loading = self.loading();
        let output = Led::new(&[&flight], offer, async move { load().await })
            .run()
            .await;
        let cause = Cause::of_what_came_back();
        let took = self.took(began);
        let split = S::split(output);
        loading.end(Outcome::came_of(&split, |_| true));
        match split {
            Ok(value) => {
                let mut made = self.make::<S, R>(&lead, &value, took, settle);
                let filled = self.keep(&mut lead, &made).await;
                made.storing.end(filled.into());
                let slot = made.slot.take().filter(|_| filled == Filled::Stored);
                self.land(&mut lead, made);
                self.detected(Source::Loaded, slot.as_ref());
                S::value(value)
            }
            Err(error) => self.fail::<S, R, T>(lead, kept, share, (error, cause), took, settle),
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
        let mut lead = Lead::alone(self.inner, lease);
        self.ready_outside(&mut lead).await;
        lead.asked = Asked::now(self.inner);
        let began = lead.asked.at;
        let kept = self.kept_before(&lead, began);
        let offer = self.offer::<S::Value>(&lead, kept.as_ref(), began);
        let mut loading = self.loading();
        let output = Led::new(&[], offer, async move { load().await })
            .run()
            .await;
        let cause = Cause::of_what_came_back();
        let took = self.took(began);
        let split = S::split(output);
        loading.end(Outcome::came_of(&split, |_| true));
        match split.as_ref() {
            Ok(value) => {
                let mut made = self.make::<S, R>(&lead, value, took, settle);
                let filled = match keep {
                    Keep::Put => Box::pin(self.put_made(&lead, &made)).await,
                    Keep::Load => self.keep(&mut lead, &made).await,
                };
                made.storing.end(filled.into());
            }
            Err(_) if cause == Cause::Refusal => {}
            Err(error) => {
                self.failed(took);
                self.keep_failure::<S, R>(&lead.lease, error, took, settle);
            }
        }
        match split {
            Ok(value) => {
                self.detected(Source::Loaded, None);
                S::value(value)
            }
            Err(error) => {
                self.detected(Source::Failed, None);
                cause.passed_on();
                S::error(error)
            }
        }
    }

    /// Tells the middleware that the source is about to be called.
    pub(super) fn loading(&self) -> Doing<'_> {
        let (key, path) = (self.key.as_str(), self.site.path);
        let intended = || Intended::key(Action::Load, self.inner.bare(key)).by(path);
        self.inner.begin(intended).unwrap_or(Doing::unseen())
    }

    /// What the source may see of what is kept, if that still stands.
    fn offer<V: Cacheable>(
        &self,
        lead: &Lead,
        kept: Option<&Kept>,
        at: Timestamp,
    ) -> Option<Offer> {
        let kept = kept.filter(|_| !self.inner.is_off(Operations::READ))?;
        let (_, slot) = self.still_kept::<V>(lead, Some(kept.clone()))?;
        Some(Offer { slot, at })
    }

    pub(super) fn took(&self, began: Timestamp) -> Duration {
        self.inner.clock.now().since(began)
    }

    pub(super) fn loaded(&self, took: Duration) {
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

    /// Asks the store for the right to fill it, unless that is known already.
    pub(super) async fn ready_outside(&self, lead: &mut Lead) {
        if let Some(outside) = self.outside()
            && lead.store.is_none()
            && !lead.store_failed
            && !self.inner.is_off(Operations::WRITE)
        {
            Box::pin(self.lease_outside(outside, lead)).await;
        }
    }

    /// What a value is kept as, and for how long.
    pub(super) fn make<S, R>(
        &self,
        lead: &Lead,
        value: &S::Value,
        took: Duration,
        settle: impl FnOnce(&mut Settle<'_, S::Value, S::Error>),
    ) -> Made<'a>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        self.loaded(took);
        let followed = lead.flight.has_followers();
        let orders = loaded::orders(value);
        if orders.is_some_and(|orders| orders.not_modified) {
            self.count(Counter::NotModified, 1);
            let key = self.key.as_str();
            self.inner.tell(|| Event::NotModified { key });
        }
        let settle = |deciding: &mut Settle<'_, S::Value, S::Error>| {
            orders.into_iter().for_each(|orders| deciding.obey(orders));
            settle(deciding);
        };
        let (settled, kept) = settled(Ok(value), took, settle, S::keep);
        let terms = self.terms(&settled, &lead.lease, took);
        let shared = match kept {
            Some(shared) => Some(shared),
            None if followed => Some(S::keep(value)),
            None => None,
        };
        let (slot, storing) = match (terms, shared.clone()) {
            (Some(terms), Some(shared)) => self.slot(shared, size_of::<S::Value>(), terms),
            _ => (None, Doing::unseen()),
        };
        Made {
            shared,
            slot,
            storing,
            // Also when nothing is stored: they decide whether those who wait may have the value.
            tags: self.tags(&settled).into(),
        }
    }

    /// The entry of a value, unless middleware leaves it out.
    fn slot(&self, value: (Kind, Value), size: usize, terms: Terms) -> (Option<Slot>, Doing<'a>) {
        let (inner, said) = (self.inner, terms.policy.weight);
        match inner.begin_set(&self.key, self.site.path, (&value.1, size), said) {
            Some(storing) => (Some(inner.slot(&self.key, value, size, terms)), storing),
            None => (None, Doing::unseen()),
        }
    }

    /// Tells those who wait.
    pub(super) fn land(&self, lead: &mut Lead, made: Made<'_>) {
        let as_of = lead.lease.as_of;
        // Another process may have invalidated it since, and who joined may have begun after that. Without a lease nobody could have said so: then
        // sharing the load is worth more.
        let asked = lead.store.as_ref().map(|_| lead.asked.moment);
        lead.land(match made.shared {
            Some((kind, value)) => Landing::Value {
                kind,
                value,
                tags: made.tags,
                as_of,
                due: u64::MAX,
                asked,
            },
            None => Landing::Retry,
        });
    }

    /// Tells those who wait that the source has nothing for the key.
    pub(super) fn land_absent(&self, lead: &mut Lead) {
        lead.land(Landing::Absent {
            tags: self.plan.tags.as_slice().into(),
            as_of: lead.lease.as_of,
            asked: lead.store.as_ref().map(|_| lead.asked.moment),
        });
    }

    /// How the answer is kept; `None` when it is not.
    fn terms(&self, settled: &Settled, lease: &Lease, took: Duration) -> Option<Terms> {
        let mut policy = self.plan.policy;
        if settled.failure {
            // A kept error lives for its own time; the timeline of values is not its own.
            policy = Policy::new();
        }
        let settled_ttl = match (settled.failure, self.plan.overrides.ttl) {
            (false, Some(ttl)) => Some(ttl.0),
            _ => settled.ttl,
        };
        policy.ttl = settled_ttl.or(policy.ttl);
        if policy.weight == 0 {
            policy.weight = settled.weight;
        }
        let fault = self.plan.fault.or(settled.fault).or(policy.fault());
        let missing = policy.ttl.is_none().then_some(Fault::NoTtl);
        if settled.too_long {
            let (key, why) = (self.key.as_str(), Unrecorded::TooLong);
            self.inner.tell(|| Event::NotRecorded { key, why });
        }
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
        let mut all = self.plan.tags.clone();
        for tag in &settled.tags {
            // Of what is renewed they are the same once more.
            if !all.contains(tag) {
                all.push(tag.clone());
            }
        }
        all
    }

    /// Keeps an error, if it is to be kept. Never outside: it is this process that had no luck.
    pub(super) fn keep_failure<S, R>(
        &self,
        lease: &Lease,
        error: &S::Error,
        took: Duration,
        settle: impl FnOnce(&mut Settle<'_, S::Value, S::Error>),
    ) where
        S: Shape<R>,
    {
        let (settled, failure) =
            settled::<S::Value, S::Error>(Err(error), took, settle, |_| unreachable!());
        if let (Some(terms), Some(failure)) = (self.terms(&settled, lease, took), failure) {
            let (slot, mut storing) = self.slot(failure, size_of::<S::Error>(), terms);
            let Some(slot) = slot else {
                return;
            };
            let filled = self.inner.fill(lease, When::Absent, slot);
            self.filled(filled);
            storing.end(filled.into());
        }
    }

    /// The cache has counted it; here it is the function's.
    pub(super) fn filled(&self, filled: Filled) {
        let counter = match filled {
            Filled::Stored => Counter::Stored,
            Filled::Superseded => Counter::Superseded,
            Filled::LeftOut => return,
        };
        self.count_own(counter, 1);
    }
}

/// What the settling closures decided, without the borrow of the answer.
struct Settled {
    store: bool,
    failure: bool,
    ttl: Option<u64>,
    tags: Vec<Key>,
    fault: Option<Fault>,
    too_long: bool,
    weight: u32,
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
        too_long: deciding.too_long,
        weight: deciding.weight,
    };
    (settled, value)
}
