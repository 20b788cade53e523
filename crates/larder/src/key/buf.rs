//! Where a key is rendered: in registers while it is short, then in words of memory.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::Arc;

use super::digits::{self, Digits};
use super::escape;
use super::room::Room;
use super::{INLINE, Key, Text, hash_long, hash_short};

pub(super) const WORD: usize = 8;

/// A key while it is rendered.
///
/// A short text is three words, put together by shifts, so that the compiler can keep them in registers
/// until they are hashed and compared. Text that is written to memory byte by byte, or moved as it is
/// returned from a function, and then read in wider pieces waits for every narrow store to leave the store
/// buffer; that costs more than the rest of a look-up. For the same reason nothing on the common path takes
/// the address of a buffer: what is rare takes its parts by value and gives them back.
#[derive(Clone, Default)]
pub struct KeyBuf {
    len: usize,
    // The text, then zeros, while it has up to `INLINE` bytes.
    words: [[u8; WORD]; 3],
    // The whole text, exactly when it is longer; a pointer, so that moving a buffer moves little.
    long: Option<Box<Room>>,
}

/// What text is appended to, a word at a time.
pub(super) trait Sink {
    /// Appends the lowest `count` bytes (1 to 8) of a word whose other bytes are zero.
    fn push(&mut self, bytes: u64, count: usize);
}

impl KeyBuf {
    /// An empty key.
    #[inline(always)]
    pub const fn new() -> KeyBuf {
        KeyBuf {
            len: 0,
            words: [[0; WORD]; 3],
            long: None,
        }
    }

    /// A key that is ready.
    #[inline]
    pub fn from_text(text: &str) -> KeyBuf {
        let mut key = KeyBuf::new();
        key.literal(text);
        key
    }

    /// A key that starts with the prefix of its cache and, unless `version` is 0, with `v{version}:`.
    #[inline(always)]
    pub fn with_prefix(prefix: &str, version: u32) -> KeyBuf {
        let mut key = KeyBuf::new();
        if !prefix.is_empty() {
            key.literal(prefix);
        }
        if version != 0 {
            key.literal("v");
            key.number(u64::from(version));
            key.literal(":");
        }
        key
    }

    /// Appends text as it is.
    #[inline(always)]
    pub fn literal(&mut self, text: &str) {
        if self.len + text.len() > INLINE {
            return self.lengthen(|room| room.literal(text));
        }
        self.short(text.as_bytes());
    }

    /// Appends the decimal digits of `number`.
    #[inline(always)]
    pub fn number(&mut self, number: u64) {
        if let Some(digits) = digits::up_to_eight(number) {
            return self.push(digits.bytes, digits.count);
        }
        let digits: [Digits; 3] = digits::many(number);
        for digits in &digits[..2] {
            self.push(digits.bytes, digits.count);
        }
        if digits[2].count > 0 {
            self.push(digits[2].bytes, digits[2].count);
        }
    }

    /// Appends a value, escaped. `stop` is the byte that ends it, if a later placeholder depends on that.
    #[inline(always)]
    pub fn value(&mut self, text: &str, stop: Option<u8>) {
        // `%` is escaped anyway, so it adds nothing.
        self.escaped(text, [stop.unwrap_or(b'%')]);
    }

    /// Appends a value, with some more bytes that are escaped.
    #[inline(always)]
    pub(super) fn escaped<const N: usize>(&mut self, text: &str, extra: [u8; N]) {
        if self.len + text.len() > INLINE {
            return self.lengthen(|room| room.escaped(text, extra));
        }
        if !escape::is_clean(text.as_bytes(), extra) {
            let mut escaped = mem::take(self);
            escape::escape_into(&mut escaped, text, &extra);
            *self = escaped;
            return;
        }
        self.short(text.as_bytes());
    }

    // Appends a text that a short one has room for.
    #[inline(always)]
    fn short(&mut self, text: &[u8]) {
        let (words, rest) = text.as_chunks::<WORD>();
        for word in words {
            self.push(u64::from_le_bytes(*word), WORD);
        }
        if !rest.is_empty() {
            self.push(escape::tail(text, rest.len()), rest.len());
        }
    }

    #[inline(always)]
    fn lengthen(&mut self, append: impl FnOnce(&mut Room)) {
        let mut room = match self.long.take() {
            Some(room) => room,
            None => Room::continuing(self.len, self.word(0), self.word(1), self.word(2)),
        };
        append(&mut room);
        self.len = room.len();
        self.long = Some(room);
    }

    #[inline(always)]
    fn add(&mut self, slot: usize, bytes: u64) {
        self.words[slot] = (self.word(slot) | bytes).to_le_bytes();
    }

    #[inline(always)]
    fn word(&self, slot: usize) -> u64 {
        u64::from_le_bytes(self.words[slot])
    }

    #[inline(always)]
    fn short_words(&self) -> [u64; 3] {
        [self.word(0), self.word(1), self.word(2)]
    }

    fn bytes(&self) -> &[u8] {
        match &self.long {
            None => &self.words.as_flattened()[..self.len],
            Some(room) => room.bytes(),
        }
    }

    /// The text so far.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes()).expect("only whole texts are appended")
    }

    /// The key that was rendered.
    pub fn to_key(&self) -> Key {
        match self.long {
            None => {
                let mut text = [0; INLINE];
                text.copy_from_slice(&self.words.as_flattened()[..INLINE]);
                Key(Text::Short {
                    len: self.len as u8,
                    text,
                })
            }
            Some(_) => Key(Text::Long(Arc::from(self.as_str()))),
        }
    }
}

impl Sink for KeyBuf {
    #[inline(always)]
    fn push(&mut self, bytes: u64, count: usize) {
        let len = self.len + count;
        if len > INLINE {
            return self.lengthen(|room| room.word(bytes, count));
        }
        let (slot, shift) = (self.len / WORD, 8 * (self.len % WORD));
        let low = bytes << shift;
        // What the word has no room for; in two shifts, because a shift by 64 is not one.
        let high = (bytes >> 1) >> (63 - shift);
        // All three words, without a branch: the length of a value is nothing a processor could predict.
        let only = |wanted: bool, bytes: u64| if wanted { bytes } else { 0 };
        self.add(0, only(slot == 0, low));
        self.add(1, only(slot == 1, low) | only(slot == 0, high));
        self.add(2, only(slot == 2, low) | only(slot == 1, high));
        self.len = len;
    }
}

impl Drop for KeyBuf {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(room) = self.long.take() {
            room.give_back();
        }
    }
}

impl Hash for KeyBuf {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.long {
            None => hash_short(self.len, self.short_words(), state),
            Some(room) => hash_long(room.bytes(), state),
        }
    }
}

impl PartialEq<Key> for KeyBuf {
    #[inline(always)]
    fn eq(&self, key: &Key) -> bool {
        match (&key.0, &self.long) {
            (Text::Short { len, text }, None) => {
                let (mine, words) = (self.short_words(), Key::words(text));
                let differing = mine[0] ^ words[0] | mine[1] ^ words[1] | mine[2] ^ words[2];
                self.len == usize::from(*len) && differing == 0
            }
            (Text::Long(text), Some(room)) => room.equals(text.as_bytes()),
            _ => false,
        }
    }
}

#[cfg(feature = "memory")]
impl quick_cache::Equivalent<Key> for KeyBuf {
    #[inline(always)]
    fn equivalent(&self, key: &Key) -> bool {
        self == key
    }
}

impl fmt::Debug for KeyBuf {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), out)
    }
}
