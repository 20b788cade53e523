//! How a return type is read: what of it is kept, and what is a failure.

use std::any::Any;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Cacheable;
use crate::entry::{Kind, Value};

/// Splits a return type `R` into what is kept and what is a failure, and puts it together again.
#[diagnostic::on_unimplemented(
    message = "`{R}` is not what its name says",
    note = "a return type whose name ends in `Result` is read as a `Result`; if it is none, add `plain` to the attribute",
    note = "an `Arc` is read as `std::sync::Arc`; give another kind another name in the signature"
)]
pub trait Shape<R> {
    /// What is kept.
    type Value;
    /// What a failure carries.
    type Error;

    #[doc(hidden)]
    fn split(output: R) -> Result<Self::Value, Self::Error>;
    #[doc(hidden)]
    fn value(value: Self::Value) -> R;
    #[doc(hidden)]
    fn error(error: Self::Error) -> R;
    #[doc(hidden)]
    fn success(output: &R) -> Option<&Self::Value>;

    /// A clone of the value without its type.
    #[doc(hidden)]
    #[inline]
    fn keep(value: &Self::Value) -> (Kind, Value)
    where
        Self::Value: Cacheable,
    {
        Value::new(value.clone())
    }

    /// The value, if it is one.
    #[doc(hidden)]
    #[inline]
    fn read(kind: Kind, value: Value) -> Option<Self::Value>
    where
        Self::Value: Cacheable,
    {
        value.read(kind)
    }
}

/// `Result<T, E>`: keeps the `T` of an `Ok`.
#[derive(Clone, Copy, Debug)]
pub struct AsResult;

/// `Option<T>`: keeps all of it.
#[derive(Clone, Copy, Debug)]
pub struct AsOption;

/// Any type: keeps all of it, never fails.
#[derive(Clone, Copy, Debug)]
pub struct AsPlain;

impl<T, E> Shape<Result<T, E>> for AsResult {
    type Value = T;
    type Error = E;

    #[inline]
    fn split(output: Result<T, E>) -> Result<T, E> {
        output
    }

    #[inline]
    fn value(value: T) -> Result<T, E> {
        Ok(value)
    }

    #[inline]
    fn error(error: E) -> Result<T, E> {
        Err(error)
    }

    fn success(output: &Result<T, E>) -> Option<&T> {
        output.as_ref().ok()
    }
}

impl<T> Shape<Option<T>> for AsOption {
    type Value = Option<T>;
    type Error = Infallible;

    #[inline]
    fn split(output: Option<T>) -> Result<Option<T>, Infallible> {
        Ok(output)
    }

    #[inline]
    fn value(value: Option<T>) -> Option<T> {
        value
    }

    #[inline]
    fn error(error: Infallible) -> Option<T> {
        match error {}
    }

    fn success(output: &Option<T>) -> Option<&Option<T>> {
        output.is_some().then_some(output)
    }
}

impl<T> Shape<T> for AsPlain {
    type Value = T;
    type Error = Infallible;

    #[inline]
    fn split(output: T) -> Result<T, Infallible> {
        Ok(output)
    }

    #[inline]
    fn value(value: T) -> T {
        value
    }

    #[inline]
    fn error(error: Infallible) -> T {
        match error {}
    }

    fn success(output: &T) -> Option<&T> {
        Some(output)
    }
}

/// `Option<T>` or `Result<Option<T>, E>`: keeps what was found; nothing found is a failure that carries nothing.
#[derive(Clone, Copy, Debug)]
pub struct AsFound;

impl<T> Shape<Option<T>> for AsFound {
    type Value = T;
    type Error = ();

    fn split(output: Option<T>) -> Result<T, ()> {
        output.ok_or(())
    }

    fn value(value: T) -> Option<T> {
        Some(value)
    }

    fn error((): ()) -> Option<T> {
        None
    }

    fn success(output: &Option<T>) -> Option<&T> {
        output.as_ref()
    }
}

impl<T, E> Shape<Result<Option<T>, E>> for AsFound {
    type Value = T;
    type Error = Option<E>;

    fn split(output: Result<Option<T>, E>) -> Result<T, Option<E>> {
        match output {
            Ok(found) => found.ok_or(None),
            Err(error) => Err(Some(error)),
        }
    }

    fn value(value: T) -> Result<Option<T>, E> {
        Ok(Some(value))
    }

    fn error(error: Option<E>) -> Result<Option<T>, E> {
        error.map_or(Ok(None), Err)
    }

    fn success(output: &Result<Option<T>, E>) -> Option<&T> {
        output.as_ref().ok()?.as_ref()
    }
}

/// One of the other shapes around an [`Arc`], which is kept as what it points to: a hit costs one count instead of two, an entry one allocation less.
///
/// Who reads or writes the same key without knowing that it is an `Arc` meets the same values.
#[derive(Clone, Copy, Debug)]
pub struct Arced<S>(PhantomData<S>);

/// What an [`Arc`] points to when it is kept.
#[diagnostic::on_unimplemented(
    message = "an `Arc<{Self}>` cannot be kept by what it points to",
    note = "give the `Arc` another name in the signature (`use std::sync::Arc as Shared;`): then it is kept as it is"
)]
pub trait ArcTarget: Any + Send + Sync + Sized {}

impl<T: Any + Send + Sync> ArcTarget for T {}

macro_rules! arced {
    ([$($generics:ident),*] $shape:ident, $output:ty, $error:ty) => {
        impl<T: ArcTarget + ?Sized, $($generics),*> Shape<$output> for Arced<$shape> {
            type Value = Arc<T>;
            type Error = $error;

            #[inline]
            fn split(output: $output) -> Result<Arc<T>, $error> {
                $shape::split(output)
            }

            #[inline]
            fn value(value: Arc<T>) -> $output {
                $shape::value(value)
            }

            #[inline]
            fn error(error: $error) -> $output {
                <$shape as Shape<$output>>::error(error)
            }

            fn success(output: &$output) -> Option<&Arc<T>> {
                $shape::success(output)
            }

            fn keep(value: &Arc<T>) -> (Kind, Value) {
                Value::from_arc(Arc::clone(value))
            }

            #[inline]
            fn read(kind: Kind, value: Value) -> Option<Arc<T>> {
                value.into_arc(kind)
            }
        }
    };
}

arced!([E] AsResult, Result<Arc<T>, E>, E);
arced!([] AsPlain, Arc<T>, Infallible);
arced!([] AsFound, Option<Arc<T>>, ());
arced!([E] AsFound, Result<Option<Arc<T>>, E>, Option<E>);

/// Tells whether a type is a `Result` under another name: the inherent constant wins over the trait's.
#[derive(Clone, Copy, Debug)]
pub struct IsResult<R>(PhantomData<R>);

impl<T, E> IsResult<Result<T, E>> {
    /// It is.
    pub const YES: bool = true;
}

/// The answer for all other types.
pub trait NotResult {
    /// It is not.
    const YES: bool = false;
}

impl<R> NotResult for IsResult<R> {}
