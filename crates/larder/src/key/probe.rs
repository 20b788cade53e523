//! How the macros find out how a value can be shown: by what the compiler finds first.
//!
//! A method of the type itself is found before one of a trait, and both before one of a trait for a
//! reference to it. So `probe.shown()` is [`KeyPart`] if the type has it, else `Display`, else the
//! method that asks for [`KeyPart`] and lets the compiler say what is missing.

use std::fmt;

use super::auto::AutoPart;
use super::buf::KeyBuf;
use super::part::{KeyPart, PartWriter};

/// Asks how a value stands in a template.
#[derive(Debug)]
pub struct KeyProbe<'a, T: ?Sized>(pub &'a T);

impl<'a, T: KeyPart + ?Sized> KeyProbe<'a, T> {
    /// The value, which says itself how it is shown.
    #[inline(always)]
    pub fn shown(self) -> &'a T {
        self.0
    }
}

/// Found when the value has no [`KeyPart`].
pub trait KeyViaDisplay<'a> {
    /// What shows the value.
    type Shown;
    /// The value as its `Display`.
    fn shown(self) -> Self::Shown;
}

impl<'a, T: fmt::Display + ?Sized> KeyViaDisplay<'a> for KeyProbe<'a, T> {
    type Shown = Displayed<'a, T>;

    #[inline(always)]
    fn shown(self) -> Displayed<'a, T> {
        Displayed(self.0)
    }
}

/// Found when the value has neither.
pub trait KeyRefused<'a> {
    /// The type of the value.
    type Value: ?Sized;
    /// Never callable; its bound is the message.
    fn shown(self) -> &'a Self::Value
    where
        Self::Value: KeyPart;
}

impl<'a, T: ?Sized> KeyRefused<'a> for &KeyProbe<'a, T> {
    type Value = T;

    fn shown(self) -> &'a T
    where
        T: KeyPart,
    {
        self.0
    }
}

/// A value shown by its `Display`.
#[derive(Debug)]
pub struct Displayed<'a, T: ?Sized>(&'a T);

impl<T: fmt::Display + ?Sized> KeyPart for Displayed<'_, T> {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.display(self.0);
    }
}

impl<T: fmt::Display + ?Sized> AutoPart for Displayed<'_, T> {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.quoted(self.0);
    }
}

/// Asks how a value stands in an automatic key.
#[derive(Debug)]
pub struct AutoProbe<'a, T: ?Sized>(pub &'a T);

impl<'a, T: AutoPart + ?Sized> AutoProbe<'a, T> {
    /// The value, which says itself how it is shown.
    #[inline(always)]
    pub fn shown(self) -> &'a T {
        self.0
    }
}

/// Found when the value has no [`AutoPart`].
pub trait AutoViaDisplay<'a> {
    /// What shows the value.
    type Shown;
    /// The value as its `Display`.
    fn shown(self) -> Self::Shown;
}

impl<'a, T: fmt::Display + ?Sized> AutoViaDisplay<'a> for AutoProbe<'a, T> {
    type Shown = Displayed<'a, T>;

    fn shown(self) -> Displayed<'a, T> {
        Displayed(self.0)
    }
}

/// Found when the value has neither.
pub trait AutoRefused<'a> {
    /// The type of the value.
    type Value: ?Sized;
    /// Never callable; its bound is the message.
    fn shown(self) -> &'a Self::Value
    where
        Self::Value: AutoPart;
}

impl<'a, T: ?Sized> AutoRefused<'a> for &AutoProbe<'a, T> {
    type Value = T;

    fn shown(self) -> &'a T
    where
        T: AutoPart,
    {
        self.0
    }
}

/// `$value` as something with `KeyPart`, for the transforms and for `key_part!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_key_shown {
    ($value:expr $(,)?) => {
        match &$value {
            value => {
                #[allow(unused_imports)]
                use $crate::__private::{KeyRefused as _, KeyViaDisplay as _};
                $crate::__private::KeyProbe(value).shown()
            }
        }
    };
}

/// Renders `$value` into the `KeyBuf` `$buf`, before the byte `$stop`.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_key_part {
    ($buf:expr, $stop:expr, $value:expr $(,)?) => {
        $crate::__private::render_part(&mut $buf, $stop, &$crate::__larder_key_shown!($value))
    };
}

/// Renders `$value` into the `KeyBuf` `$buf` as an argument of an automatic key.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_auto_part {
    ($buf:expr, $value:expr $(,)?) => {
        match &$value {
            value => {
                #[allow(unused_imports)]
                use $crate::__private::{AutoRefused as _, AutoViaDisplay as _};
                $crate::__private::AutoPart::render_auto(
                    &$crate::__private::AutoProbe(value).shown(),
                    &mut $buf,
                )
            }
        }
    };
}

/// Renders a value into a key, before the byte `stop`.
#[inline(always)]
pub fn render_part(buf: &mut KeyBuf, stop: Option<u8>, value: &(impl KeyPart + ?Sized)) {
    value.render(&mut PartWriter::new(buf, stop));
}
