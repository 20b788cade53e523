//! How a load of several keys ends: with answers, or with a failure.

use super::outside::Filling;
use super::{Batch, Item, Leading, Leads, Why};
use crate::detect::Source;
use crate::engine::failure::Cause;
use crate::engine::timed::Limit;
use crate::engine::{Cacheable, Settle, Shape, Share};
use crate::event::Event;
use crate::flight::Landing;
use crate::guard::Refused;
use crate::key::Key;
use crate::middleware::Outcome;
use crate::selector::Selector;
use crate::switch::Operations;

/// What an answer came to.
pub(crate) struct Answered<'a> {
    /// What is to be kept.
    pub(crate) filling: Vec<Filling<'a>>,
    /// What stood there, and is there no longer for the source.
    pub(crate) gone: Vec<Key>,
}

impl<'a> Batch<'a> {
    /// Takes the loader's answer apart. `answer` gives what it has for one key.
    pub(crate) fn answered<T, S, R>(
        &self,
        leads: Leads<'a, T>,
        mut answer: impl FnMut(&T) -> Option<S::Value>,
        mut settle: impl FnMut(&T, &mut Settle<'_, S::Value, S::Error>),
        found: &mut Vec<(T, S::Value)>,
    ) -> Answered<'a>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let took = self.inner.clock.now().since(leads.began);
        let mut answered = Answered {
            filling: Vec::with_capacity(leads.leads.len()),
            gone: Vec::new(),
        };
        for leading in leads.leads {
            let Leading {
                item: Item { id, call, .. },
                mut lead,
                kept,
                why,
                mut loading,
                inside,
            } = leading;
            let value = answer(&id);
            loading.end(Outcome::of(value.is_some()));
            if why == Why::Past {
                call.loaded(took);
                found.extend(value.map(|value| (id, value)));
                continue;
            }
            let Some(value) = value else {
                if call.still_kept::<S::Value>(&lead, kept).is_some() {
                    answered.gone.push(call.key.clone());
                }
                call.land_absent(&mut lead);
                continue;
            };
            let made = call.make::<S, R>(&lead, &value, took, |deciding| settle(&id, deciding));
            answered.filling.push(Filling {
                call,
                lead,
                made,
                inside,
            });
            found.push((id, value));
        }
        answered
    }

    /// The load took longer than `hard_timeout`: takes what was kept for this case.
    ///
    /// # Errors
    /// The refusal, when a key is left with nothing.
    pub(crate) fn fail_late<T, S, R>(
        &self,
        leads: Leads<'a, T>,
        found: &mut Vec<(T, S::Value)>,
    ) -> Result<(), S::Error>
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: From<Refused>,
    {
        let Some(first) = leads.leads.first() else {
            return Ok(());
        };
        let call = &first.item.call;
        call.timed_out(Limit::Hard);
        let late = (call.refusal().into(), Cause::Timeout);
        self.fail_by::<T, S, R>(leads, late, None, |_, _| {}, found)
    }

    /// Forgets what the source no longer has. What another is loading meanwhile is left to that load: it asked later.
    pub(crate) async fn forget_gone(&self, gone: Vec<Key>) {
        if self.inner.is_off(Operations::REMOVE) {
            return;
        }
        for key in gone {
            if self.inner.leases.is_loading(&key) {
                continue;
            }
            // A store that fails is told by an event; nothing is lost but that the old value is served until its time.
            drop(self.inner.remove_through(&key).await);
            if self.inner.is_told() {
                let original = self.inner.original(key.as_str());
                let selector = &Selector::Keys(vec![Key::from(&*original)]);
                self.inner.tell(|| Event::Invalidated { selector });
            }
        }
    }

    /// Ends the flights with an error that no load has given.
    pub(super) fn refuse<T, E>(&self, leads: Leads<'a, T>, error: &E, share: Option<Share<E>>) {
        for mut leading in leads.leads {
            // Who waits would wait as long for the same.
            if let Some(share) = share {
                leading.lead.land(Landing::Failed {
                    error: (share.pack)(error),
                    refused: false,
                });
            }
        }
    }

    /// The load failed: takes what was kept for this case.
    ///
    /// # Errors
    /// The failure, when a key is left with nothing.
    pub(crate) fn fail<T, S, R>(
        &self,
        leads: Leads<'a, T>,
        error: S::Error,
        share: Option<Share<S::Error>>,
        settle: impl FnMut(&T, &mut Settle<'_, S::Value, S::Error>),
        found: &mut Vec<(T, S::Value)>,
    ) -> Result<(), S::Error>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let failed = (error, Cause::of_what_came_back());
        self.fail_by::<T, S, R>(leads, failed, share, settle, found)
    }

    fn fail_by<T, S, R>(
        &self,
        leads: Leads<'a, T>,
        (error, cause): (S::Error, Cause),
        share: Option<Share<S::Error>>,
        mut settle: impl FnMut(&T, &mut Settle<'_, S::Value, S::Error>),
        found: &mut Vec<(T, S::Value)>,
    ) -> Result<(), S::Error>
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let took = self.inner.clock.now().since(leads.began);
        let mut is_lost = false;
        for leading in leads.leads {
            let Leading {
                item: Item { id, call, .. },
                mut lead,
                kept,
                why,
                mut loading,
                inside,
            } = leading;
            loading.end(Outcome::Failed);
            if cause == Cause::Failure {
                call.failed(took);
            }
            if why == Why::Past {
                is_lost = true;
                continue;
            }
            lead.refused = cause == Cause::Refusal;
            // What is only reloaded has been taken already; its lead tells of the loss when it is dropped.
            if why == Why::Due {
                continue;
            }
            let kept = call.still_kept::<S::Value>(&lead, kept);
            if let Some(value) = call.fall_back(&mut lead, kept.as_ref(), cause) {
                found.push((id, value));
                continue;
            }
            if kept.is_none() && inside.is_none() && cause == Cause::Failure {
                call.keep_failure::<S, R>(&lead.lease, &error, took, |deciding| {
                    settle(&id, deciding);
                });
            }
            let landing = cause.landing(&lead.flight, share, &error);
            lead.land(landing);
            call.detected(Source::Failed, None);
            is_lost = true;
        }
        match is_lost {
            true => {
                cause.passed_on();
                Err(error)
            }
            false => Ok(()),
        }
    }
}
