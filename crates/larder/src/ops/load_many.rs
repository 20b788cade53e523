//! `get_or_load_many`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::{Future, IntoFuture};

use super::increment::policy_knobs;
use crate::cache::Cache;
use crate::codec::Wire;
use crate::engine::{
    AsResult, Batch, Cacheable, Due, Hits, Joining, LOADING, Planned, Share, deadline, hits,
    refused, within,
};
use crate::error::{BoxError, Error, Result};
use crate::flight::Led;
use crate::key::Key;
use crate::middleware::Doing;
use crate::overlay::Came;
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
        if overrides.bypass {
            return past_the_cache(cache, keys, load).await;
        }
        let plan = Planned {
            policy: overrides.policy(policy),
            tags,
            wire,
            borrows: true,
            fault: overrides.fault,
            overrides,
        };
        let batch = Batch::new(cache, &plan.policy);
        let item = |key: String, read| batch.item(key, &LOADING, read, plan.clone());
        let mut seen = HashSet::with_capacity(keys.len());
        let keys = keys.into_iter().filter(|key| seen.insert(key.clone()));
        let keys = keys.map(|key| {
            let buf = cache.full_key(&key);
            (key, buf)
        });
        let Hits {
            mut found,
            missing,
            due,
            failed,
        } = hits::<_, AsResult, Result<V>>(cache, &LOADING, keys);
        if let Some(error) = failed {
            return Err(error);
        }
        let claim = |due: Due<String>| {
            let claimed = due.keys.into_iter();
            batch.claim(
                claimed
                    .map(|(key, buf, lead)| (item(key, (buf, Some(Doing::unseen()))), lead))
                    .collect(),
            )
        };
        let share = Some(Share::by_clone());
        let missing = missing
            .into_iter()
            .map(|(key, buf, reading)| item(key, (buf, reading)));
        let mut missing: Vec<_> = missing.collect();
        let mut claimed = claim(due);
        let mut past = claim(Due::none());
        let mut follows = Vec::new();
        let ambient = cache.inner.ambient();
        while !missing.is_empty() || !claimed.is_empty() || !past.is_empty() {
            let mut due = Due::none();
            let (leads, more) = match &ambient {
                // What runs inside shares no load with those outside, and reloads nothing behind.
                Some(ambient) => {
                    let inside = (ambient, Came::Loaded);
                    let (leads, _) = batch
                        .lead_inside::<_, AsResult, Result<V>>(inside, missing, &mut found)
                        .await;
                    (leads, Vec::new())
                }
                None => {
                    let Joining { leads, follows } =
                        batch.join::<_, AsResult, Result<V>>(missing, &mut found);
                    let (leads, _) = batch
                        .look::<_, AsResult, Result<V>>(leads.and(claimed), &mut found, &mut due)
                        .await;
                    (leads, follows)
                }
            };
            claimed = claim(due);
            follows.extend(more);
            let mut leads = leads.and(past);
            // Own loads first: a batch that waits holds nothing that another batch could be waiting for.
            if !leads.is_empty() {
                let wanted: Vec<String> = leads.ids().cloned().collect();
                let first = cache.full_key(&wanted[0]).to_key();
                let loading = leads.load(Some(&claimed), load(wanted));
                let told = |error: E| Error::from_source("get_or_load_many", &first, error.into());
                let loaded = within(&cache.inner, until, loading).await;
                match loaded.map(|loaded| loaded.map_err(told)) {
                    None => {
                        batch.fail_late::<_, AsResult, Result<V>>(leads, &mut found)?;
                    }
                    Some(Ok(mut loaded)) => {
                        // A loader may answer more than it was asked for; nothing is known of what it was not asked for.
                        let answered = batch.answered::<_, AsResult, Result<V>>(
                            leads,
                            |key| loaded.remove(key),
                            |_, _| {},
                            &mut found,
                        );
                        batch.forget_gone(answered.gone).await;
                        batch.fill(answered.filling).await;
                    }
                    Some(Err(error)) => {
                        batch.fail::<_, AsResult, Result<V>>(
                            leads,
                            error,
                            share,
                            |_, _| {},
                            &mut found,
                        )?;
                    }
                }
            }
            if claimed.is_empty() {
                let others = std::mem::take(&mut follows);
                (missing, past) = batch
                    .follow::<_, AsResult, Result<V>>(others, share, &mut found)
                    .await?;
            } else {
                (missing, past) = (Vec::new(), claim(Due::none()));
            }
        }
        Ok(found.into_iter().collect())
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

/// Asks the source for all keys, each once, and keeps nothing: this scope leaves the cache out.
async fn past_the_cache<L, F, V, E>(
    cache: &Cache,
    mut keys: Vec<String>,
    mut load: L,
) -> Result<HashMap<String, V>>
where
    L: FnMut(Vec<String>) -> F,
    F: Future<Output = Result<HashMap<String, V>, E>>,
    E: Into<BoxError>,
{
    let mut seen = HashSet::with_capacity(keys.len());
    keys.retain(|key| seen.insert(key.clone()));
    let Some(first) = keys.first().map(|key| cache.full_key(key).to_key()) else {
        return Ok(HashMap::new());
    };
    let loaded = Led::new(&[], None, load(keys)).run().await;
    loaded.map_err(|error| Error::from_source("get_or_load_many", &first, error.into()))
}
