//! The miss: join, lead or follow; the same for sync and async.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;

use super::background::{Behind, Mode};
use super::errand::{Apart, Attached, Owned};
use super::failure::Cause;
use super::follow::{Followed, deadline, within};
use super::hit::{count, count_look, look};
use super::lead::{Call, Keep};
use super::plan::Errors;
use super::reach::Seen;
use super::timed::{Limit, Limits};
use super::{Cacheable, Hit, Lead, Plan, Settle, Shape, Site, Ticket};
use crate::cache::Cache;
use crate::detect::Source;
use crate::entry::Slot;
use crate::event::Event;
use crate::flight::{Flight, Landing, Led, moment};
use crate::key::KeyBuf;
use crate::lease::Joined;
use crate::middleware::{Action, Doing, Intended, Outcome};
use crate::policy::Verdict;
use crate::runtime::{Timestamp, block_on};
use crate::scope;
use crate::stats::Counter;
use crate::switch::Operations;

/// Loads a key: runs `prepare`, joins or leads the flight, runs `load` at most once, runs `settle` over its answer, fills.
///
/// # Cancellation
/// Dropping the future drops the source if this call leads; one of those who wait takes over.
pub fn fill<S, R, P, L, F, T>(
    cache: &Cache,
    site: &'static Site,
    key: KeyBuf,
    mode: Mode,
    prepare: P,
    load: L,
    settle: T,
) -> impl Future<Output = R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
    P: FnOnce(&mut Plan<S::Error>),
    L: FnOnce() -> F,
    F: Future<Output = R>,
    T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
{
    fill_apart::<S, R, _, _, _, _, _>(cache, site, key, mode, prepare, load, settle, Attached)
}

/// [`fill`], with how to load apart from the caller: behind when what a store holds is served and due, where a dropped ticket is a reload that waits for
/// the next reader; and while the caller waits, if it may leave.
#[allow(clippy::too_many_arguments)]
pub fn fill_behind<S, R, P, L, F, T, B>(
    cache: &Cache,
    site: &'static Site,
    key: KeyBuf,
    mode: Mode,
    prepare: P,
    load: L,
    settle: T,
    behind: B,
) -> impl Future<Output = R>
where
    B: FnOnce(Ticket),
    S: Shape<R>,
    R: Send + 'static,
    S::Value: Cacheable,
    S::Error: 'static,
    P: FnOnce(&mut Plan<S::Error>),
    L: FnOnce() -> F,
    F: Future<Output = R>,
    T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
{
    let apart = Owned(behind);
    fill_apart::<S, R, _, _, _, _, _>(cache, site, key, mode, prepare, load, settle, apart)
}

