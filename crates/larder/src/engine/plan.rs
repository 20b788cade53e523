//! What is known before the source runs: the policy and the tags from the arguments.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::cache::Inner;
use crate::codec::Wire;
use crate::error::Error;
use crate::event::Event;
use crate::guard::{CarriesRefusal, Refused};
use crate::key::Key;
use crate::policy::{Fault, IntoEarly, IntoHits, IntoShare, IntoSpan, Policy, Span};
use crate::scope::{self, Overrides};

/// Collects what an attribute or a builder says before the load.
pub struct Plan<E> {
    policy: Policy,
    tags: Vec<Key>,
    wire: Option<Wire>,
    is_local: bool,
    borrows: bool,
    pub(crate) errors: Errors<E>,
}

/// What becomes of errors, besides being returned.
pub(crate) struct Errors<E> {
    pub(crate) share: Option<Share<E>>,
    /// How an error of a store becomes one of the function, if it is to.
    pub(crate) strict: Option<fn(Error) -> E>,
    /// How a refusal becomes one of the function, if it can.
    pub(crate) refuse: Option<fn(Refused) -> E>,
}

impl<E> Clone for Errors<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Errors<E> {}

/// How an error reaches all who waited for the load that failed.
#[derive(Debug)]
pub struct Share<E> {
    pub(crate) pack: fn(&E) -> Arc<dyn Any + Send + Sync>,
    pub(crate) unpack: fn(&(dyn Any + Send + Sync)) -> Option<E>,
}

impl<E> Clone for Share<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Share<E> {}

impl<E: Clone + Send + Sync + 'static> Share<E> {
    pub(crate) const fn by_clone() -> Self {
        Self {
            pack: |error| Arc::new(error.clone()),
            unpack: |shared| shared.downcast_ref::<E>().cloned(),
        }
    }
}

/// Finds out whether an error type can be shared: the inherent method wins over the trait's.
#[derive(Debug)]
pub struct SharingOf<E>(PhantomData<E>);

impl<E> SharingOf<E> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E: Clone + Send + Sync + 'static> SharingOf<E> {
    #[doc(hidden)]
    #[must_use]
    pub fn share(&self) -> Option<Share<E>> {
        Some(Share::by_clone())
    }
}

/// The answer for error types that cannot be cloned: each who waited asks again.
pub trait NotShared<E> {
    #[doc(hidden)]
    fn share(&self) -> Option<Share<E>> {
        None
    }
}

impl<E> NotShared<E> for &SharingOf<E> {}

/// Finds out whether an error type can carry a refusal: the inherent method wins over the trait's.
#[derive(Debug)]
pub struct RefusalOf<E>(PhantomData<E>);

impl<E> RefusalOf<E> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<E: CarriesRefusal> RefusalOf<E> {
    #[doc(hidden)]
    #[must_use]
    pub fn carry(&self) -> Option<fn(Refused) -> E> {
        Some(E::carry)
    }
}

/// The answer for error types that cannot: what would be refused waits.
pub trait NotRefusing<E> {
    #[doc(hidden)]
    fn carry(&self) -> Option<fn(Refused) -> E> {
        None
    }
}

impl<E> NotRefusing<E> for &RefusalOf<E> {}

/// A plan that can be followed.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) policy: Policy,
    pub(crate) tags: Vec<Key>,
    /// How the value becomes bytes.
    pub(crate) wire: Wire,
    /// Whether the source cannot be sent away from its caller.
    pub(crate) borrows: bool,
    /// What the caller's scope says of this call.
    pub(crate) overrides: Overrides,
    /// Why nothing will be stored.
    pub(crate) fault: Option<Fault>,
}

macro_rules! forwarded {
    ($($knob:ident: $into:ident),* $(,)?) => {
        impl<E> Plan<E> {$(
            #[doc(hidden)]
            pub fn $knob(&mut self, value: impl $into) {
                self.policy = self.policy.$knob(value);
            }
        )*}
    };
}

