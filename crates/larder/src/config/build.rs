//! From a plan to a cache: opening its stores and handing all to a builder.

use std::sync::Arc;
use std::time::Duration;

use super::Configuration;
use super::advice::advice;
use super::knobs::{self, CACHE, CODEC, LEVEL, LIMITS, POLICY};
use super::plan::{Described, Level, Limits, Plan, SecretAt};
use crate::cache::Builder;
use crate::codec::Codec;
use crate::error::{Error, Result};
use crate::policy::Policy;
use crate::runtime::Runtime;
use crate::store::{self, Deduped, Guarded, Notices, Opening, Routed, Secret, Store, Tiers};
use crate::switch::Operations;

/// Puts what URLs say into a builder; what they do not say stays.
pub(crate) fn apply(builder: Builder, url: &str) -> Result<Builder> {
    let configuration = Configuration::from_url(url)?;
    let said = |(_, draft): &(_, super::draft::Draft)| draft.settings.find("name").is_some();
    let named = configuration.file.caches.iter().any(said);
    let plans = configuration.plans()?;
    plans.into_iter().try_fold(builder, |builder, plan| {
        let builder = match named {
            true => builder.name(&plan.name),
            false => builder,
        };
        furnish(&plan, builder)
    })
}

/// A builder for what a plan says.
pub(crate) fn build(plan: &Plan, builder: Builder) -> Result<Builder> {
    furnish(plan, builder.name(&plan.name))
}

fn furnish(plan: &Plan, mut builder: Builder) -> Result<Builder> {
    if !plan.prefix.is_empty() {
        builder = builder.prefix(&plan.prefix);
    }
    if plan.defaults != Policy::new() {
        builder = builder.defaults(plan.defaults);
    }
    if let Some(limit) = plan.background_loads {
        builder = builder.background_loads(limit);
    }
    if let Some(size) = plan.memory.and_then(|memory| memory.size) {
        builder = builder.size(size);
    }
    if let Some(weight) = plan.memory.and_then(|memory| memory.weight) {
        builder = builder.weight(weight);
    }
    if plan.off {
        return Ok(builder.off(Operations::ALL));
    }
    for advice in advice(plan) {
        builder = builder.advise(advice.id, advice.message);
    }
    let runtime = builder.runtime_so_far();
    let wrappers = Wrappers {
        runtime: &runtime,
        notices: builder.relay(),
    };
    let Some(store) = assemble(plan, &runtime, &wrappers)? else {
        return Ok(builder);
    };
    if plan.strict {
        builder = builder.strict();
    }
    if let Some(memory) = plan.memory {
        builder = match memory.ttl_cap {
            Some(cap) => builder.memory_ttl(cap),
            None => builder.memory_ttl("forever"),
        };
    }
    Ok(builder.store(store).codec(codec(plan)?))
}

/// What turns the stores of a plan into the one that a cache asks.
pub(crate) trait Assembly {
    /// A store that is bounded in time and left alone while it is down.
    fn guarded(&self, store: Arc<dyn Store>, limits: &Limits) -> Arc<dyn Store>;

    /// A store that is spared writes of what is there already.
    fn deduped(&self, store: Arc<dyn Store>) -> Arc<dyn Store>;

    /// Stores from near to far, each with how long it keeps an entry at most. Also asked for one store, if it has such a cap.
    fn chained(&self, levels: Vec<(Arc<dyn Store>, Option<Duration>)>) -> Result<Arc<dyn Store>>;

    /// Stores by the beginning of the whole key, the longest wins; all other keys go to `rest`.
    fn routed(&self, rest: Arc<dyn Store>, routes: Vec<(String, Arc<dyn Store>)>)
    -> Arc<dyn Store>;
}

/// The one store of a plan; `None` when it keeps values in memory only.
pub(crate) fn assemble(
    plan: &Plan,
    runtime: &Arc<dyn Runtime>,
    assembly: &impl Assembly,
) -> Result<Option<Arc<dyn Store>>> {
    let chain = |levels: &[Level]| {
        let mut opened = Vec::new();
        for level in levels {
            let store = open(level, plan.key_prefix(), runtime)?;
            let mut store = assembly.guarded(store, &level.limits);
            if level.dedupe {
                store = assembly.deduped(store);
            }
            opened.push((store, level.ttl_cap));
        }
        match &opened[..] {
            [(store, None)] => Ok(store.clone()),
            _ => assembly.chained(opened),
        }
    };
    if plan.levels.is_empty() {
        return Ok(None);
    }
    let rest = chain(&plan.levels)?;
    if plan.routes.is_empty() {
        return Ok(Some(rest));
    }
    let routes = plan.routes.iter().map(|route| {
        let prefix = format!("{}{}", plan.key_prefix(), route.prefix);
        Ok((prefix, chain(&route.levels)?))
    });
    let routes = routes.collect::<Result<Vec<_>>>()?;
    Ok(Some(assembly.routed(rest, routes)))
}

