//! Loading several keys with one call, sharing loads with whoever loads some of them already.
//!
//! What is loaded for is an [`Item`]: its key, its plan, and the name `T` that its caller knows it by.

mod answer;
mod asking;
mod ends;
mod inside;
mod outside;

pub use answer::{Answer, AskedFor, EntryOf};
pub use asking::{Asking, Overdue, picked};
use inside::Turn;

use std::future::Future;
use std::sync::Arc;

use super::failure::Cause;
use super::follow::{Followed, deadline};
use super::hit::{count, count_look, look};
use super::lead::{Asked, Call, Kept};
use super::{Cacheable, Hit, Lead, Planned, Shape, Share, Site, Ticket, hit};
use crate::cache::{Cache, Inner, Permit};
use crate::flight::{Flight, Led, moment};
use crate::key::KeyBuf;
use crate::lease::Joined;
use crate::middleware::{Action, Doing, Intended, Outcome};
use crate::policy::Policy;
use crate::runtime::Timestamp;
use crate::stats::Counter;
use crate::switch::Operations;

/// One call for several keys.
pub(crate) struct Batch<'a> {
    inner: &'a Arc<Inner>,
    cache: &'a Cache,
    until: Timestamp,
}

/// One of the keys, and how it is loaded.
pub(crate) struct Item<'a, T> {
    id: T,
    call: Call<'a>,
    reading: Reading<'a>,
}

/// The read of a key as middleware sees it; `None` when it was left out.
pub(crate) type Reading<'a> = Option<Doing<'a>>;

/// What memory has of several keys.
pub(crate) struct Hits<'a, T, V, E> {
    pub(crate) found: Vec<(T, V)>,
    pub(crate) missing: Vec<(T, KeyBuf, Reading<'a>)>,
    pub(crate) due: Due<T>,
    /// An error that was kept for one of them.
    pub(crate) failed: Option<E>,
}

/// What is there and wants to be reloaded.
pub(crate) struct Due<T> {
    pub(crate) keys: Vec<(T, KeyBuf, Lead)>,
    /// One place among the loads behind for all: it will be one load.
    pub(crate) permit: Option<Permit>,
}

/// Which of the missing keys this call loads, and for which it waits.
pub(crate) struct Joining<'a, T> {
    pub(crate) leads: Leads<'a, T>,
    pub(crate) follows: Vec<Following<'a, T>>,
}

/// The keys that this call loads.
pub(crate) struct Leads<'a, T> {
    leads: Vec<Leading<'a, T>>,
    began: Timestamp,
}

struct Leading<'a, T> {
    item: Item<'a, T>,
    lead: Lead,
    kept: Option<Kept>,
    why: Why,
    /// The call of the source for it.
    loading: Doing<'a>,
    /// Where it is kept, if this is in a scope that keeps changes to itself.
    inside: Option<Turn>,
}

/// Why a key is loaded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Missing,
    /// It has been served, and is only reloaded.
    Due,
    /// Somebody asked for a new value.
    Anew,
    /// Its own load asks for it: what comes is a part of the value that is being made, and not kept.
    Past,
}

/// A key that another call loads.
pub(crate) struct Following<'a, T> {
    item: Item<'a, T>,
    flight: Arc<Flight>,
    seen: u64,
    began: u64,
}

/// Looks into memory for several keys, each of them once.
pub(crate) fn hits<'a, T: Clone, S, R>(
    cache: &'a Cache,
    site: &'static Site,
    keys: impl IntoIterator<Item = (T, KeyBuf)>,
) -> Hits<'a, T, S::Value, S::Error>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let mut hits = Hits {
        found: Vec::new(),
        missing: Vec::new(),
        due: Due::none(),
        failed: None,
    };
    for (id, key) in keys {
        let (looked, mut reading) = read::<S, R>(cache, site, &key);
        let (output, ticket) = match looked {
            Hit::Value(output) => (output, None),
            Hit::Refresh(output, ticket) => (output, Some(ticket)),
            Hit::Miss => {
                hits.missing.push((id, key, reading));
                continue;
            }
        };
        if let Some(reading) = &mut reading {
            reading.end(Outcome::Hit);
        }
        match (S::split(output), ticket) {
            (Ok(value), None) => hits.found.push((id, value)),
            (Ok(value), Some(ticket)) => {
                hits.due.add(&id, key, ticket);
                hits.found.push((id, value));
            }
            (Err(error), _) => drop(hits.failed.get_or_insert(error)),
        }
    }
    hits
}

