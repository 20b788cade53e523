//! Writing a value from outside under a function's own policy.

use std::sync::Arc;
use std::time::Duration;

use super::{Cacheable, Plan, Settle, Shape, Site};
use crate::cache::{Inner, Through, When};
use crate::codec::Wire;
use crate::entry::{Kind, Slot, Terms, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, KeyBuf};
use crate::loaded;
use crate::middleware::Outcome;
use crate::overlay::Kept;
use crate::policy::{Fault, Policy};
use crate::stats::Counter;

pub(crate) async fn put<S, R>(
    inner: &Arc<Inner>,
    site: &'static Site,
    key: KeyBuf,
    prepare: impl FnOnce(&mut Plan<S::Error>),
    settle: impl FnOnce(&mut Settle<'_, S::Value, S::Error>),
    value: S::Value,
) -> Result<()>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let key = key.to_key();
    let mut plan = Plan::new();
    prepare(&mut plan);
    let planned = plan.finish(inner, &key);
    // Whoever puts a value means it: only its ttl and its tags are asked for, not whether to keep it.
    let mut settled = Settle::new(Ok(&value), Duration::ZERO);
    if let Some(orders) = loaded::orders(&value) {
        settled.obey(orders);
    }
    settle(&mut settled);
    let mut policy = planned.policy;
    policy.ttl = settled.ttl.or(policy.ttl);
    if policy.weight == 0 {
        policy.weight = settled.weight;
    }
    if let Some(fault) = planned.fault.or(settled.fault) {
        return Err(refused("put", &key, fault));
    }
    let tags = planned.tags.into_iter().chain(settled.tags).collect();
    let value = (S::keep(&value), size_of::<S::Value>());
    let storing = Storing {
        operation: "put",
        key: &key,
        when: When::Always,
        policy,
        wire: &planned.wire,
    };
    if store(inner, storing, tags, value).await? {
        inner.templates.note(site);
        site.counters.add(Counter::Stored, 1);
    }
    Ok(())
}

/// How one value is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storing<'a> {
    pub(crate) operation: &'static str,
    pub(crate) key: &'a Key,
    pub(crate) when: When,
    pub(crate) policy: Policy,
    pub(crate) wire: &'a Wire,
}

/// Writes one value; false when `when` or a switch left it out.
pub(crate) async fn store(
    inner: &Arc<Inner>,
    storing: Storing<'_>,
    tags: Vec<Key>,
    value: Measured,
) -> Result<bool> {
    let key = storing.key;
    let said = storing.policy.weight;
    let Some(mut writing) = inner.begin_set(key, "", (&value.0.1, value.1), said) else {
        return Ok(false);
    };
    let written = store_now(inner, storing, tags, value).await;
    writing.end(Outcome::came_of(&written, |written| *written));
    written
}

async fn store_now(
    inner: &Arc<Inner>,
    storing: Storing<'_>,
    tags: Vec<Key>,
    value: Measured,
) -> Result<bool> {
    let Storing {
        operation,
        key,
        when,
        wire,
        ..
    } = storing;
    let slot = slot(inner, storing, tags, value)?;
    if let Some(ambient) = inner.ambient_transaction() {
        let kept = Kept { slot, wire: *wire };
        let written = inner.write_inside(&ambient, key, when, kept).await;
        return written.map_err(|error| error.during(operation).at(key));
    }
    match inner.outside_for(wire) {
        None => Ok(inner.write(key, when, |_| Some(slot))),
        Some(outside) => {
            let through = Through {
                outside,
                wire,
                key,
                when,
                asked: inner.clock.now(),
            };
            let written = inner.write_through(through, slot).await;
            written.map_err(|error| {
                inner.store_failed(outside, key.as_str(), &error);
                error.during(operation).at(key)
            })
        }
    }
}

/// A value, and the size of its type.
type Measured = ((Kind, Value), usize);

/// Writes several values under one policy; how many were written. To a store they go in one round trip.
pub(crate) async fn store_many(
    inner: &Arc<Inner>,
    policy: Policy,
    wire: &Wire,
    tags: &[Key],
    entries: Vec<(Key, Measured)>,
) -> Result<usize> {
    let mut slots = Vec::with_capacity(entries.len());
    let mut writings = Vec::new();
    for (key, value) in entries {
        let storing = Storing {
            operation: "set_many",
            key: &key,
            when: When::Always,
            policy,
            wire,
        };
        let Some(writing) = inner.begin_set(&key, "", (&value.0.1, value.1), policy.weight) else {
            continue;
        };
        writings.push(writing);
        let slot = slot(inner, storing, tags.to_vec(), value)?;
        slots.push((key, slot));
    }
    let written = store_slots(inner, wire, slots).await;
    for mut writing in writings {
        writing.end(Outcome::came_of(&written, |count| *count > 0));
    }
    written
}

async fn store_slots(inner: &Arc<Inner>, wire: &Wire, slots: Vec<(Key, Slot)>) -> Result<usize> {
    if let Some(ambient) = inner.ambient_transaction() {
        let mut written = 0;
        for (key, slot) in slots {
            let kept = Kept { slot, wire: *wire };
            let stored = inner.write_inside(&ambient, &key, When::Always, kept).await;
            let stored = stored.map_err(|error| error.during("set_many").at(&key))?;
            written += usize::from(stored);
        }
        return Ok(written);
    }
    if let Some(outside) = inner.outside_for(wire) {
        let written = inner.write_many_through(outside, wire, slots).await;
        return written.map_err(|error| {
            inner.store_failed(outside, "", &error);
            error.during("set_many")
        });
    }
    let write = |(key, slot)| inner.write(&key, When::Always, |_| Some(slot));
    Ok(slots
        .into_iter()
        .map(write)
        .filter(|stored| *stored)
        .count())
}

/// The entry of a value that is written under a policy.
pub(crate) fn slot(
    inner: &Inner,
    storing: Storing<'_>,
    tags: Vec<Key>,
    (value, size): ((Kind, Value), usize),
) -> Result<Slot> {
    let Storing {
        operation,
        key,
        policy,
        ..
    } = storing;
    let missing = policy.ttl.is_none().then_some(Fault::NoTtl);
    if let Some(fault) = policy.fault().or(missing) {
        return Err(refused(operation, key, fault));
    }
    let terms = Terms {
        policy,
        tags,
        as_of: inner.tags.epoch(),
        cost: Duration::ZERO,
        weight: policy.weight,
    };
    Ok(inner.slot(key, value, size, terms))
}

pub(crate) fn refused(operation: &'static str, key: &Key, fault: Fault) -> Error {
    Error::new(ErrorKind::InvalidPolicy, operation, fault.message()).at(key)
}
