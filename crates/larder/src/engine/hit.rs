//! The hit: one plain function for sync and async.

use std::time::Duration;

use super::background::Ticket;
use super::{Cacheable, DIRECT, Shape, Site};
use crate::cache::{Cache, Inner};
use crate::detect::{Read, Source};
use crate::entry::{Failure, Slot};
use crate::event::Event;
use crate::key::KeyBuf;
use crate::overlay::Ambient;
use crate::policy::{Strategy, Verdict};
use crate::runtime::Timestamp;
use crate::scope;
use crate::stats::Counter;
use crate::switch::Operations;

/// What a look into the memory tier gave.
#[derive(Debug)]
pub enum Hit<R> {
    /// Serve this.
    Value(R),
    /// Serve this, and reload behind with the ticket. A dropped ticket is a reload that was not needed.
    Refresh(R, Ticket),
    /// Load.
    Miss,
}

/// Looks for a servable entry. Allocates nothing, polls nothing, holds no lock while a value is cloned.
#[inline(always)]
pub fn hit<S, R>(cache: &Cache, site: &'static Site, key: &KeyBuf) -> Hit<R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let inner = &cache.inner;
    if !inner.switch.is_quiet() || scope::any_open() {
        return watched::<S, R>(cache, site, key.clone());
    }
    let Some(slot) = inner.memory.find(key) else {
        count(inner, site, Counter::Misses);
        return Hit::Miss;
    };
    let alive = slot.is_plain() || (!slot.is_counted() && inner.tags.stand(&slot));
    if !alive || !inner.clock.is_before(slot.fresh_until()) {
        return judged::<S, R>(cache, site, key.clone(), slot);
    }
    let (kind, value) = slot.into_shared();
    match S::read(kind, value) {
        Some(value) => {
            count(inner, site, Counter::Fresh);
            Hit::Value(S::value(value))
        }
        // A kept error, or a value of another type.
        None => watched::<S, R>(cache, site, key.clone()),
    }
}

#[inline]
pub(super) fn count(inner: &Inner, site: &'static Site, counter: Counter) {
    inner.stats.add(counter, 1);
    site.counters.add(counter, 1);
}

/// Counts a look of a direct operation under the template of its key; a function has counted for itself.
pub(crate) fn count_look<R>(
    inner: &Inner,
    site: &'static Site,
    key: &KeyBuf,
    looked: Option<&Hit<R>>,
) {
    if !site.is_function() {
        let counter = match looked {
            Some(Hit::Value(_)) => Counter::Fresh,
            Some(Hit::Refresh(..)) => Counter::Refresh,
            Some(Hit::Miss) | None => Counter::Misses,
        };
        inner.count_direct(key.as_str(), counter, 1);
    }
}

// The rare paths take the key by value: its address must not escape from the hit, where it lives in registers.

/// The hit when something is switched off, somebody listens, or a scope is open.
#[inline(never)]
fn watched<S, R>(cache: &Cache, site: &'static Site, key: KeyBuf) -> Hit<R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    // Middleware is asked first, and sees the read of an entry as one operation wherever the entry is: so the fill looks here too.
    if !cache.inner.middleware.is_empty() && !std::ptr::eq(site, &raw const DIRECT) {
        return Hit::Miss;
    }
    look::<S, R>(cache, site, key)
}

/// [`hit`] with everything that can stand in its way but middleware.
pub(super) fn look<S, R>(cache: &Cache, site: &'static Site, key: KeyBuf) -> Hit<R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let inner = &cache.inner;
    let key = inner.key_of_call(site, key);
    let bypassed = scope::overrides().bypass && !std::ptr::eq(site, &raw const DIRECT);
    if bypassed || inner.is_off(Operations::READ) {
        return missed(inner, site, &key);
    }
    let anew = scope::current().is_some_and(|settings| settings.invalidate_further);
    if let Some(ambient) = inner.ambient() {
        let found = match anew {
            true => {
                ambient.remove(&key.to_key());
                None
            }
            false => seen::<S, R>(inner, site, &key, &ambient),
        };
        return found.map_or_else(|| missed(inner, site, &key), Hit::Value);
    }
    if anew {
        inner.remove(&key.to_key());
        return missed(inner, site, &key);
    }
    match inner.memory.find(&key) {
        Some(slot) => judged::<S, R>(cache, site, key, slot),
        None => missed(inner, site, &key),
    }
}

fn missed<R>(inner: &Inner, site: &'static Site, key: &KeyBuf) -> Hit<R> {
    count(inner, site, Counter::Misses);
    inner.tell(|| Event::Miss { key: key.as_str() });
    Hit::Miss
}

/// The hit of an entry that needs more than one look at the clock.
#[inline(never)]
fn judged<S, R>(cache: &Cache, site: &'static Site, key: KeyBuf, slot: Slot) -> Hit<R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let inner = &cache.inner;
    let now = inner.clock.now();
    let verdict = slot.verdict(now);
    if verdict == Verdict::Gone {
        inner.drop_expired(&key, &slot);
        return missed(inner, site, &key);
    }
    let unwanted = !scope::overrides().allow_entry(&slot, now);
    if verdict == Verdict::Reload || unwanted || !inner.tags.stand(&slot) {
        return missed(inner, site, &key);
    }
    let Some(output) = give::<S, R>(inner, site, &key, &slot, (now, verdict), "memory") else {
        return missed(inner, site, &key);
    };
    match verdict {
        // A direct read has no source to reload with.
        Verdict::Refresh if !std::ptr::eq(site, &raw const DIRECT) => {
            match Ticket::take(cache, site, &key) {
                Some(ticket) => Hit::Refresh(output, ticket),
                None => Hit::Value(output),
            }
        }
        _ => Hit::Value(output),
    }
}

