//! What may follow a colon in a placeholder.
//!
//! Each takes a value that can be shown and gives one that can be shown, so they nest; no value
//! (`None`) goes through them unchanged.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt::{self, Write as _};
use std::rc::Rc;
use std::sync::Arc;

use super::buf::KeyBuf;
use super::part::{Case, KeyPart, PartWriter, Pieces};

/// `{x:lower}`.
pub fn lower<T: KeyPart>(value: T) -> impl KeyPart {
    Cased(Case::Lower, value)
}

/// `{x:upper}`.
pub fn upper<T: KeyPart>(value: T) -> impl KeyPart {
    Cased(Case::Upper, value)
}

struct Cased<T>(Case, T);

impl<T: KeyPart> KeyPart for Cased<T> {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.cased(self.0, &self.1);
    }
}

/// `{x:hash}`: the first 16 bytes of SHA-256 of the text, in hexadecimal digits.
pub fn hash<T: KeyPart>(value: T) -> impl KeyPart {
    Hashed(value)
}

struct Hashed<T>(T);

impl<T: KeyPart> KeyPart for Hashed<T> {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.changed(&self.0, |out, text| {
            out.text(digest(text.as_bytes()).as_str())
        });
    }
}

/// `{x:len}`.
pub fn len<T: Length + ?Sized>(value: &T) -> usize {
    value.length()
}

/// What `{x:len}` shows: how many elements there are, or how many bytes of text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no length that `{{x:len}}` knows",
    label = "not a text, a list, a set or a map",
    note = "show it with a function of yours: `{{x:path::to::fn}}`"
)]
pub trait Length {
    /// The length.
    fn length(&self) -> usize;
}

macro_rules! lengths {
    ($([$($generics:tt)*] $container:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Length for $container {
            fn length(&self) -> usize {
                self.len()
            }
        }
    )*};
}
lengths! {
    [] str;
    [] String;
    [T] [T];
    [T, const N: usize] [T; N];
    [T] Vec<T>;
    [T] VecDeque<T>;
    [T] BTreeSet<T>;
    [T, S] HashSet<T, S>;
    [K, V] BTreeMap<K, V>;
    [K, V, S] HashMap<K, V, S>;
}

macro_rules! lengths_through {
    ($([$($generics:tt)*] $pointer:ty;)*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> Length for $pointer {
            fn length(&self) -> usize {
                (**self).length()
            }
        }
    )*};
}
lengths_through! {
    [T: Length + ?Sized] &T;
    [T: Length + ?Sized] &mut T;
    [T: Length + ?Sized] Box<T>;
    [T: Length + ?Sized] Rc<T>;
    [T: Length + ?Sized] Arc<T>;
    [T: Length + ToOwned + ?Sized] Cow<'_, T>;
}

/// `{x:?}`.
pub fn debug<T: fmt::Debug + ?Sized>(value: &T) -> Debugged {
    let mut text = KeyBuf::new();
    write!(Pieces(|piece: &str| text.literal(piece)), "{value:?}").expect("a key takes every text");
    Debugged(text)
}

/// What `Debug` wrote. Not generic, so that a missing `Debug` is one error.
#[derive(Debug)]
pub struct Debugged(KeyBuf);

impl KeyPart for Debugged {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.text(self.0.as_str());
    }
}

/// `{x:jwt(claim)}`: one claim of a JSON web token, whose signature is *not* checked.
///
/// A token that cannot be read, or that has no such claim, shows `%jwt.` and the hash of the token.
#[cfg(feature = "jwt")]
pub fn jwt<T: KeyPart>(value: T, claim: &str) -> impl KeyPart {
    Claim(value, claim)
}

#[cfg(feature = "jwt")]
struct Claim<'a, T>(T, &'a str);

#[cfg(feature = "jwt")]
impl<T: KeyPart> KeyPart for Claim<'_, T> {
    fn render(&self, out: &mut PartWriter<'_>) {
        out.changed(&self.0, |out, token| match claim(token, self.1) {
            Some(claim) => out.text(&claim),
            None => {
                out.mark("%jwt.");
                out.text(digest(token.as_bytes()).as_str());
            }
        });
    }
}

#[cfg(feature = "jwt")]
fn claim(token: &str, name: &str) -> Option<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::Value;

    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    match serde_json::from_slice::<Value>(&payload).ok()?.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The text of a value that was transformed, for a function of the user that comes after.
pub fn text<T: KeyPart>(value: T) -> String {
    let mut out = KeyBuf::new();
    PartWriter::new(&mut out, None).changed(&value, |out, text| out.mark(text));
    out.as_str().to_owned()
}

/// `{@name}`: what the scope says, or no value.
pub fn context(out: &mut KeyBuf, stop: Option<u8>, name: &str) {
    context_value(name).render(&mut PartWriter::new(out, stop));
}

/// `@name` for the transforms behind it.
pub fn context_value(name: &str) -> Option<String> {
    crate::scope::context_value(name)
}

/// The first 16 bytes of SHA-256, as hexadecimal digits.
pub(super) struct Digest([u8; 32]);

pub(super) fn digest(bytes: &[u8]) -> Digest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = hmac_sha256::Hash::hash(bytes);
    Digest(std::array::from_fn(|at| {
        let byte = hash[at / 2];
        DIGITS[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })]
    }))
}

impl Digest {
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits are ASCII")
    }
}
