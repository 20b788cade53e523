//! Loading several keys with one call, sharing loads with whoever loads some of them already.

use std::collections::HashMap;
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use super::follow::{Followed, deadline};
use super::lead::{Call, Kept};
use super::{AsResult, Cacheable, Hit, LOADING, Lead, Planned, Share, hit};
use crate::cache::{Cache, Inner};
use crate::detect::Source;
use crate::error::{Error, Result};
use crate::flight::{Flight, Landing, Led};
use crate::lease::Joined;
use crate::runtime::Timestamp;
use crate::switch::Operations;

/// One call for several keys.
pub(crate) struct Batch<'a> {
    inner: &'a Arc<Inner>,
    cache: &'a Cache,
    plan: Planned,
    until: Timestamp,
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
}

impl<'a> Batch<'a> {
    pub(crate) fn new(cache: &'a Cache, plan: Planned) -> Self {
        let inner = &cache.inner;
        Self {
            inner,
            cache,
            until: deadline(inner, plan.policy.wait),
            plan,
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
            match hit::<AsResult, Result<V>>(self.cache, &LOADING, &self.inner.key(&key)) {
                Hit::Value(Ok(value)) => drop(found.insert(key, value)),
                Hit::Refresh(Ok(value), ticket) => {
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
            let joined = if self.inner.is_off(Operations::READ) {
                leases.lead_alone(&call.key, seen)
            } else {
                leases.join(&call.key, seen, |flight| call.may_join(flight))
            };
            match joined {
                Joined::Lead(lease, flight) => {
                    let mut lead = Lead::new(self.inner, lease, flight);
                    match call.filled_meanwhile::<AsResult, Result<V>>(&mut lead) {
                        Some(Ok(value)) => drop(found.insert(key.clone(), value)),
                        _ => leads.push(Leading {
                            key: key.clone(),
                            lead,
                            kept: call.kept_before(self.inner.clock.now()),
                        }),
                    }
                }
                Joined::Follow(flight) => follows.push(Following {
                    key: key.clone(),
                    flight,
                    seen,
                }),
            }
        }
        let began = self.inner.clock.now();
        Joining {
            leads: Leads { leads, began },
            follows,
        }
    }

    /// Stores what was loaded and lands every flight of this call.
    pub(crate) fn fill<V: Cacheable>(&self, leads: Leads, loaded: &mut HashMap<String, V>) {
        let took = self.inner.clock.now().since(leads.began);
        let wanted: HashSet<&String> = leads.leads.iter().map(|l| &l.key).collect();
        // A loader may answer more than it was asked for; nothing is known of what it was not asked for.
        loaded.retain(|key, _| wanted.contains(key));
        drop(wanted);
        for Leading { key, mut lead, .. } in leads.leads {
            let call = self.call(&key);
            match loaded.get(&key) {
                Some(value) => {
                    call.conclude::<AsResult, Result<V>>(&mut lead, value, took, |_| {});
                    call.detected(Source::Loaded, None);
                }
                None => lead.land(Landing::Retry),
            }
        }
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
            call.failed(took);
            // What is only reloaded has been taken already; its lead tells of the loss when it is dropped.
            if found.contains_key(&key) {
                continue;
            }
            let kept = call.still_kept::<V>(&lead, kept);
            if let Some(value) = call.fall_back(&mut lead, kept.as_ref()) {
                found.insert(key, value);
                continue;
            }
            lead.land(Landing::Failed((share.pack)(&error)));
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
        for Following { key, flight, seen } in follows {
            let call = self.call(&key);
            let share = Some(Share::by_clone());
            match call
                .follow::<AsResult, Result<V>>(&flight, self.until, seen, share)
                .await
            {
                Followed::Answer(answer) => drop(found.insert(key, answer?)),
                Followed::Again => again.push(key),
                Followed::Alone | Followed::Past => {
                    // Waiting is over for this one: take the flight over, so that the next round leads it.
                    self.inner.leases.land(&call.key, &flight);
                    again.push(key);
                }
            }
        }
        Ok(again)
    }

    fn call(&self, key: &str) -> Call<'a> {
        let buf = self.inner.key(key);
        Call {
            inner: self.inner,
            site: &LOADING,
            key: buf.to_key(),
            buf,
            plan: Planned {
                policy: self.plan.policy,
                tags: self.plan.tags.clone(),
                fault: None,
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
    pub(crate) async fn load<F: Future>(&self, load: F) -> F::Output {
        let flights: Vec<&Flight> = self.leads.iter().map(|l| &*l.lead.flight).collect();
        Led::new(&flights, load).run().await
    }
}
