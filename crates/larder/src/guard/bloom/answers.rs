//! What a function answers without a call: by its return type.

use std::fmt;
use std::marker::PhantomData;

use crate::guard::{CarriesRefusal, Refused};

/// A value that says "not there".
#[diagnostic::on_unimplemented(
    message = "`#[bloom]` knows no value of `{Self}` that says \"not there\"",
    label = "not `bool`, `Option` or a `Result`",
    note = "return `bool` (answered with `false`), an `Option` (`None`), a `Result` of one of them, or a `Result` whose error is made from `larder::Refused`"
)]
pub trait SaysNo: Sized {
    #[doc(hidden)]
    fn no() -> Self;
    /// The value that says "there", if that is all it says.
    #[doc(hidden)]
    fn yes() -> Option<Self>;
    #[doc(hidden)]
    fn is_yes(&self) -> bool;
}

impl SaysNo for bool {
    fn no() -> Self {
        false
    }

    fn yes() -> Option<Self> {
        Some(true)
    }

    fn is_yes(&self) -> bool {
        *self
    }
}

impl<T> SaysNo for Option<T> {
    fn no() -> Self {
        None
    }

    fn yes() -> Option<Self> {
        None
    }

    fn is_yes(&self) -> bool {
        self.is_some()
    }
}

/// A value that says "there" and no more.
#[diagnostic::on_unimplemented(
    message = "`unchecked` answers `true` without a call, and a `{Self}` is more than that",
    label = "needs a function that returns `bool`, or a `Result` of it",
    note = "remove `unchecked`: then a call says what is there"
)]
pub trait SaysYes: SaysNo {}

impl SaysYes for bool {}

/// For `unchecked`: a compile error there, if the function has no `true`.
pub fn says_yes<V: SaysYes>() {}

/// For `pair`: a compile error there, if the function has no answer of its own.
pub fn says_no<V: SaysNo>() {}

/// For `on_outage = "closed"`: a compile error there, if the function's error cannot tell of it.
pub fn carries<E: CarriesRefusal>() {}

/// How a function with the return type `R` answers without a call.
pub struct Answers<R> {
    pub(crate) no: Option<fn() -> R>,
    pub(crate) yes: fn() -> Option<R>,
    pub(crate) refuse: Option<fn(Refused) -> R>,
    /// What an answer of the function says; an error says nothing.
    pub(crate) is_yes: fn(&R) -> Option<bool>,
}

impl<R> Clone for Answers<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Answers<R> {}

impl<R> fmt::Debug for Answers<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

/// The answers of a function that returns no `Result`.
#[must_use]
pub fn answers_of_value<V: SaysNo>() -> Answers<V> {
    Answers {
        no: Some(V::no),
        yes: V::yes,
        refuse: None,
        is_yes: |value| Some(value.is_yes()),
    }
}

impl<V: SaysNo, E> Answers<Result<V, E>> {
    fn of_result(refuse: Option<fn(Refused) -> Result<V, E>>) -> Self {
        Self {
            no: Some(|| Ok(V::no())),
            yes: || V::yes().map(Ok),
            refuse,
            is_yes: |output| output.as_ref().ok().map(V::is_yes),
        }
    }
}

/// Finds out how a `Result` answers: the inherent method wins over the first trait's, and that over the second's.
#[derive(Debug)]
pub struct AnswersOf<R>(PhantomData<R>);

impl<R> AnswersOf<R> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V: SaysNo, E: CarriesRefusal> AnswersOf<Result<V, E>> {
    /// With an answer of its own, and a refusal where the filter cannot work.
    #[must_use]
    pub fn answers(&self) -> Answers<Result<V, E>> {
        Answers::of_result(Some(|refused| Err(E::carry(refused))))
    }
}

/// An answer of its own, and an error that cannot tell of a filter that cannot work: then there is a call.
pub trait AnswerWithoutRefusal<R> {
    #[doc(hidden)]
    fn answers(&self) -> Answers<R>;
}

impl<V: SaysNo, E> AnswerWithoutRefusal<Result<V, E>> for AnswersOf<Result<V, E>> {
    fn answers(&self) -> Answers<Result<V, E>> {
        Answers::of_result(None)
    }
}

/// No answer of its own: what is not there is refused.
pub trait AnswerByRefusal<V, E> {
    #[doc(hidden)]
    fn answers(&self) -> Answers<Result<V, E>>
    where
        E: CarriesRefusal;
}

impl<V, E> AnswerByRefusal<V, E> for &AnswersOf<Result<V, E>> {
    fn answers(&self) -> Answers<Result<V, E>>
    where
        E: CarriesRefusal,
    {
        Answers {
            no: None,
            yes: || None,
            refuse: Some(|refused| Err(E::carry(refused))),
            is_yes: |_| None,
        }
    }
}