#[allow(clippy::too_many_arguments)]
async fn fill_apart<S, R, P, L, F, T, A>(
    cache: &Cache,
    site: &'static Site,
    key: KeyBuf,
    mode: Mode,
    prepare: P,
    load: L,
    settle: T,
    apart: A,
) -> R
where
    A: Apart<R>,
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
    P: FnOnce(&mut Plan<S::Error>),
    L: FnOnce() -> F,
    F: Future<Output = R>,
    T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
{
    let inner = &cache.inner;
    let is_call = !matches!(mode, Mode::Background(_) | Mode::Claimed(_));
    let is_off = inner.is_off(Operations::READ | Operations::WRITE);
    if is_off || is_call && scope::overrides().bypass {
        return aside(|| Led::new(&[], None, load()).run()).await;
    }
    // A load behind a reader is of the key that was read, whatever its arguments say.
    let key = match &mode {
        Mode::Background(behind) | Mode::Claimed(behind) => {
            KeyBuf::from_text(behind.lead.lease.key.as_str())
        }
        _ => inner.key_of_call(site, key),
    };
    let reading = match mode {
        Mode::Foreground => match reading::<S, R>(cache, site, &key) {
            Reading::Answer(output) => return output,
            Reading::Refresh(output, ticket) => {
                apart.reload(ticket);
                return output;
            }
            Reading::Left(reading) => reading,
        },
        _ => None,
    };
    let mut plan = Plan::new();
    prepare(&mut plan);
    let errors = plan.errors;
    let share = errors.share;
    let text = key.to_key();
    inner.templates.note(site);
    let call = Call {
        inner,
        site,
        plan: match &mode {
            Mode::Background(behind) if behind.is_waited_for() => plan.finish_told(inner),
            _ => plan.finish(inner, &text),
        },
        key: text,
        buf: key,
    };
    let limits = call.limits();
    if let Some(inside) = call.ambient(&mode) {
        // Apart from this future, which would be as large for those who are in no such scope. What runs inside cannot go on behind.
        let load = call.inside::<S, R, _, _, _>(&inside, errors, reading, load, settle);
        let mut load = Box::pin(load);
        return call
            .hard_in_time::<S, R>(limits, errors, load.as_mut())
            .await;
    }
    match mode {
        Mode::Foreground => match reading {
            None => {
                aside(|| call.alone_in_time::<S, R, _, _, _>(limits, errors, load, settle)).await
            }
            Some(reading) => {
                let how = (load, settle, apart);
                call.foreground::<S, R, _, _, _, _>(limits, errors, how, reading)
                    .await
            }
        },
        Mode::Background(behind) => {
            let limit = call.plan.policy.load_limit;
            let Behind {
                lead,
                given_up,
                _permit,
            } = *behind;
            let reload = aside(|| call.lead::<S, R, _, _, _>(lead, share, load, settle));
            let Some(given_up) = given_up else {
                return reload.await;
            };
            let until = deadline(inner, limit);
            match within(inner, until, reload).await {
                Some(output) => output,
                // The lead was dropped with the load and has told so. There is no output to give: the ticket drops the rest.
                None => {
                    given_up.store(true, Ordering::Relaxed);
                    std::future::pending().await
                }
            }
        }
        Mode::Claimed(behind) => {
            let Behind { lead, _permit, .. } = *behind;
            // Who reloads within its own call has been given the value before, and waits no longer than others.
            let limits = limits.without(Limit::Soft);
            let how = (load, settle, Attached);
            aside(|| call.lead_if_in_time::<S, R, _, _, _, _>(lead, limits, errors, how)).await
        }
        Mode::Refresh => {
            // Who asked for a new load must not be given an older one that is under way, nor have its value overwritten by it.
            inner.leases.lock(&call.key).revoke(&call.key);
            let Joined::Lead(lease, flight) =
                inner.leases.join(&call.key, inner.tags.epoch(), |_| false)
            else {
                unreachable!("a flight that may not be joined was joined");
            };
            let lead = Lead::new(inner, lease, flight);
            // Who asked for a new value is not served with the old one.
            let limits = limits.without(Limit::Soft);
            let how = (load, settle, apart);
            aside(|| call.lead_if_in_time::<S, R, _, _, _, _>(lead, limits, errors, how)).await
        }
        Mode::Put => aside(|| call.alone::<S, R, _, _, _>(Keep::Put, load, settle)).await,
    }
}

/// What middleware and memory say to a call that missed.
pub(super) enum Reading<'a, R> {
    Answer(R),
    Refresh(R, Ticket),
    /// Read on; or `None`: reading is off, or was left out.
    Left(Option<Doing<'a>>),
}

/// Asks the middleware before a call reads, and then memory, which the hit has left to this.
pub(super) fn reading<'a, S, R>(
    cache: &'a Cache,
    site: &'static Site,
    key: &KeyBuf,
) -> Reading<'a, R>
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
{
    let inner = &cache.inner;
    if inner.is_off(Operations::READ) {
        return Reading::Left(None);
    }
    if inner.middleware.is_empty() {
        return Reading::Left(Some(Doing::unseen()));
    }
    let intended = || Intended::key(Action::Get, inner.bare(key.as_str())).by(site.path);
    let Some(mut reading) = inner.begin(intended) else {
        count(inner, site, Counter::Misses);
        count_look(inner, site, key, None::<&Hit<R>>);
        return Reading::Left(None);
    };
    let looked = look::<S, R>(cache, site, key.clone());
    count_look(inner, site, key, Some(&looked));
    match looked {
        Hit::Value(output) => {
            reading.end(Outcome::Hit);
            Reading::Answer(output)
        }
        Hit::Refresh(output, ticket) => {
            reading.end(Outcome::Hit);
            Reading::Refresh(output, ticket)
        }
        Hit::Miss => Reading::Left(Some(reading)),
    }
}

