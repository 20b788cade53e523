//! `get_or_load_many`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::{Future, IntoFuture};

use super::increment::policy_knobs;
use crate::cache::Cache;
use crate::codec::Wire;
use crate::engine::{Batch, Cacheable, Joining, Planned, deadline, refused, within};
use crate::error::{BoxError, Error, Result};
use crate::flight::Led;
use crate::key::Key;
use crate::middleware::Outcome;
use crate::policy::{Fault, Policy};
use crate::runtime::{BoxFuture, block_on};
use crate::scope;

/// A read of several keys with one load behind it, before it is awaited.
#[must_use = "nothing is read before it is awaited, or driven with `wait`"]
pub struct GetOrLoadMany<'a, L> {
    cache: &'a Cache,
    keys: Vec<String>,
    load: L,
    policy: Policy,
    tags: Vec<Key>,
    wire: Wire,
}

impl<'a, L> GetOrLoadMany<'a, L> {
    pub(super) fn new(cache: &'a Cache, keys: Vec<String>, load: L, wire: Wire) -> Self {
        Self {
            cache,
            keys,
            load,
            policy: Policy::new(),
            tags: Vec::new(),
            wire,
        }
    }

    policy_knobs!();

    /// Tags to forget them by.
    pub fn tags(mut self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        self.tags
            .extend(tags.into_iter().map(|t| Key::from(t.as_ref())));
        self
    }

    fn checked(&self) -> Result<Policy> {
        let inner = &self.cache.inner;
        inner.open("get_or_load_many")?;
        let policy = self.policy.or(&inner.defaults);
        let missing = policy.ttl.is_none().then_some(Fault::NoTtl);
        match (policy.fault().or(missing), self.keys.first()) {
            (Some(fault), first) => {
                let key = Key::from(first.map_or("", String::as_str));
                Err(refused("get_or_load_many", &key, fault))
            }
            (None, _) => Ok(policy),
        }
    }

    async fn run<F, V, E>(self) -> Result<HashMap<String, V>>
    where
        L: FnMut(Vec<String>) -> F,
        F: Future<Output = Result<HashMap<String, V>, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        let policy = self.checked()?;
        let until = deadline(&self.cache.inner, policy.hard_timeout);
        let Self {
            cache,
            keys,
            mut load,
            tags,
            wire,
            ..
        } = self;
        let overrides = scope::overrides();
        let plan = Planned {
            policy: overrides.policy(policy),
            tags,
            wire,
            borrows: true,
            fault: overrides.fault,
            overrides,
        };
        if plan.overrides.bypass {
            let mut seen = HashSet::new();
            let mut wanted = keys;
            wanted.retain(|key| seen.insert(key.clone()));
            let loaded = Led::new(&[], None, load(wanted.clone())).run().await;
            return loaded.map_err(|error| source_error(cache, &wanted, error));
        }
        let batch = Batch::new(cache, plan);
        if let Some(ambient) = cache.inner.ambient() {
            let failed = |error: E| source_error(cache, &[], error);
            return batch.inside(&ambient, keys, &mut load, failed).await;
        }
        let mut found = HashMap::with_capacity(keys.len());
        let (mut missing, mut claimed) = batch.hits(keys, &mut found);
        while !missing.is_empty() || !claimed.is_empty() {
            let Joining { leads, follows } = batch.join(&missing, &mut found);
            let none = claimed.none();
            let leads = leads.and(std::mem::replace(&mut claimed, none));
            let mut leads = batch.look(leads, &mut found).await;
            // Own loads first: a batch that waits holds nothing that another batch could be waiting for.
            if !leads.is_empty() {
                let wanted = leads.bare_keys();
                let loading = batch.loading(&leads);
                let keys = wanted.clone();
                let source = leads.load(load(wanted));
                let loaded = within(&cache.inner, until, source).await;
                let told = |error| source_error(cache, &missing, error);
                let loaded = loaded.map(|loaded| loaded.map_err(told));
                for (mut loading, key) in loading.into_iter().zip(&keys) {
                    let has = |loaded: &HashMap<String, V>| loaded.contains_key(key);
                    loading.end(match &loaded {
                        Some(loaded) => Outcome::came_of(loaded, has),
                        None => Outcome::Failed,
                    });
                }
                match loaded {
                    Some(Ok(mut loaded)) => {
                        batch.fill(leads, &mut loaded).await;
                        found.extend(loaded);
                    }
                    Some(Err(error)) => batch.fail(leads, error, &mut found)?,
                    None => batch.fail_late(leads, &mut found)?,
                }
            }
            missing = batch.follow(follows, &mut found).await?;
        }
        Ok(found)
    }

    /// Reads on this thread, and loads on it if need be.
    ///
    /// # Errors
    /// See [`Cache::get_or_load_many`].
    pub fn wait<F, V, E>(self) -> Result<HashMap<String, V>>
    where
        L: FnMut(Vec<String>) -> F,
        F: Future<Output = Result<HashMap<String, V>, E>>,
        V: Cacheable,
        E: Into<BoxError>,
    {
        block_on(self.run())
    }
}

fn source_error(cache: &Cache, missing: &[String], error: impl Into<BoxError>) -> Error {
    let key = cache.full_key(missing.first().map_or("", String::as_str));
    Error::from_source("get_or_load_many", &key.to_key(), error.into())
}

impl<'a, L, F, V, E> IntoFuture for GetOrLoadMany<'a, L>
where
    L: FnMut(Vec<String>) -> F + Send + 'a,
    F: Future<Output = Result<HashMap<String, V>, E>> + Send + 'a,
    V: Cacheable,
    E: Into<BoxError> + 'a,
{
    type Output = Result<HashMap<String, V>>;
    type IntoFuture = BoxFuture<'a, Result<HashMap<String, V>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<L> fmt::Debug for GetOrLoadMany<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrLoadMany")
            .field("keys", &self.keys.len())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