/// The wrappers that there are.
struct Wrappers<'a> {
    runtime: &'a Arc<dyn Runtime>,
    notices: Arc<dyn Notices>,
}

impl Assembly for Wrappers<'_> {
    fn guarded(&self, store: Arc<dyn Store>, limits: &Limits) -> Arc<dyn Store> {
        let mut guard = Guarded::builder(store, self.runtime.clone()).notices(self.notices.clone());
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(limit) = limits.timeout {
            guard = guard.timeout(limit);
        }
        if let Some(limit) = limits.sweep_timeout {
            guard = guard.sweep(limit);
        }
        guard = match limits.breaker {
            None => guard,
            // A share above 1 is never reached.
            Some(0) => guard.failures(u32::MAX).failing_share(2.0),
            Some(failures) => guard.failures(u32::try_from(failures).unwrap_or(u32::MAX)),
        };
        if let Some(span) = limits.probe {
            guard = guard.open_for(span);
        }
        if let Some(span) = limits.remember {
            guard = guard.remember(span);
        }
        if let Some(most) = limits.remembered {
            guard = guard.remembered(count(most));
        }
        if let Some(most) = limits.in_flight {
            guard = guard.in_flight(count(most));
        }
        Arc::new(guard.build())
    }

    fn deduped(&self, store: Arc<dyn Store>) -> Arc<dyn Store> {
        Arc::new(Deduped::new(store))
    }

    fn chained(&self, levels: Vec<(Arc<dyn Store>, Option<Duration>)>) -> Result<Arc<dyn Store>> {
        let levels = levels.into_iter().map(|(store, cap)| {
            let level = store::Level::new(store);
            match cap {
                Some(cap) => level.cap(cap),
                None => level,
            }
        });
        let tiers = Tiers::new(levels.collect())?;
        Ok(Arc::new(tiers.notices(self.notices.clone())))
    }

    fn routed(
        &self,
        rest: Arc<dyn Store>,
        routes: Vec<(String, Arc<dyn Store>)>,
    ) -> Arc<dyn Store> {
        let routed = Routed::new(rest).notices(self.notices.clone());
        let add = |routed: Routed, (prefix, store)| routed.route(prefix, store);
        Arc::new(routes.into_iter().fold(routed, add))
    }
}

/// How the values of a plan become bytes.
fn codec(plan: &Plan) -> Result<Codec> {
    let described = &plan.codec;
    let mut address = described.address.clone();
    Codec::from_address(&mut address).map_err(|error| {
        let at = address.refused().map(|name| described.valued(name));
        let first = || described.said.first().map(|(_, _, at)| at);
        at.or_else(first).unwrap_or(&described.at).place(error)
    })
}

fn open(level: &Level, prefix: &str, runtime: &Arc<dyn Runtime>) -> Result<Arc<dyn Store>> {
    let described = &level.store;
    let mut address = described.address.clone();
    if let Some(timeout) = level.limits.timeout {
        // For limits that lie below an operation, such as that of connecting.
        address.offer("timeout", &super::print::span(timeout));
    }
    if let Some(most) = level.limits.in_flight {
        address.offer("in_flight", &most.to_string());
    }
    let secret = match &level.password {
        None => None,
        Some(SecretAt::Variable(name)) => Some(("password_env", Secret::from_env(name))),
        Some(SecretAt::File(path)) => Some(("password_file", Secret::from_file(path))),
    };
    if let Some((name, secret)) = secret {
        address.set_password(secret.map_err(|error| described.valued(name).place(error))?);
    }
    let opened = store::open(&mut Opening {
        address: &mut address,
        prefix,
        runtime,
    });
    let store = opened.map_err(|error| {
        let at = address.refused().map(|name| described.valued(name));
        at.unwrap_or(&described.at).place(error)
    })?;
    if let Some(name) = address.left().first() {
        return Err(unknown(described, name, &address.known()));
    }
    Ok(store)
}

/// A parameter that neither we nor the store know.
fn unknown(described: &Described, name: &str, of_store: &[&str]) -> Error {
    let ours = LEVEL.into_iter().chain(LIMITS);
    let mut of_level: Vec<&str> = of_store.iter().copied().chain(ours).collect();
    of_level.sort_unstable();
    of_level.dedup();
    let more = CACHE.into_iter().chain(POLICY).chain(CODEC);
    let known: Vec<&str> = of_level.iter().copied().chain(more).collect();
    let scheme = described.address.scheme();
    let beside = described.said.iter().any(|(said, ..)| said == name);
    let what = match beside {
        true => "key".to_owned(),
        false => format!("parameter of `{scheme}://`"),
    };
    let listed = knobs::names_of(&of_level);
    let message = knobs::unknown(&what, name, &known, &listed);
    described.named(name).fault(message)
}