forwarded!(
    ttl: IntoSpan,
    stale: IntoSpan,
    early: IntoEarly,
    soft: IntoEarly,
    fail_safe: IntoSpan,
    throttle: IntoSpan,
    hits: IntoHits,
    refresh_hits: IntoHits,
    jitter: IntoShare,
    wait: IntoSpan,
    load_limit: IntoSpan,
    timeout: IntoSpan,
    hard_timeout: IntoSpan,
);

#[doc(hidden)]
impl<E> Plan<E> {
    pub(crate) fn new() -> Self {
        Self {
            policy: Policy::new(),
            tags: Vec::new(),
            wire: None,
            is_local: false,
            borrows: false,
            errors: Errors {
                share: None,
                strict: None,
                refuse: None,
            },
        }
    }

    pub fn policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// The ttl of what is loaded each so often: twice the interval.
    pub fn __every(&mut self, every: impl IntoSpan) {
        if let Ok(span) = every.into_span() {
            self.policy = self.policy.ttl(Span(span.0.saturating_mul(2)));
        }
    }

    pub fn weight(&mut self, weight: u32) {
        self.policy = self.policy.weight(weight);
    }

    pub fn tag(&mut self, tag: impl Into<Key>) {
        self.tags.push(tag.into());
    }

    pub fn share_errors(&mut self, share: Option<Share<E>>) {
        self.errors.share = share;
    }

    /// How the value becomes bytes.
    pub fn wire(&mut self, wire: Wire) {
        self.wire = Some(wire);
    }

    /// Values never leave the process.
    pub fn local(&mut self) {
        self.is_local = true;
    }

    /// A store that fails is an error of the function.
    pub fn strict(&mut self)
    where
        E: From<Error>,
    {
        self.errors.strict = Some(E::from);
    }

    /// How a refusal becomes an error of the function, if its error type has a place for one.
    pub fn carry_refusals(&mut self, refuse: Option<fn(Refused) -> E>) {
        self.errors.refuse = refuse;
    }

    /// A call that takes too long is an error of the function.
    pub fn refuse_late(&mut self)
    where
        E: CarriesRefusal,
    {
        self.errors.refuse = Some(E::carry);
    }

    /// The source borrows from its caller and cannot be sent away.
    pub(crate) fn borrows(&mut self) {
        self.borrows = true;
    }

    /// The plan of a load whose errors reach nobody but its caller.
    pub(crate) fn without_errors<N>(self) -> Plan<N> {
        let Self {
            policy,
            tags,
            wire,
            is_local,
            borrows,
            ..
        } = self;
        Plan {
            policy,
            tags,
            wire,
            is_local,
            borrows,
            ..Plan::new()
        }
    }

    /// The plan of a call, and what is wrong with it told.
    pub(crate) fn finish(self, inner: &Inner, key: &Key) -> Planned {
        let is_local = self.is_local;
        let planned = self.finish_told(inner);
        let key = key.as_str();
        if let Some(fault) = planned.fault {
            inner.tell(|| Event::BadPolicy { key, fault });
        }
        if inner.outside.is_some() && planned.wire.is_local() && !is_local {
            let type_name = planned.wire.type_name();
            inner.tell(|| Event::StayedLocal { key, type_name });
        }
        planned
    }

    /// The plan of a load whose caller has been told.
    pub(crate) fn finish_told(self, inner: &Inner) -> Planned {
        let overrides = scope::overrides();
        let policy = overrides.policy(self.policy.or(&inner.defaults));
        let fault = overrides.fault.or(policy.fault());
        let wire = self.wire.unwrap_or(Wire::local::<()>());
        Planned {
            policy,
            tags: self.tags,
            wire: if self.is_local {
                Wire::local::<()>()
            } else {
                wire
            },
            borrows: self.borrows,
            overrides,
            fault,
        }
    }
}

/// Lets a closure of an attribute fill in a plan.
#[inline]
pub fn planned<E>(plan: &mut Plan<E>, by: impl FnOnce(&mut Plan<E>)) {
    by(plan);
}

impl<E> fmt::Debug for Plan<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("policy", &self.policy)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}