/// The hit in a scope that keeps changes to itself. Nothing is reloaded behind: what is loaded inside is for those inside.
fn seen<S, R>(inner: &Inner, site: &'static Site, key: &KeyBuf, ambient: &Ambient) -> Option<R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let now = inner.clock.now();
    let served = |slot: &Slot| matches!(slot.verdict(now), Verdict::Fresh | Verdict::Refresh);
    let full = key.to_key();
    let (slot, tier) = match ambient.decide(&full) {
        Some(slot) => (slot, "transaction"),
        None => {
            let base = inner.memory.find(key);
            let base = base.filter(|slot| served(slot) && inner.tags.stand(slot));
            // Only the store knows what is beneath.
            if base.is_none() && inner.outside.is_some() {
                return None;
            }
            (ambient.through(&full, base), "memory")
        }
    };
    let slot = slot.filter(served)?;
    let verdict = slot.verdict(now);
    give::<S, R>(inner, site, key, &slot, (now, verdict), tier)
}

/// Takes the value out of an entry that is served, counts it and tells of it.
fn give<S, R>(
    inner: &Inner,
    site: &'static Site,
    key: &KeyBuf,
    slot: &Slot,
    (now, verdict): (Timestamp, Verdict),
    tier: &str,
) -> Option<R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    // A direct read asks for values: an error that was kept is nothing to it.
    if slot.is_failure() && std::ptr::eq(site, &raw const DIRECT) {
        return None;
    }
    let Some((output, counter)) = read::<S, R>(slot, verdict) else {
        count(inner, site, Counter::WrongType);
        inner.tell(|| Event::WrongType { key: key.as_str() });
        return None;
    };
    if !slot.spend() {
        return None;
    }
    count(inner, site, counter);
    let age = now.since(slot.written());
    inner.tell(|| Event::Hit {
        key: key.as_str(),
        verdict,
        age,
    });
    let seen = Seen::of(source(counter), tier, slot);
    detected(inner, site, key, seen);
    Some(output)
}

fn read<S, R>(slot: &Slot, verdict: Verdict) -> Option<(R, Counter)>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let (kind, value) = slot.shared();
    if let Some(value) = S::read(kind, value) {
        let counter = if verdict == Verdict::Refresh {
            Counter::Refresh
        } else {
            Counter::Fresh
        };
        return Some((S::value(value), counter));
    }
    let failure = slot.failure::<Failure<S::Error>>()?;
    let error = (failure.clone)(&failure.error);
    Some((S::error(error), Counter::Negative))
}

fn source(counter: Counter) -> Source {
    match counter {
        Counter::Refresh => Source::Refresh,
        Counter::Negative => Source::Negative,
        _ => Source::Fresh,
    }
}

/// Tells the detections of this scope, if there are any.
pub(crate) fn detected(inner: &Inner, site: &'static Site, key: &KeyBuf, seen: Seen<'_>) {
    let Some(settings) = scope::current() else {
        return;
    };
    for recorder in &settings.recorders {
        recorder.read(Read {
            key: key.as_str().to_owned(),
            function: (!site.path.is_empty()).then_some(site.path),
            template: (!site.template.is_empty()).then_some(site.template),
            cache: inner.name.clone(),
            source: seen.source,
            strategy: seen.slot.map_or(seen.strategy, Slot::strategy),
            tier: seen.tier.map(Into::into),
            age: seen.tier.and(seen.slot).map(|slot| age(inner, slot)),
            remaining: seen.slot.map(|slot| inner.left(slot).into()),
            hits: seen.slot.and_then(Slot::used).map(|(used, _)| used),
        });
    }
}

/// What a read came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    source: Source,
    tier: Option<&'a str>,
    /// What was served, or what was written for later.
    slot: Option<&'a Slot>,
    /// What the call said, for when there is no entry.
    strategy: Strategy,
}

impl<'a> Seen<'a> {
    /// An entry of a tier.
    pub(crate) fn of(source: Source, tier: &'a str, slot: &'a Slot) -> Self {
        Self {
            source,
            tier: Some(tier),
            slot: Some(slot),
            strategy: Strategy::NONE,
        }
    }

    /// No entry.
    pub(crate) fn nothing(source: Source) -> Self {
        Self {
            source,
            tier: None,
            slot: None,
            strategy: Strategy::NONE,
        }
    }

    /// What the source gave, and the entry that was made of it.
    pub(super) fn made(source: Source, slot: Option<&'a Slot>, strategy: Strategy) -> Self {
        Self {
            source,
            tier: None,
            slot,
            strategy,
        }
    }
}

/// The age of an entry now.
pub(crate) fn age(inner: &Inner, slot: &Slot) -> Duration {
    let now: Timestamp = inner.clock.now();
    now.since(slot.written())
}
