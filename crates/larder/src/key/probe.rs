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
pub trait KeyRefused {
    /// The type of the value.
    type Value: ?Sized;
    /// Never called: the bound is the message. What it gives can be shown, so that there is only one.
    fn shown(self) -> Refused
    where
        Self::Value: KeyPart;
}

impl<T: ?Sized> KeyRefused for &KeyProbe<'_, T> {
    type Value = T;

    fn shown(self) -> Refused
    where
        T: KeyPart,
    {
        Refused
    }
}

/// A value that cannot be shown.
#[derive(Debug)]
pub struct Refused;

#[diagnostic::do_not_recommend]
impl KeyPart for Refused {
    fn render(&self, _: &mut PartWriter<'_>) {}
}

#[diagnostic::do_not_recommend]
impl AutoPart for Refused {
    fn render_auto(&self, _: &mut KeyBuf) {}
}

/// A value shown by its `Display`.
#[derive(Debug)]
pub struct Displayed<'a, T: ?Sized>(&'a T);

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> KeyPart for Displayed<'_, T> {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.display(self.0);
    }
}

#[diagnostic::do_not_recommend]
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
pub trait AutoRefused {
    /// The type of the value.
    type Value: ?Sized;
    /// Never called: the bound is the message. What it gives can be shown, so that there is only one.
    fn shown(self) -> Refused
    where
        Self::Value: AutoPart;
}

impl<T: ?Sized> AutoRefused for &AutoProbe<'_, T> {
    type Value = T;

    fn shown(self) -> Refused
    where
        T: AutoPart,
    {
        Refused
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
