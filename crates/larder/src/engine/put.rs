//! Writing a value from outside under a function's own policy.

use std::sync::Arc;
use std::time::Duration;

use super::{Cacheable, Plan, Settle, Shape, Site};
use crate::cache::{Inner, When};
use crate::entry::{Kind, Terms, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, KeyBuf};
use crate::policy::{Fault, Policy};
use crate::stats::Counter;

pub(crate) fn put<S, R>(
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
    settle(&mut settled);
    let mut policy = planned.policy;
    policy.ttl = settled.ttl.or(policy.ttl);
    if let Some(fault) = planned.fault.or(settled.fault) {
        return Err(refused("put", &key, fault));
    }
    let tags = planned.tags.into_iter().chain(settled.tags).collect();
    let value = (S::keep(&value), size_of::<S::Value>());
    if store(inner, "put", &key, When::Always, policy, tags, value)? {
        site.counters.add(Counter::Stored, 1);
    }
    Ok(())
}

/// Writes one value; false when `when` or a switch left it out.
pub(crate) fn store(
    inner: &Arc<Inner>,
    operation: &'static str,
    key: &Key,
    when: When,
    policy: Policy,
    tags: Vec<Key>,
    (value, size): ((Kind, Value), usize),
) -> Result<bool> {
    if let Some(fault) = policy.fault() {
        return Err(refused(operation, key, fault));
    }
    if policy.ttl.is_none() {
        return Err(refused(operation, key, Fault::NoTtl));
    }
    let terms = Terms {
        policy,
        tags,
        as_of: inner.tags.epoch(),
        cost: Duration::ZERO,
        weight: policy.weight,
    };
    let slot = inner.slot(key, value, size, terms);
    Ok(inner.write(key, when, |_| Some(slot)))
}

pub(crate) fn refused(operation: &'static str, key: &Key, fault: Fault) -> Error {
    Error::new(ErrorKind::InvalidPolicy, operation, fault.message()).at(key)
}
