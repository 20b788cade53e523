//! Arguments as they stand in keys without a template: literals of Rust, with their types.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::buf::KeyBuf;
use super::escape;
use super::part::Pieces;

/// A value that can stand in an automatic key.
///
/// The forms of all values of a type make a grammar that can be read back, so that no two lists of
/// arguments of one function share a key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shown in a key",
    label = "this has no `Display`",
    note = "give the function a key that names a field of it (`key = \"..:{{x.id}}\"`), shows it with `{{x:?}}` or `{{x:path::to::fn}}`, or leave it out with `skip = [x]`"
)]
pub trait AutoPart {
    /// Writes the value.
    fn render_auto(&self, out: &mut KeyBuf);
}

impl KeyBuf {
    pub(super) fn quoted(&mut self, value: &(impl fmt::Display + ?Sized)) {
        self.literal("\"");
        write!(Pieces(|piece: &str| self.auto_text(piece)), "{value}")
            .expect("a key takes every text");
        self.literal("\"");
    }

    #[inline(always)]
    fn auto_text(&mut self, text: &str) {
        self.escaped(text, *b"\"',()");
    }

    fn sequence<T: AutoPart>(
        &mut self,
        open: &str,
        parts: impl IntoIterator<Item = T>,
        close: &str,
    ) {
        self.literal(open);
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                self.literal(",");
            }
            part.render_auto(self);
        }
        self.literal(close);
    }
}

macro_rules! numbers {
    ($($number:ident)*) => {$(
        #[diagnostic::do_not_recommend]
        impl AutoPart for $number {
            #[inline]
            fn render_auto(&self, out: &mut KeyBuf) {
                #[allow(unused_comparisons)]
                if *self < 0 {
                    out.literal("-");
                }
                out.number(numbers!(@magnitude $number self));
                out.literal(stringify!($number));
            }
        }

        #[diagnostic::do_not_recommend]
        impl AutoPart for NonZero<$number> {
            #[inline]
            fn render_auto(&self, out: &mut KeyBuf) {
                self.get().render_auto(out);
            }
        }
    )*};
    (@magnitude i8 $value:ident) => { u64::from($value.unsigned_abs()) };
    (@magnitude i16 $value:ident) => { u64::from($value.unsigned_abs()) };
    (@magnitude i32 $value:ident) => { u64::from($value.unsigned_abs()) };
    (@magnitude i64 $value:ident) => { $value.unsigned_abs() };
    (@magnitude isize $value:ident) => { $value.unsigned_abs() as u64 };
    (@magnitude $number:ident $value:ident) => { *$value as u64 };
}
numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

// The debug form of a float is exact and short, for very large and very small ones too.
macro_rules! formatted {
    ($($number:ident $format:literal;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl AutoPart for $number {
            fn render_auto(&self, out: &mut KeyBuf) {
                out.literal(&format!($format, self));
                out.literal(stringify!($number));
            }
        }
    )*};
}
formatted! { u128 "{}"; i128 "{}"; f32 "{:?}"; f64 "{:?}"; }

#[diagnostic::do_not_recommend]
impl AutoPart for bool {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.literal(if *self { "true" } else { "false" });
    }
}

#[diagnostic::do_not_recommend]
impl AutoPart for char {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.literal("'");
        out.auto_text(self.encode_utf8(&mut [0; 4]));
        out.literal("'");
    }
}

#[diagnostic::do_not_recommend]
impl AutoPart for () {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.literal("()");
    }
}

#[diagnostic::do_not_recommend]
impl AutoPart for str {
    #[inline]
    fn render_auto(&self, out: &mut KeyBuf) {
        out.literal("\"");
        out.auto_text(self);
        out.literal("\"");
    }
}

#[diagnostic::do_not_recommend]
impl AutoPart for OsStr {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.literal("\"");
        for chunk in self.as_encoded_bytes().utf8_chunks() {
            out.auto_text(chunk.valid());
            escape::escape_bytes(out, chunk.invalid());
        }
        out.literal("\"");
    }
}

#[diagnostic::do_not_recommend]
impl AutoPart for Duration {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.number(self.as_secs());
        out.literal("s");
        out.number(u64::from(self.subsec_nanos()));
        out.literal("ns");
    }
}

#[diagnostic::do_not_recommend]
impl<T: AutoPart> AutoPart for Option<T> {
    fn render_auto(&self, out: &mut KeyBuf) {
        match self {
            Some(value) => out.sequence("Some(", [value], ")"),
            None => out.literal("None"),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: AutoPart, E: AutoPart> AutoPart for Result<T, E> {
    fn render_auto(&self, out: &mut KeyBuf) {
        match self {
            Ok(value) => out.sequence("Ok(", [value], ")"),
            Err(error) => out.sequence("Err(", [error], ")"),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: AutoPart> AutoPart for [T] {
    fn render_auto(&self, out: &mut KeyBuf) {
        out.sequence("[", self, "]");
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> AutoPart for $list {
            fn render_auto(&self, out: &mut KeyBuf) {
                out.sequence("[", self, "]");
            }
        }
    )*};
}
lists! {
    [T: AutoPart, const N: usize] [T; N];
    [T: AutoPart] Vec<T>;
    [T: AutoPart] VecDeque<T>;
    [T: AutoPart] BTreeSet<T>;
    [K: AutoPart, V: AutoPart] BTreeMap<K, V>;
}

macro_rules! through {
    ($([$($generics:tt)*] $pointer:ty, $value:ident => $to:expr;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> AutoPart for $pointer {
            #[inline]
            fn render_auto(&self, out: &mut KeyBuf) {
                let $value = self;
                $to.render_auto(out);
            }
        }
    )*};
}
through! {
    [T: AutoPart + ?Sized] &T, value => (**value);
    [T: AutoPart + ?Sized] &mut T, value => (**value);
    [T: AutoPart + ?Sized] Box<T>, value => (**value);
    [T: AutoPart + ?Sized] Rc<T>, value => (**value);
    [T: AutoPart + ?Sized] Arc<T>, value => (**value);
    [T: AutoPart + ToOwned + ?Sized] Cow<'_, T>, value => (**value);
    [] String, value => value.as_str();
    [] OsString, value => value.as_os_str();
    [] Path, value => value.as_os_str();
    [] PathBuf, value => value.as_os_str();
}

macro_rules! tuples {
    ($($($part:ident $at:tt)*;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($part: AutoPart),*> AutoPart for ($($part,)*) {
            fn render_auto(&self, out: &mut KeyBuf) {
                let parts: &[&dyn AutoPart] = &[$(&self.$at),*];
                out.sequence("(", parts, ")");
            }
        }
    )*};
}
tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}