/// [`fill`] with a sync source, on this thread.
///
/// Out of line, so that the hit before it stays small.
#[cold]
#[inline(never)]
pub fn fill_sync<S, R, P, L, T>(
    cache: &Cache,
    site: &'static Site,
    key: KeyBuf,
    mode: Mode,
    prepare: P,
    load: L,
    settle: T,
) -> R
where
    S: Shape<R>,
    S::Value: Cacheable,
    S::Error: 'static,
    P: FnOnce(&mut Plan<S::Error>),
    L: FnOnce() -> R,
    T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
{
    let load = || async { load() };
    block_on(fill::<S, R, _, _, _, _>(
        cache, site, key, mode, prepare, load, settle,
    ))
}

/// [`fill_behind`] with a sync source, on this thread.
#[allow(clippy::too_many_arguments)]
#[cold]
#[inline(never)]
pub fn fill_sync_behind<S, R, P, L, T, B>(
    cache: &Cache,
    site: &'static Site,
    key: KeyBuf,
    mode: Mode,
    prepare: P,
    load: L,
    settle: T,
    behind: B,
) -> R
where
    S: Shape<R>,
    R: Send + 'static,
    S::Value: Cacheable,
    S::Error: 'static,
    P: FnOnce(&mut Plan<S::Error>),
    L: FnOnce() -> R,
    T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    B: FnOnce(Ticket),
{
    let load = || async { load() };
    block_on(fill_behind::<S, R, _, _, _, _, _>(
        cache, site, key, mode, prepare, load, settle, behind,
    ))
}

/// A future apart from the one that awaits it, which would be as large, and take as much of the stack, for calls that do not come here.
#[inline(never)]
fn aside<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}

