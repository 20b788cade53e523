//! How a recording begins: it is there, another makes it, or this call does.

use std::convert::Infallible;

use super::recorder::Recorder;
use super::{AsItems, Items};
use crate::cache::Cache;
use crate::engine::failure::Cause;
use crate::engine::fill::{Reading, reading};
use crate::engine::follow::{Followed, deadline};
use crate::engine::lead::{Call, Lead};
use crate::engine::reach::Seen;
use crate::engine::{Cacheable, Plan, Planned, Site, Ticket};
use crate::flight::{Flight, moment};
use crate::key::KeyBuf;
use crate::lease::Joined;
use crate::middleware::Outcome;

/// What a first question came to.
pub(super) enum Opened<T> {
    Replay(Items<T>),
    /// Replay it, and record anew behind.
    Refresh(Items<T>, Ticket),
    Record(Box<Recorder<T>>),
    /// Ask the source past the cache.
    Past,
}

/// A stream that nobody has asked for an item yet.
pub(super) struct Opening<T> {
    pub(super) cache: Cache,
    pub(super) site: &'static Site,
    pub(super) key: KeyBuf,
    plan: Plan<Infallible>,
    item: std::marker::PhantomData<fn() -> T>,
}

impl<T: Cacheable> Opening<T> {
    pub(super) fn new(
        cache: &Cache,
        site: &'static Site,
        key: KeyBuf,
        plan: Plan<Infallible>,
    ) -> Self {
        Self {
            cache: cache.clone(),
            site,
            key,
            plan,
            item: std::marker::PhantomData,
        }
    }

    /// Joins the recording that is under way, or takes the lease for one.
    pub(super) async fn run(self) -> Opened<T> {
        let Self {
            cache,
            site,
            key,
            plan,
            ..
        } = self;
        let reading = match reading::<AsItems, Items<T>>(&cache, site, &key) {
            Reading::Answer(items) => return Opened::Replay(items),
            Reading::Refresh(items, ticket) => return Opened::Refresh(items, ticket),
            Reading::Left(reading) => reading,
        };
        let text = key.to_key();
        cache.inner.templates.note(site);
        let plan = plan.finish(&cache.inner, &text);
        let call = call(&cache, site, &key, plan);
        let Some(mut reading) = reading else {
            return record(&cache, call, None).await;
        };
        let until = deadline(&cache.inner, call.plan.policy.wait);
        let began = moment();
        let is_late = loop {
            let seen = cache.inner.tags.epoch();
            let leases = &cache.inner.leases;
            let joined = leases.join_with(
                &call.key,
                seen,
                |flight| call.may_join(flight),
                Flight::of_recording,
            );
            match joined {
                Joined::Lead(lease, flight) => {
                    let mut lead = Lead::new(&cache.inner, lease, flight);
                    if let Some(items) = call.filled_meanwhile::<AsItems, Items<T>>(&mut lead) {
                        reading.end(Outcome::Hit);
                        return Opened::Replay(items);
                    }
                    if let Some(outside) = call.outside() {
                        match call
                            .look_outside::<AsItems, Items<T>>(outside, &mut lead)
                            .await
                        {
                            Seen::Answer(items) => {
                                reading.end(Outcome::Hit);
                                return Opened::Replay(items);
                            }
                            Seen::Refresh(items, ticket) => {
                                reading.end(Outcome::Hit);
                                return Opened::Refresh(items, ticket);
                            }
                            Seen::Nothing | Seen::Failed(_) => {}
                        }
                    }
                    reading.end(Outcome::Miss);
                    return record(&cache, call, Some(lead)).await;
                }
                Joined::Follow(flight) => {
                    match call
                        .follow::<AsItems, Items<T>>(&flight, until, (seen, began), None)
                        .await
                    {
                        Followed::Answer(items) => {
                            reading.end(Outcome::Miss);
                            return Opened::Replay(items);
                        }
                        Followed::Served(items) => {
                            reading.end(Outcome::Hit);
                            return Opened::Replay(items);
                        }
                        Followed::Again | Followed::Absent => {}
                        Followed::Late => {
                            call.waited_too_long();
                            break true;
                        }
                        Followed::Alone => break false,
                        Followed::Past => {
                            reading.end(Outcome::Miss);
                            return Opened::Past;
                        }
                    }
                }
            }
        };
        reading.end(Outcome::Miss);
        // What was written while this call waited is as good.
        if let Some((_, items)) = call.present::<Items<T>>() {
            return Opened::Replay(items);
        }
        // Who waited too long would rather have what is kept than add to the load of a slow source.
        if is_late && let Some(items) = call.save_late::<Items<T>>(Cause::Failure).await {
            return Opened::Replay(items);
        }
        record(&cache, call, None).await
    }
}

fn call<'a>(cache: &'a Cache, site: &'static Site, key: &KeyBuf, plan: Planned) -> Call<'a> {
    Call {
        inner: &cache.inner,
        site,
        key: key.to_key(),
        buf: key.clone(),
        plan,
    }
}

/// Takes what is needed to record; without a lead nobody waits for it.
async fn record<T: Cacheable>(cache: &Cache, call: Call<'_>, lead: Option<Lead>) -> Opened<T> {
    let mut lead = lead.unwrap_or_else(|| {
        let inner = &cache.inner;
        Lead::alone(inner, inner.leases.take(&call.key, inner.tags.epoch()))
    });
    call.ready_outside(&mut lead).await;
    let Call {
        site, buf, plan, ..
    } = call;
    Opened::Record(Box::new(Recorder::new(cache, site, buf, plan, lead)))
}