/// Asks the middleware, and then memory.
fn read<'a, S, R>(cache: &'a Cache, site: &'static Site, key: &KeyBuf) -> (Hit<R>, Reading<'a>)
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let inner = &cache.inner;
    let (looked, reading) = if inner.middleware.is_empty() || inner.is_off(Operations::READ) {
        (hit::<S, R>(cache, site, key), Some(Doing::unseen()))
    } else {
        let intended = || Intended::key(Action::Get, inner.bare(key.as_str())).by(site.path);
        match inner.begin(intended) {
            Some(reading) => (look::<S, R>(cache, site, key.clone()), Some(reading)),
            None => {
                count(inner, site, Counter::Misses);
                (Hit::Miss, None)
            }
        }
    };
    count_look(inner, site, key, Some(&looked));
    (looked, reading)
}

impl<T> Due<T> {
    pub(crate) const fn none() -> Self {
        Self {
            keys: Vec::new(),
            permit: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl<T: Clone> Due<T> {
    fn add(&mut self, id: &T, key: KeyBuf, ticket: Ticket) {
        let (lead, permit) = ticket.into_parts();
        self.permit = self.permit.take().or(permit);
        self.keys.push((id.clone(), key, lead));
    }
}

impl<'a> Batch<'a> {
    /// It waits for other calls for as long as `policy` says.
    pub(crate) fn new(cache: &'a Cache, policy: &Policy) -> Self {
        let inner = &cache.inner;
        Self {
            inner,
            cache,
            until: deadline(inner, policy.wait).min(deadline(inner, policy.hard_timeout)),
        }
    }

    pub(crate) fn item<T>(
        &self,
        id: T,
        site: &'static Site,
        (buf, reading): (KeyBuf, Reading<'a>),
        plan: Planned,
    ) -> Item<'a, T> {
        let call = Call {
            inner: self.inner,
            site,
            key: buf.to_key(),
            buf,
            plan,
        };
        Item { id, call, reading }
    }

    /// Leads the keys that nobody loads.
    pub(crate) fn join<T, S, R>(
        &self,
        missing: Vec<Item<'a, T>>,
        found: &mut Vec<(T, S::Value)>,
    ) -> Joining<'a, T>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let mut leads = Vec::new();
        let mut follows = Vec::new();
        for mut item in missing {
            let is_unread = self.inner.is_off(Operations::READ) || item.reading.is_none();
            let call = &item.call;
            let seen = self.inner.tags.epoch();
            let leases = &self.inner.leases;
            let joined = if is_unread {
                leases.lead_alone(&call.key, seen)
            } else {
                leases.join(&call.key, seen, |flight| call.may_join(flight))
            };
            match joined {
                Joined::Lead(lease, flight) => {
                    let mut lead = Lead::new(self.inner, lease, flight);
                    let filled = match is_unread {
                        true => None,
                        false => call.filled_meanwhile::<S, R>(&mut lead).map(S::split),
                    };
                    match filled {
                        Some(Ok(value)) => {
                            item.ended(Outcome::Hit);
                            found.push((item.id, value));
                        }
                        _ => leads.push(Leading::new(item, lead)),
                    }
                }
                Joined::Follow(flight) => follows.push(Following {
                    item,
                    flight,
                    seen,
                    began: moment(),
                }),
            }
        }
        let leads = self.leading(leads);
        Joining { leads, follows }
    }

    /// Leads all keys, whoever loads them and whatever is there: what is asked for anew must not be given by an older load.
    pub(crate) fn join_anew<T>(&self, items: Vec<Item<'a, T>>) -> Leads<'a, T> {
        let anew = |item: Item<'a, T>| {
            let (leases, key) = (&self.inner.leases, &item.call.key);
            leases.lock(key).revoke(key);
            let Joined::Lead(lease, flight) = leases.join(key, self.inner.tags.epoch(), |_| false)
            else {
                unreachable!("a flight that may not be joined was joined");
            };
            let lead = Lead::new(self.inner, lease, flight);
            Leading {
                why: Why::Anew,
                ..Leading::new(item, lead)
            }
        };
        self.leading(items.into_iter().map(anew).collect())
    }

    /// Leads what has been served and is due; its loss is told, because nobody else would hear of it.
    pub(crate) fn claim<T>(&self, due: Vec<(Item<'a, T>, Lead)>) -> Leads<'a, T> {
        let claimed = due.into_iter().map(|(item, mut lead)| {
            lead.watch_for_loss();
            Leading {
                why: Why::Due,
                ..Leading::new(item, lead)
            }
        });
        self.leading(claimed.collect())
    }

    fn leading<T>(&self, leads: Vec<Leading<'a, T>>) -> Leads<'a, T> {
        Leads {
            leads,
            began: self.inner.clock.now(),
        }
    }

    /// Waits for the other loads; gives back what came to nothing, and leads past the cache what they wait for themselves.
    ///
    /// # Errors
    /// The error of a load that was shared.
    pub(crate) async fn follow<T, S, R>(
        &self,
        follows: Vec<Following<'a, T>>,
        share: Option<Share<S::Error>>,
        found: &mut Vec<(T, S::Value)>,
    ) -> Result<(Vec<Item<'a, T>>, Leads<'a, T>), S::Error>
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
    {
        let mut again = Vec::new();
        let mut past = Vec::new();
        for Following {
            mut item,
            flight,
            seen,
            began,
        } in follows
        {
            let followed = item
                .call
                .follow::<S, R>(&flight, self.until, (seen, began), share)
                .await;
            match followed {
                Followed::Answer(answer) => {
                    item.ended(Outcome::Miss);
                    found.push((item.id, S::split(answer)?));
                }
                Followed::Absent => item.ended(Outcome::Miss),
                Followed::Again => again.push(item),
                Followed::Past => past.push(self.lead_past(item)),
                Followed::Served(output) => {
                    item.ended(Outcome::Hit);
                    found.push((item.id, S::split(output)?));
                }
                late @ (Followed::Late | Followed::Alone) => {
                    if matches!(late, Followed::Late) {
                        item.call.waited_too_long();
                        // It would rather have what is kept than add to the load of a slow source.
                        let kept = item.call.save_late::<S::Value>(Cause::Failure).await;
                        if let Some(value) = kept {
                            item.ended(Outcome::Miss);
                            found.push((item.id, value));
                            continue;
                        }
                    }
                    // Waiting is over for this one: take the flight over, so that the next round leads it.
                    self.inner.leases.land(&item.call.key, &flight);
                    again.push(item);
                }
            }
        }
        Ok((again, self.leading(past)))
    }

    /// Leads a key beside its flight.
    fn lead_past<T>(&self, item: Item<'a, T>) -> Leading<'a, T> {
        let lead = Lead::alone(self.inner, item.call.base_lease());
        Leading {
            why: Why::Past,
            ..Leading::new(item, lead)
        }
    }
}

impl<'a, T> Leading<'a, T> {
    fn new(item: Item<'a, T>, lead: Lead) -> Self {
        Self {
            item,
            lead,
            kept: None,
            why: Why::Missing,
            loading: Doing::unseen(),
            inside: None,
        }
    }
}

impl<T> Item<'_, T> {
    /// Tells the middleware how the read ended; once, the first time.
    fn ended(&mut self, outcome: Outcome) {
        if let Some(reading) = &mut self.reading {
            reading.end(outcome);
        }
    }
}

impl<'a, T> Leads<'a, T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.leads.is_empty()
    }

    /// Leads these keys too.
    pub(crate) fn and(mut self, more: Self) -> Self {
        self.leads.extend(more.leads);
        self
    }

    /// The first `count` of them; the others stay.
    pub(crate) fn take(&mut self, count: usize) -> Self {
        let rest = self.leads.split_off(count.min(self.leads.len()));
        Self {
            leads: std::mem::replace(&mut self.leads, rest),
            began: self.began,
        }
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &T> {
        self.leads.iter().map(|leading| &leading.item.id)
    }

    /// Runs the loader of all its keys. `waiting` are led by the same caller, and loaded later.
    pub(crate) async fn load<F: Future>(&mut self, waiting: Option<&Self>, load: F) -> F::Output {
        for Leading {
            item,
            lead,
            kept,
            why,
            loading,
            inside,
        } in &mut self.leads
        {
            item.ended(Outcome::Miss);
            let call = &item.call;
            let intended = || {
                let key = call.inner.bare(call.key.as_str());
                Intended::key(Action::Load, key).by(call.site.path)
            };
            *loading = call.inner.begin(intended).unwrap_or(Doing::unseen());
            lead.asked = Asked::now(&lead.inner);
            self.began = lead.asked.at;
            // Inside, what lies beneath may have been changed: it stands in for nothing.
            if kept.is_none() && inside.is_none() && *why != Why::Past {
                *kept = item.call.kept_before(lead, self.began);
            }
        }
        let waiting = waiting.into_iter().flat_map(|waiting| &waiting.leads);
        let all = self.leads.iter().chain(waiting);
        let flights: Vec<&Flight> = all.map(|leading| &*leading.lead.flight).collect();
        Led::new(&flights, None, load).run().await
    }
}