impl Call<'_> {
    async fn lead_if_in_time<S, R, L, F, T, A>(
        &self,
        lead: Lead,
        limits: Limits,
        errors: Errors<S::Error>,
        (load, settle, apart): (L, T, A),
    ) -> R
    where
        A: Apart<R>,
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        if limits.are_none() {
            return self
                .lead::<S, R, _, _, _>(lead, errors.share, load, settle)
                .await;
        }
        self.lead_in_time::<S, R, _, _, _, _>(lead, limits, errors, (load, settle, apart))
            .await
    }

    async fn foreground<S, R, L, F, T, A>(
        &self,
        mut limits: Limits,
        errors: Errors<S::Error>,
        (load, settle, apart): (L, T, A),
        mut reading: Doing<'_>,
    ) -> R
    where
        A: Apart<R>,
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        let wait = deadline(self.inner, self.plan.policy.wait);
        let Errors { share, strict, .. } = errors;
        let began = moment();
        loop {
            let seen = self.inner.tags.epoch();
            match self
                .inner
                .leases
                .join(&self.key, seen, |flight| self.may_join(flight))
            {
                Joined::Lead(lease, flight) => {
                    let mut lead = Lead::new(self.inner, lease, flight);
                    if let Some(output) = self.filled_meanwhile::<S, R>(&mut lead) {
                        reading.end(Outcome::Hit);
                        return output;
                    }
                    if let Some(outside) = self.outside() {
                        // Apart from this future, which would be as large for those who have no store.
                        match Box::pin(self.look_outside::<S, R>(outside, &mut lead)).await {
                            Seen::Answer(output) => {
                                reading.end(Outcome::Hit);
                                return output;
                            }
                            Seen::Refresh(output, ticket) => {
                                reading.end(Outcome::Hit);
                                apart.reload(ticket);
                                return output;
                            }
                            Seen::Failed(error) => {
                                if let Some(strict) = strict {
                                    reading.end(Outcome::Failed);
                                    let error = strict(error);
                                    // Who waits would wait as long for the same.
                                    if let Some(share) = share {
                                        lead.land(Landing::Failed {
                                            error: (share.pack)(&error),
                                            refused: false,
                                        });
                                    }
                                    return S::error(error);
                                }
                            }
                            Seen::Nothing => {}
                        }
                    }
                    reading.end(Outcome::Miss);
                    if limits.are_none() {
                        return self.lead::<S, R, _, _, _>(lead, share, load, settle).await;
                    }
                    let how = (load, settle, apart);
                    let lead = || self.lead_in_time::<S, R, _, _, _, _>(lead, limits, errors, how);
                    return aside(lead).await;
                }
                Joined::Follow(flight) => {
                    let (limit, until) = self.patience(limits, wait);
                    match self
                        .follow::<S, R>(&flight, until, (seen, began), share)
                        .await
                    {
                        Followed::Answer(output) => {
                            reading.end(Outcome::Miss);
                            return output;
                        }
                        Followed::Served(output) => {
                            reading.end(Outcome::Hit);
                            return output;
                        }
                        // Of a batch, whose answer for nothing is not this function's.
                        Followed::Again | Followed::Absent => {}
                        Followed::Late => match limit {
                            None => {
                                self.waited_too_long();
                                break;
                            }
                            Some(limit) => {
                                match aside(|| self.late_follower::<S, R>(limit, errors)).await {
                                    Some(output) => {
                                        reading.end(Outcome::Miss);
                                        return output;
                                    }
                                    None => limits = limits.without(limit),
                                }
                            }
                        },
                        Followed::Alone => break,
                        Followed::Past => {
                            reading.end(Outcome::Miss);
                            return aside(|| Led::new(&[], None, load()).run()).await;
                        }
                    }
                }
            }
        }
        // What was written while this call waited is no stand-in for a failure: its own time counts.
        if let Some((_, value)) = self.present::<S::Value>() {
            reading.end(Outcome::Hit);
            return S::value(value);
        }
        reading.end(Outcome::Miss);
        // Whoever waited too long would rather have what is kept than add to the load of a slow source.
        if let Some(value) = aside(|| self.save_late::<S::Value>(Cause::Failure)).await {
            return S::value(value);
        }
        aside(|| self.alone_in_time::<S, R, _, _, _>(limits, errors, load, settle)).await
    }

    /// How long to wait for another's load, and which limit that is; `None`: the wait itself.
    fn patience(&self, limits: Limits, wait: Timestamp) -> (Option<Limit>, Timestamp) {
        let soft = match limits.soft {
            Timestamp::NEVER => None,
            soft => {
                // What only the store has is asked for when the time has come.
                let here = self.kept().is_some_and(|slot| self.allows(&slot, soft));
                let stands = here || self.outside().is_some();
                stands.then_some((Some(Limit::Soft), soft))
            }
        };
        let hard = (Some(Limit::Hard), limits.hard);
        let all = soft.into_iter().chain([hard, (None, wait)]);
        // Of two that come together the first: who waits for too long need not ask the source, if something stands in.
        all.min_by_key(|(_, until)| *until).unwrap_or((None, wait))
    }

    pub(super) fn waited_too_long(&self) {
        let key = self.key.as_str();
        self.inner.tell(|| Event::WaitedTooLong { key });
    }

    /// A load is joined unless a tag that this call knows of was forgotten since it began.
    pub(super) fn may_join(&self, flight: &Flight) -> bool {
        self.inner.tags.stand_since(&self.plan.tags, flight.as_of)
    }

    pub(super) fn kept(&self) -> Option<Slot> {
        let slot = self.inner.memory.peek(&self.key)?;
        self.inner.tags.stand(&slot).then_some(slot)
    }

    /// Between the miss and the lead another may have filled the key.
    pub(super) fn filled_meanwhile<S, R>(&self, lead: &mut Lead) -> Option<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let (slot, value) = self.present::<S::Value>()?;
        let (kind, shared) = slot.shared();
        lead.land(Landing::Value {
            kind,
            value: shared,
            tags: slot.tags().into(),
            as_of: lead.lease.as_of,
            due: slot.fresh_until(),
            asked: None,
        });
        Some(S::value(value))
    }

    /// What another has put there since this call missed, if it may be served.
    pub(super) fn present<V: Cacheable>(&self) -> Option<(Slot, V)> {
        let unread = self.inner.is_off(Operations::READ)
            || scope::current().is_some_and(|settings| settings.invalidate_further);
        if unread {
            return None;
        }
        let slot = self.kept()?;
        let now = self.inner.clock.now();
        let served = matches!(slot.verdict(now), Verdict::Fresh | Verdict::Refresh);
        if !served || !self.allows(&slot, now) {
            return None;
        }
        let value = slot.value::<V>()?;
        if !slot.spend() {
            return None;
        }
        self.count(Counter::Coalesced, 1);
        self.detected_in("memory", Source::Fresh, &slot);
        Some((slot, value))
    }
}
