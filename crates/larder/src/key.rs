//! The text a value is kept under: readable, and injective.

mod auto;
mod buf;
mod digits;
mod escape;
mod part;
mod probe;
mod room;
mod template;
pub mod transform;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub(crate) use self::buf::KeyBuf;
pub use self::escape::escape;
pub use self::part::{KeyPart, PartWriter};
pub use self::template::Template;

/// What the attributes expand to.
pub(crate) mod private {
    pub use super::auto::AutoPart;
    pub use super::buf::KeyBuf;
    pub use super::probe::{
        AutoProbe, AutoRefused, AutoViaDisplay, KeyProbe, KeyRefused, KeyViaDisplay, render_part,
    };
    pub use super::transform;
    pub use crate::__larder_auto_part as auto_part;
    pub use crate::__larder_key_part as key_part;
    pub use crate::__larder_key_shown as key_shown;
}

/// The longest text that a [`Key`] holds without an allocation.
pub(crate) const INLINE: usize = 22;

/// A text key, cheap to clone and to compare: 24 bytes, and up to 22 bytes of text need no allocation.
///
/// A key is used as it is. To build one from values that come from outside, use a [`Template`] or
/// [`escape`]: otherwise a value that contains `:` can take the place of another key.
///
/// ```
/// use larder::Key;
///
/// let key = Key::from("user:7");
/// assert_eq!(key.as_str(), "user:7");
/// ```
#[derive(Clone)]
pub struct Key(Text);

// A text of up to `INLINE` bytes is always `Short`, padded with zeros, so that equal texts have equal
// representations and can be hashed and compared as words.
#[derive(Clone)]
enum Text {
    Short { len: u8, text: [u8; INLINE] },
    Long(Arc<str>),
}

const _: () = assert!(size_of::<Key>() == 24);

impl Key {
    /// The text of the key.
    ///
    /// ```
    /// assert_eq!(larder::Key::from("user:7").as_str(), "user:7");
    /// ```
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Short { len, text } => {
                std::str::from_utf8(&text[..usize::from(*len)]).expect("a key is made from text")
            }
            Text::Long(text) => text,
        }
    }

    /// The key for a store that takes at most `max` bytes: the text itself, or its head, `~` and a digest.
    ///
    /// Two keys never share a bounded form (up to a collision of 128 bits of SHA-256), because a text
    /// that already ends like a digest is digested too. `max` below 33 leaves no room for a readable head,
    /// and below 32 the digest is cut.
    ///
    /// ```
    /// let key = larder::Key::from("report:of:a:very:long:title:that:goes:on:and:on".to_owned());
    /// assert_eq!(key.bounded(250), key.as_str());
    /// assert!(key.bounded(40).starts_with("report:~"));
    /// assert_eq!(key.bounded(40).len(), 40);
    /// ```
    pub fn bounded(&self, max: usize) -> Cow<'_, str> {
        const DIGEST: usize = 32;
        let text = self.as_str();
        if text.len() <= max && !ends_like_a_digest(text) {
            return Cow::Borrowed(text);
        }
        let digest = transform::digest(text.as_bytes());
        let digest = digest.as_str();
        let Some(room) = max.checked_sub(DIGEST + 1) else {
            return Cow::Owned(digest[..max.min(DIGEST)].to_owned());
        };
        let end = (0..=room).rev().find(|end| text.is_char_boundary(*end));
        let head = &text[..end.unwrap_or(0)];
        Cow::Owned(format!("{head}~{digest}"))
    }

    // The three words of a short text; the unused bytes are zero.
    #[inline(always)]
    fn words(text: &[u8; INLINE]) -> [u64; 3] {
        let word = |at: usize| {
            let bytes: [u8; 8] = text[at..at + 8].try_into().expect("eight bytes");
            u64::from_le_bytes(bytes)
        };
        [word(0), word(8), word(INLINE - 8) >> 16]
    }
}

fn ends_like_a_digest(text: &str) -> bool {
    let tail = text.as_bytes().last_chunk::<33>();
    tail.is_some_and(|tail| {
        tail[0] == b'~'
            && tail[1..]
                .iter()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

// One hash for `Key` and `KeyBuf`: words, not bytes, because the bytes of a buffer were just stored as
// words, and a load that spans two of those stores has to wait until both have reached the cache.
#[inline(always)]
fn hash_short<H: Hasher>(len: usize, words: [u64; 3], state: &mut H) {
    // The last byte says how many bytes there are.
    let len = (len as u64) << 56;
    if len < 16 << 56 {
        return state.write_u128(pair(words[0], words[1] | len));
    }
    state.write_u128(pair(words[0], words[1]));
    state.write_u64(words[2] | len);
}

#[inline(always)]
fn pair(first: u64, second: u64) -> u128 {
    u128::from(first) | (u128::from(second) << 64)
}

fn hash_long<H: Hasher>(text: &[u8], state: &mut H) {
    let (words, end) = text.as_chunks::<8>();
    let (pairs, last) = words.as_chunks::<2>();
    for [first, second] in pairs {
        state.write_u128(pair(
            u64::from_le_bytes(*first),
            u64::from_le_bytes(*second),
        ));
    }
    let (end, len) = (escape::word(end), (text.len() as u64) << 56);
    // Less than a pair, so that the last byte is free for the length.
    state.write_u128(match last {
        [] => pair(end, len),
        [word, ..] => pair(u64::from_le_bytes(*word), end | len),
    });
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Text::Short { len, text } => {
                hash_short(usize::from(*len), Key::words(text), state);
            }
            Text::Long(text) => hash_long(text.as_bytes(), state),
        }
    }
}

impl PartialEq for Key {
    #[inline]
    fn eq(&self, other: &Key) -> bool {
        match (&self.0, &other.0) {
            (
                Text::Short { len, text },
                Text::Short {
                    len: others,
                    text: other,
                },
            ) => len == others && text == other,
            (Text::Long(text), Text::Long(other)) => text == other,
            _ => false,
        }
    }
}

impl Eq for Key {}

impl PartialEq<str> for Key {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Key {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Key {
        match short(text.as_bytes()) {
            Some(text) => Key(text),
            None => Key(Text::Long(Arc::from(text))),
        }
    }
}

impl From<String> for Key {
    fn from(text: String) -> Key {
        Key::from(text.as_str())
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Key {
        Key::from(text.as_str())
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Key {
        key.clone()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> String {
        key.as_str().to_owned()
    }
}

fn short(bytes: &[u8]) -> Option<Text> {
    let mut text = [0; INLINE];
    text.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(Text::Short {
        len: bytes.len() as u8,
        text,
    })
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}
