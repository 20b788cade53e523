//! [`KeyPart`] for the types of the standard library.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{KeyPart, PartWriter};
use crate::key::buf::Sink as _;

macro_rules! unsigned {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl KeyPart for $number {
            #[inline(always)]
            fn render(&self, out: &mut PartWriter<'_>) {
                out.number(*self as u64);
            }
        }
    )*};
}
unsigned!(u8 u16 u32 u64 usize);

macro_rules! signed {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl KeyPart for $number {
            #[inline(always)]
            fn render(&self, out: &mut PartWriter<'_>) {
                out.signed(*self as i64);
            }
        }
    )*};
}
signed!(i8 i16 i32 i64 isize);

// The debug form of a float is exact and short, for very large and very small ones too.
macro_rules! displayed {
    ($($format:literal for $($number:ty)*;)*) => {$($(
        #[diagnostic::do_not_recommend]
        impl KeyPart for $number {
            fn render(&self, out: &mut PartWriter<'_>) {
                out.display(format_args!($format, self));
            }
        }
    )*)*};
}
displayed!("{}" for u128 i128; "{:?}" for f32 f64;);

macro_rules! not_zero {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl KeyPart for NonZero<$number> {
            #[inline(always)]
            fn render(&self, out: &mut PartWriter<'_>) {
                self.get().render(out);
            }
        }
    )*};
}
not_zero!(u8 u16 u32 u64 usize u128 i8 i16 i32 i64 isize i128);

impl PartWriter<'_> {
    #[inline(always)]
    fn signed(&mut self, number: i64) {
        if number >= 0 {
            return self.number(number as u64);
        }
        if self
            .stop
            .is_none_or(|stop| stop != b'-' && !stop.is_ascii_digit())
        {
            self.out.push(u64::from(b'-'), 1);
            return self.out.number(number.unsigned_abs());
        }
        self.display(number);
    }
}

#[diagnostic::do_not_recommend]
impl KeyPart for bool {
    #[inline]
    fn render(&self, out: &mut PartWriter<'_>) {
        out.text(if *self { "true" } else { "false" });
    }
}

#[diagnostic::do_not_recommend]
impl KeyPart for char {
    #[inline]
    fn render(&self, out: &mut PartWriter<'_>) {
        out.text(self.encode_utf8(&mut [0; 4]));
    }

    fn length(&self) -> Option<usize> {
        Some(self.len_utf8())
    }
}

#[diagnostic::do_not_recommend]
impl KeyPart for str {
    #[inline(always)]
    fn render(&self, out: &mut PartWriter<'_>) {
        out.text(self);
    }

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }
}

#[diagnostic::do_not_recommend]
impl KeyPart for OsStr {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.bytes(self.as_encoded_bytes());
    }

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }
}

/// As seconds: `90s`, `1.5s`.
#[diagnostic::do_not_recommend]
impl KeyPart for Duration {
    fn render(&self, out: &mut PartWriter<'_>) {
        let fraction = format!("{:09}", self.subsec_nanos());
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        out.display(format_args!("{}{point}{fraction}s", self.as_secs()));
    }
}

#[diagnostic::do_not_recommend]
impl<T: KeyPart> KeyPart for Option<T> {
    #[inline(always)]
    fn render(&self, out: &mut PartWriter<'_>) {
        match self {
            Some(value) => out.some(value),
            None => out.none(),
        }
    }

    fn length(&self) -> Option<usize> {
        self.as_ref().and_then(KeyPart::length)
    }
}

#[diagnostic::do_not_recommend]
impl<T: KeyPart> KeyPart for [T] {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.list(self);
    }

    fn length(&self) -> Option<usize> {
        Some(self.len())
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> KeyPart for $list {
            fn render(&self, out: &mut PartWriter<'_>) {
                out.list(self);
            }

            fn length(&self) -> Option<usize> {
                Some(self.len())
            }
        }
    )*};
}
lists! {
    [T: KeyPart, const N: usize] [T; N];
    [T: KeyPart] Vec<T>;
    [T: KeyPart] VecDeque<T>;
    [T: KeyPart] BTreeSet<T>;
}

macro_rules! through {
    ($([$($generics:tt)*] $pointer:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> KeyPart for $pointer {
            #[inline(always)]
            fn render(&self, out: &mut PartWriter<'_>) {
                (**self).render(out);
            }

            fn length(&self) -> Option<usize> {
                (**self).length()
            }
        }
    )*};
}
through! {
    [T: KeyPart + ?Sized] &T;
    [T: KeyPart + ?Sized] &mut T;
    [T: KeyPart + ?Sized] Box<T>;
    [T: KeyPart + ?Sized] Rc<T>;
    [T: KeyPart + ?Sized] Arc<T>;
    [T: KeyPart + ToOwned + ?Sized] Cow<'_, T>;
    [] String;
    [] OsString;
}

macro_rules! paths {
    ($($path:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl KeyPart for $path {
            fn render(&self, out: &mut PartWriter<'_>) {
                self.as_os_str().render(out);
            }

            fn length(&self) -> Option<usize> {
                self.as_os_str().length()
            }
        }
    )*};
}
paths!(Path PathBuf);
