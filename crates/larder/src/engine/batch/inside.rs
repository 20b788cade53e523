//! A batch in a scope that keeps changes to itself: what it loads may not be committed, and is kept there until the commit.

use super::outside::Filling;
use super::{Batch, Item, Leading, Leads};
use crate::cache::Filled;
use crate::detect::Source;
use crate::engine::inside::Found;
use crate::engine::{Cacheable, Lead, Shape};
use crate::error::Error;
use crate::lease::Lease;
use crate::middleware::Outcome;
use crate::overlay::{Ambient, Came, Kept, Rights};

/// The right to keep one key in the scope, and beneath it at the commit.
pub(super) struct Turn {
    ambient: Ambient,
    turn: Lease,
    lease: Lease,
    came: Came,
}

impl<'a> Batch<'a> {
    /// Takes what those inside see, and leads the rest for them alone: concurrent calls inside do not share their loads.
    ///
    /// # Errors
    /// What the store failed with, for those who want to hear of it; what it failed for is led all the same.
    pub(crate) async fn lead_inside<T, S, R>(
        &self,
        (ambient, came): (&Ambient, Came),
        items: Vec<Item<'a, T>>,
        found: &mut Vec<(T, S::Value)>,
    ) -> (Leads<'a, T>, Option<Error>)
    where
        S: Shape<R>,
        S::Value: Cacheable,
    {
        let mut leads = Vec::with_capacity(items.len());
        let mut failed = None;
        for mut item in items {
            let call = &item.call;
            let mut lead = Lead::alone(self.inner, call.base_lease());
            if came == Came::Loaded && item.reading.is_some() {
                match call.look_inside::<S, R>(ambient, &mut lead).await {
                    Found::Answer(output) => {
                        if let Ok(value) = S::split(output) {
                            item.ended(Outcome::Hit);
                            found.push((item.id, value));
                            continue;
                        }
                    }
                    Found::Failed(error) => failed = failed.or(Some(error)),
                    Found::Nothing => {}
                }
            }
            if ambient.keeps_loads() && ambient.decide(&call.key).is_none() {
                call.ready_outside(&mut lead).await;
            }
            let inside = Turn {
                turn: ambient.turn(&call.key, came),
                lease: call.base_lease(),
                ambient: ambient.clone(),
                came,
            };
            leads.push(Leading {
                inside: Some(inside),
                ..Leading::new(item, lead)
            });
        }
        (self.leading(leads), failed)
    }

    /// Keeps in the scope what was loaded inside; gives back the rest.
    pub(super) fn keep_inside(&self, filling: Vec<Filling<'a>>) -> Vec<Filling<'a>> {
        let mut rest = Vec::with_capacity(filling.len());
        for mut filling in filling {
            let Some(inside) = filling.inside.take() else {
                rest.push(filling);
                continue;
            };
            let Filling {
                call,
                mut lead,
                mut made,
                ..
            } = filling;
            let slot = made.slot.take().filter(|_| inside.ambient.keeps_loads());
            made.storing.end(match slot {
                Some(_) => Filled::Stored.into(),
                None => Filled::LeftOut.into(),
            });
            if let Some(slot) = slot {
                let kept = Kept {
                    slot,
                    wire: call.plan.wire,
                };
                let rights = Rights {
                    lease: inside.lease,
                    store: lead.store.take(),
                };
                inside.ambient.keep(&inside.turn, kept, rights, inside.came);
            }
            call.detected(Source::Loaded, None);
        }
        rest
    }
}
