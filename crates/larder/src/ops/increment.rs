//! `increment`.

use std::future::IntoFuture;
use std::time::Duration;

use super::inside::{Adding, sum};
use crate::cache::{Cache, Outside, When};
use crate::engine::refused;
use crate::entry::{Terms, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::key::Key;
use crate::middleware::{Action, Intended, Outcome};
use crate::policy::{Fault, Policy};
use crate::runtime::{BoxFuture, block_on};
use crate::stats::Counter;
use crate::switch::Operations;

/// The knobs of a [`Policy`] as methods of a builder that has a `policy`.
macro_rules! policy_knobs {
    () => {
        /// How long an entry is fresh. See [`Policy::ttl`](crate::Policy::ttl).
        pub fn ttl(mut self, span: impl crate::policy::IntoSpan) -> Self {
            self.policy = self.policy.ttl(span);
            self
        }

        /// All that a policy says; what it does not say stays as it was given before.
        pub fn policy(mut self, policy: crate::Policy) -> Self {
            self.policy = policy.over(self.policy);
            self
        }
    };
}

pub(super) use policy_knobs;

/// An increment, before it is awaited.
#[derive(Debug)]
#[must_use = "nothing is added before it is awaited, or driven with `wait`"]
pub struct Increment<'a> {
    cache: &'a Cache,
    key: Key,
    by: i64,
    policy: Policy,
}

impl<'a> Increment<'a> {
    pub(super) fn new(cache: &'a Cache, key: Key, by: i64) -> Self {
        Self {
            cache,
            key,
            by,
            policy: Policy::new(),
        }
    }

    policy_knobs!();

    /// Adds on this thread; the new number.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] when the entry is no `i64`, [`ErrorKind::InvalidPolicy`] for a bad or a missing ttl on the first
    /// increment or when the sum is out of range, [`ErrorKind::Unsupported`] when the store cannot count, or writing is switched off or left out; what a store
    /// says; [`ErrorKind::Closed`].
    pub fn wait(self) -> Result<i64> {
        block_on(self.run())
    }

    async fn run(self) -> Result<i64> {
        let inner = &self.cache.inner;
        inner.open("increment")?;
        let policy = self.policy.or(&inner.defaults);
        if let Some(fault) = policy.fault() {
            return Err(refused("increment", &self.key, fault));
        }
        let intended = || Intended::key(Action::Increment, inner.bare(self.key.as_str()));
        let Some(mut adding) = inner.begin(intended) else {
            return Err(self.not_written("middleware has left it out"));
        };
        if let Some(ambient) = inner.ambient_transaction() {
            let (key, by) = (&self.key, self.by);
            let adding_inside = Adding { key, by, policy };
            let sum = match inner.is_off(Operations::WRITE) {
                true => Err(self.switched_off()),
                false => self.cache.add_inside(&ambient, adding_inside).await,
            };
            adding.end(Outcome::came_of(&sum, |_| true));
            return sum;
        }
        let sum = match &inner.outside {
            Some(outside) => self.add_outside(outside, policy).await,
            None => self.add_here(policy),
        };
        adding.end(Outcome::came_of(&sum, |_| true));
        if sum.is_ok() {
            inner.count_direct(self.key.as_str(), Counter::Stored, 1);
        }
        sum
    }

    async fn add_outside(&self, outside: &Outside, policy: Policy) -> Result<i64> {
        let (inner, store) = (&self.cache.inner, &outside.store);
        if inner.is_off(Operations::WRITE) {
            return Err(self.switched_off());
        }
        let Some(counters) = store.counters() else {
            let error = Error::unsupported("increment", store.name(), "it cannot count");
            return Err(error.at(&self.key));
        };
        let key = self.key.as_str();
        // Only the first increment needs a ttl, and only the store knows which is the first.
        if policy.ttl.is_none() && store.remaining(&[key]).await?.iter().all(Option::is_none) {
            return Err(refused("increment", &self.key, Fault::NoTtl));
        }
        let added = counters.add(key, self.by, policy.longest_life()).await;
        inner.remove(&self.key);
        added.map_err(|error| error.at(&self.key))
    }

    fn switched_off(&self) -> Error {
        self.not_written("writing is switched off")
    }

    fn not_written(&self, message: &'static str) -> Error {
        Error::new(ErrorKind::Unsupported, "increment", message).at(&self.key)
    }

    fn add_here(&self, policy: Policy) -> Result<i64> {
        let inner = &self.cache.inner;
        let mut outcome = Err(self.switched_off());
        inner.write(&self.key, When::Always, |found| {
            outcome = sum(&self.key, found, self.by, policy);
            let sum = *outcome.as_ref().ok()?;
            Some(match found {
                Some(slot) => slot.with_value(Value::new(sum)),
                None => {
                    let terms = Terms {
                        policy,
                        tags: Vec::new(),
                        as_of: inner.tags.epoch(),
                        cost: Duration::ZERO,
                        weight: policy.weight,
                    };
                    inner.slot(&self.key, Value::new(sum), size_of::<i64>(), terms)
                }
            })
        });
        outcome
    }
}

impl<'a> IntoFuture for Increment<'a> {
    type Output = Result<i64>;
    type IntoFuture = BoxFuture<'a, Result<i64>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
