//! Waiting for another's load.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::failure::Cause;
use super::lead::Call;
use super::{Cacheable, Shape, Share};
use crate::cache::Inner;
use crate::detect::Source;
use crate::event::Event;
use crate::flight::{Flight, Landing, Waiting, is_led_here};
use crate::key::Key;
use crate::policy::FOREVER;
use crate::runtime::{Timestamp, nanos};
use crate::stats::Counter;

/// What waiting came to.
pub(super) enum Followed<R> {
    /// Return this: it comes from the load.
    Answer(R),
    /// Return this: the store has it, and the load runs behind.
    Served(R),
    /// The source was asked and has nothing.
    Absent,
    /// Join again.
    Again,
    /// There is nothing to wait for: ask the source without the flight.
    Alone,
    /// The time is up.
    Late,
    /// Waiting would never end: ask the source past the cache. What it gives is a part of the value that is being made, not the value.
    Past,
}

impl Call<'_> {
    /// Waits for a flight until `until`; `seen` is the tag epoch when it was joined, `began` the moment when this call began.
    pub(super) async fn follow<S, R>(
        &self,
        flight: &Arc<Flight>,
        until: Timestamp,
        (seen, began): (u64, u64),
        share: Option<Share<S::Error>>,
    ) -> Followed<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
    {
        let key = self.key.as_str();
        let circle = if is_led_here(flight) {
            Err(())
        } else {
            Waiting::note(flight)
        };
        let Ok(_waiting) = circle else {
            self.inner.tell(|| Event::Recursion { key });
            return Followed::Past;
        };
        if flight.is_behind()
            && let Some(output) = self.served_beside::<S, R>(seen).await
        {
            return Followed::Served(output);
        }
        match landing(self.inner, flight, until).await {
            Waited::Late => Followed::Late,
            Waited::Stalled => {
                self.waited_too_long();
                Followed::Alone
            }
            Waited::Landed(landing) => self.landed::<S, R>(&landing, (seen, began), share),
        }
    }

    fn landed<S, R>(
        &self,
        landing: &Landing,
        (seen, began): (u64, u64),
        share: Option<Share<S::Error>>,
    ) -> Followed<R>
    where
        S: Shape<R>,
        S::Value: Cacheable,
        S::Error: 'static,
    {
        match landing {
            Landing::Value {
                kind,
                value,
                tags,
                as_of,
                due,
                asked,
            } => {
                let now = self.inner.clock.now().as_nanos();
                let wanted = self.plan.overrides.allow(*due, now);
                if !wanted || !self.may_share(tags, *as_of, *asked, (seen, began)) {
                    return Followed::Again;
                }
                // A load of the same key for another type is nothing to wait for.
                let Some(value) = S::read(*kind, value.clone()) else {
                    return Followed::Alone;
                };
                self.count(Counter::Coalesced, 1);
                self.detected(Source::Coalesced, None);
                Followed::Answer(S::value(value))
            }
            Landing::Absent { tags, as_of, asked } => {
                if !self.may_share(tags, *as_of, *asked, (seen, began)) {
                    return Followed::Again;
                }
                self.count(Counter::Coalesced, 1);
                self.detected(Source::Coalesced, None);
                Followed::Absent
            }
            Landing::Failed { error, refused } => {
                match share.and_then(|share| (share.unpack)(&**error)) {
                    Some(error) => {
                        self.count(Counter::Coalesced, 1);
                        if *refused {
                            Cause::Refusal.passed_on();
                        }
                        Followed::Answer(S::error(error))
                    }
                    None => Followed::Alone,
                }
            }
            Landing::Retry => Followed::Again,
        }
    }

    /// Whether an answer is true for this call: nothing of it was invalidated between the load and its own question.
    fn may_share(
        &self,
        tags: &[Key],
        as_of: u64,
        asked: Option<u64>,
        (seen, began): (u64, u64),
    ) -> bool {
        let asked_before = asked.is_some_and(|asked| asked < began);
        !asked_before && self.inner.tags.stand_between(tags, as_of, seen)
    }
}

/// For how long the consumer of a recording may keep others waiting.
const STALL: Duration = Duration::from_secs(1);

/// How waiting for a flight ended.
enum Waited {
    Landed(Landing),
    Late,
    /// The leader's consumer asks for no more.
    Stalled,
}

async fn landing(inner: &Inner, flight: &Arc<Flight>, until: Timestamp) -> Waited {
    let mut follow = flight.follow();
    if !flight.is_recording() {
        let landed = within(inner, until, follow).await;
        return landed.map_or(Waited::Late, Waited::Landed);
    }
    loop {
        let look = inner.clock.now().after(STALL).min(until);
        if let Some(landing) = within(inner, look, &mut follow).await {
            return Waited::Landed(landing);
        }
        let now = inner.clock.now();
        if until <= now {
            return Waited::Late;
        }
        if flight.is_stalled_since(now.as_nanos().saturating_sub(nanos(STALL))) {
            return Waited::Stalled;
        }
    }
}

/// The deadline of a wait that starts now.
pub(crate) fn deadline(inner: &Inner, wait: u64) -> Timestamp {
    if wait == FOREVER {
        Timestamp::NEVER
    } else {
        inner.clock.now().after(Duration::from_nanos(wait))
    }
}

/// The future's output, or `None` once `until` has come. The timer is set only if the future has to be waited for.
pub(crate) async fn within<F: Future>(
    inner: &Inner,
    until: Timestamp,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut sleep = None;
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        if until == Timestamp::NEVER {
            return Poll::Pending;
        }
        let left = until.since(inner.clock.now());
        let sleep = sleep.get_or_insert_with(|| inner.runtime.sleep(left));
        sleep.as_mut().poll(context).map(|()| None)
    })
    .await
}
