//! The miss in a scope that keeps changes to itself.
//!
//! A source that runs inside may see what is not committed. So its value is given to nobody outside: its flight is one of the scope, and what it gives is
//! kept in the scope, with the rights of before it ran, until the commit.

use std::future::Future;
use std::sync::Arc;

use super::background::Mode;
use super::failure::Cause;
use super::follow::{Followed, deadline};
use super::lead::{Asked, Call, Lead};
use super::plan::Errors;
use super::{Cacheable, Settle, Shape, Share};
use crate::cache::Filled;
use crate::detect::Source;
use crate::entry::Slot;
use crate::error::Error;
use crate::flight::{Flight, Landing, Led, moment};
use crate::lease::{Joined, Lease};
use crate::middleware::{Doing, Outcome};
use crate::overlay::{Ambient, Came, Kept, Rights};
use crate::policy::Verdict;
use crate::scope;
use crate::stats::Counter;

/// Where a call is, and how its value comes about there.
pub(super) struct Inside {
    ambient: Ambient,
    came: Came,
}

/// What the store gave to a call inside.
pub(super) enum Found<R> {
    Answer(R),
    Failed(Error),
    Nothing,
}

impl Call<'_> {
    /// What lies over the cache for this call. Loads behind belong to no scope, and a put goes where writes go.
    pub(super) fn ambient(&self, mode: &Mode) -> Option<Inside> {
        let came = match mode {
            Mode::Foreground => Came::Loaded,
            Mode::Refresh => Came::Refreshed,
            Mode::Put => Came::Put,
            Mode::Background(_) | Mode::Claimed(_) => return None,
        };
        let ambient = match came {
            Came::Put => self.inner.ambient_transaction(),
            _ => self.inner.ambient(),
        }?;
        Some(Inside { ambient, came })
    }

    pub(super) async fn inside<S, R, L, F, T>(
        &self,
        inside: &Inside,
        errors: Errors<S::Error>,
        reading: Option<Doing<'_>>,
        load: L,
        settle: T,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        let Inside { ambient, came } = inside;
        let Errors { share, strict, .. } = errors;
        if *came == Came::Put {
            // A transaction that cannot have the lock is not committed; the body runs all the same, for it has to give a value.
            drop(ambient.lock(&self.key).await);
        }
        // Of what is refreshed or put nothing is read; nor where reading is off, or was left out.
        if let Some(mut reading) = reading {
            let until = deadline(self.inner, self.plan.policy.wait);
            let (seen, began) = (self.inner.tags.epoch(), moment());
            loop {
                match ambient.join(&self.key) {
                    Joined::Lead(turn, flight) => {
                        let mut lead = Lead::new(self.inner, self.base_lease(), flight);
                        if let Some(output) = self.kept_inside::<S, R>(ambient) {
                            reading.end(Outcome::Hit);
                            return output;
                        }
                        match self.look_inside::<S, R>(ambient, &mut lead).await {
                            Found::Answer(output) => {
                                reading.end(Outcome::Hit);
                                return output;
                            }
                            Found::Failed(error) => {
                                if let Some(strict) = strict {
                                    reading.end(Outcome::Failed);
                                    return S::error(strict(error));
                                }
                            }
                            Found::Nothing => {}
                        }
                        reading.end(Outcome::Miss);
                        return self
                            .lead_inside::<S, R, _, _, _>(inside, (turn, lead), share, load, settle)
                            .await;
                    }
                    Joined::Follow(flight) => {
                        let times = (seen, began);
                        match self.follow::<S, R>(&flight, until, times, share).await {
                            Followed::Answer(output) | Followed::Served(output) => {
                                reading.end(Outcome::Miss);
                                return output;
                            }
                            Followed::Again | Followed::Absent => {}
                            Followed::Late => {
                                self.waited_too_long();
                                break;
                            }
                            Followed::Alone => break,
                            Followed::Past => {
                                reading.end(Outcome::Miss);
                                return load().await;
                            }
                        }
                    }
                }
            }
            reading.end(Outcome::Miss);
        }
        let turn = ambient.turn(&self.key, *came);
        let lead = Lead::alone(self.inner, self.base_lease());
        self.lead_inside::<S, R, _, _, _>(inside, (turn, lead), share, load, settle)
            .await
    }

    pub(super) fn base_lease(&self) -> Lease {
        let inner = self.inner;
        inner.leases.take(&self.key, inner.tags.epoch())
    }

    /// Another inside may have loaded it since this call missed.
    fn kept_inside<S, R>(&self, ambient: &Ambient) -> Option<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let slot = ambient
            .decide(&self.key)?
            .filter(|slot| self.inner.is_current(slot))?;
        let (kind, value) = slot.shared();
        let value = S::read(kind, value).filter(|_| slot.spend())?;
        self.count(Counter::Coalesced, 1);
        self.detected(Source::Fresh, Some(&slot));
        Some(S::value(value))
    }

    /// Looks in the store for what those inside see.
    pub(super) async fn look_inside<S, R>(&self, ambient: &Ambient, lead: &mut Lead) -> Found<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let anew = scope::current().is_some_and(|settings| settings.invalidate_further);
        let Some(outside) = self.outside().filter(|_| !anew) else {
            return Found::Nothing;
        };
        if ambient.decide(&self.key).is_some() {
            return Found::Nothing;
        }
        lead.looked = Asked::now(self.inner);
        let looking = self.looking(crate::store::Ask::EntryOrLease, lead.lease.as_of);
        let looked = self.inner.look(outside, looking).await;
        lead.store = looked.lease;
        if let Some(error) = looked.error {
            lead.store_failed = true;
            return Found::Failed(error);
        }
        let base = looked.slot;
        let Some(slot) = ambient.through(&self.key, base.clone()) else {
            return Found::Nothing;
        };
        let verdict = slot.verdict(self.inner.clock.now());
        let served = matches!(verdict, Verdict::Fresh | Verdict::Refresh);
        let (kind, value) = slot.shared();
        let Some(value) = S::read(kind, value).filter(|_| served && slot.spend()) else {
            lead.kept = Some(slot);
            return Found::Nothing;
        };
        // Who waits inside looks for itself. Memory may keep what the store has, for it is committed.
        lead.land(Landing::Retry);
        if let Some(base) = base {
            self.serve(outside, lead, &base, verdict, looked.is_bare);
        }
        Found::Answer(S::value(value))
    }

    /// Runs the source and keeps what it gives for those inside.
    async fn lead_inside<S, R, L, F, T>(
        &self,
        Inside { ambient, came }: &Inside,
        (turn, mut lead): (Lease, Lead),
        share: Option<Share<S::Error>>,
        load: L,
        settle: T,
    ) -> R
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
        L: FnOnce() -> F,
        F: Future<Output = R>,
        T: FnOnce(&mut Settle<'_, S::Value, S::Error>),
    {
        let is_beneath = ambient.decide(&self.key).is_none();
        let keeps = *came == Came::Put || ambient.keeps_loads();
        if keeps && is_beneath {
            self.ready_outside(&mut lead).await;
        }
        let lease = self.base_lease();
        lead.asked = Asked::now(self.inner);
        let began = lead.asked.at;
        let beneath = || self.kept_before(&lead, began).map(|(_, slot)| slot);
        let kept = match is_beneath {
            true => beneath().and_then(|slot| ambient.through(&self.key, Some(slot))),
            false => None,
        };
        let flight: Arc<Flight> = Arc::clone(&lead.flight);
        let source = async move { load().await };
        let mut loading = self.loading();
        let output = Led::new(&[&flight], None, source).run().await;
        let cause = Cause::of_what_came_back();
        let took = self.took(began);
        let split = S::split(output);
        loading.end(Outcome::came_of(&split, |_| true));
        match split {
            Ok(value) => {
                let mut made = self.make::<S, R>(&lead, &value, took, settle);
                let filled = match keeps && made.slot.is_some() {
                    true => Filled::Stored,
                    false => Filled::LeftOut,
                };
                made.storing.end(filled.into());
                match made.slot.filter(|_| keeps) {
                    Some(slot) => {
                        let (wire, store) = (self.plan.wire, lead.store.take());
                        ambient.keep(&turn, Kept { slot, wire }, Rights { lease, store }, *came);
                    }
                    // A put that is not to be kept leaves nothing behind.
                    None if *came == Came::Put => ambient.remove_written(&self.key),
                    None => {}
                }
                lead.land(match made.shared {
                    Some((kind, value)) => Landing::Value {
                        kind,
                        value,
                        tags: made.tags,
                        as_of: lead.lease.as_of,
                        asked: None,
                        due: u64::MAX,
                    },
                    None => Landing::Retry,
                });
                self.detected(Source::Loaded, None);
                S::value(value)
            }
            Err(error) => {
                if cause == Cause::Failure {
                    self.failed(took);
                }
                let saves = |slot: &Slot| slot.verdict(began) == Verdict::Reload;
                let kept = kept.filter(|slot| *came == Came::Loaded && saves(slot));
                if let Some(value) = kept.and_then(|slot| self.save::<S::Value>(&slot, cause)) {
                    return S::value(value);
                }
                let landing = cause.landing(&lead.flight, share, &error);
                lead.land(landing);
                self.detected(Source::Failed, None);
                cause.passed_on();
                S::error(error)
            }
        }
    }
}
