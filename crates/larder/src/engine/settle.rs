//! What is decided once the source has answered: whether, for how long and under which tags it is kept.

use std::fmt;
use std::time::Duration;

use crate::entry::{Failure, Kind, Value};
use crate::key::Key;
use crate::loaded::Orders;
use crate::policy::{Fault, IntoSpan, Lit, Span};

/// The answer of the source and what the attribute says about it. All closures run outside of locks.
pub struct Settle<'a, V, E> {
    pub(crate) answer: Result<&'a V, &'a E>,
    pub(crate) took: Duration,
    pub(crate) store: bool,
    pub(crate) ttl: Option<u64>,
    pub(crate) tags: Vec<Key>,
    pub(crate) failure: Option<(Kind, Value)>,
    pub(crate) fault: Option<Fault>,
    /// Whether there is more of it than may be kept.
    pub(crate) too_long: bool,
    /// What it counts for where nothing is said, if its type does not tell.
    pub(crate) weight: u32,
}

/// A value that can be absent.
#[diagnostic::on_unimplemented(
    message = "`skip_none` needs a value that can be `None`, and `{Self}` cannot",
    note = "leave `skip_none` out, or decide with `when = |value| ..`"
)]
pub trait Nullable {
    #[doc(hidden)]
    fn is_null(&self) -> bool;
}

impl<T> Nullable for Option<T> {
    fn is_null(&self) -> bool {
        self.is_none()
    }
}

/// An error that can be kept.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept, so `errors` cannot be used here",
    note = "a kept error must be `Clone + Send + Sync + 'static`: wrap it in an `Arc`, or keep what can be cloned of it"
)]
pub trait KeptError: Clone + Send + Sync + 'static {}

impl<E: Clone + Send + Sync + 'static> KeptError for E {}

/// One tag or several: what a closure over the value may give.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tag",
    note = "a tag closure gives a `String`, a `&'static str`, or a `Vec`, an array or an `Option` of these"
)]
pub trait IntoTags {
    #[doc(hidden)]
    fn into_tags(self, tags: &mut Vec<Key>);
}

impl IntoTags for &str {
    fn into_tags(self, tags: &mut Vec<Key>) {
        tags.push(Key::from(self));
    }
}

impl IntoTags for String {
    fn into_tags(self, tags: &mut Vec<Key>) {
        tags.push(Key::from(self));
    }
}

impl<T: IntoTags> IntoTags for Vec<T> {
    fn into_tags(self, tags: &mut Vec<Key>) {
        self.into_iter().for_each(|tag| tag.into_tags(tags));
    }
}

impl<T: IntoTags> IntoTags for Option<T> {
    fn into_tags(self, tags: &mut Vec<Key>) {
        self.into_iter().for_each(|tag| tag.into_tags(tags));
    }
}

impl<T: IntoTags, const N: usize> IntoTags for [T; N] {
    fn into_tags(self, tags: &mut Vec<Key>) {
        self.into_iter().for_each(|tag| tag.into_tags(tags));
    }
}

#[doc(hidden)]
impl<'a, V, E> Settle<'a, V, E> {
    pub(crate) fn new(answer: Result<&'a V, &'a E>, took: Duration) -> Self {
        Self {
            store: answer.is_ok(),
            answer,
            took,
            ttl: None,
            tags: Vec::new(),
            failure: None,
            fault: None,
            too_long: false,
            weight: 0,
        }
    }

    /// What the source itself has said. What the attribute says of the value comes after it.
    pub(crate) fn obey(&mut self, orders: &Orders) {
        match orders.ttl {
            Some(Ok(span)) => self.ttl = Some(span.0),
            Some(Err(fault)) => self.fault = Some(fault),
            None => {}
        }
        self.tags.extend_from_slice(&orders.tags);
        self.store &= !orders.skip_store;
    }

    pub fn when(&mut self, keep: impl FnOnce(&V) -> bool) {
        if let Ok(value) = self.answer {
            self.store &= keep(value);
        }
    }

    pub fn skip_none(&mut self)
    where
        V: Nullable,
    {
        if let Ok(value) = self.answer {
            self.store &= !value.is_null();
        }
    }

    /// How long it is kept that there is nothing.
    pub fn absent(&mut self, ttl: impl IntoSpan)
    where
        V: Nullable,
    {
        if self.answer.is_ok_and(Nullable::is_null) {
            match ttl.into_span() {
                Ok(span) => self.ttl = Some(span.0),
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    pub fn slower_than(&mut self, span: impl IntoSpan) {
        match span.into_span() {
            Ok(span) => self.store &= self.took.as_nanos() > u128::from(span.0),
            Err(fault) => self.fault = Some(fault),
        }
    }

    pub fn ttl_with<T: IntoSpan>(&mut self, ttl: impl FnOnce(&V) -> T) {
        if let Ok(value) = self.answer {
            match ttl(value).into_span() {
                Ok(span) => self.ttl = Some(span.0),
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    pub fn tags_with<T: IntoTags>(&mut self, tags: impl FnOnce(&V) -> T) {
        if let Ok(value) = self.answer {
            tags(value).into_tags(&mut self.tags);
        }
    }

    /// Keeps errors too, for their own time.
    pub fn errors(&mut self, ttl: impl IntoSpan)
    where
        E: KeptError,
    {
        let Err(error) = self.answer else {
            return;
        };
        match ttl.into_span() {
            Ok(span) => {
                self.ttl = Some(span.0);
                self.store = true;
                self.failure = Some(Value::failure(Failure {
                    error: error.clone(),
                    clone: E::clone,
                }));
            }
            Err(fault) => self.fault = Some(fault),
        }
    }

    /// Keeps only some of the errors.
    pub fn errors_when(&mut self, keep: impl FnOnce(&E) -> bool) {
        if let Err(error) = self.answer
            && self.failure.is_some()
            && !keep(error)
        {
            self.failure = None;
            self.store = false;
        }
    }
}

/// Lets a closure of an attribute decide.
#[inline]
pub fn decide<V, E>(deciding: &mut Settle<'_, V, E>, by: impl FnOnce(&mut Settle<'_, V, E>)) {
    by(deciding);
}

impl IntoSpan for Lit {
    fn into_span(self) -> Result<Span, Fault> {
        self.span()
    }
}

impl<V, E> fmt::Debug for Settle<'_, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the value or the error.
        f.debug_struct("Settle")
            .field("took", &self.took)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
