//! Where a key is rendered: in registers while it is short, then in words of memory.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::mem;
use std::sync::Arc;

use super::digits;
use super::escape::{self, Short};
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

    /// Puts a prefix before what was rendered. Rendering without one first is faster, because where each piece
    /// goes is then known when the code is compiled.
    #[inline(always)]
    pub fn under(&mut self, prefix: &str) {
        if prefix.is_empty() {
            return;
        }
        let mut key = KeyBuf::new();
        key.literal(prefix);
        match &self.long {
            None if key.len + self.len <= INLINE => key.append(self.short_words(), self.len),
            _ => key.literal(self.as_str()),
        }
        *self = key;
    }

    /// Appends text as it is.
    #[inline(always)]
    pub fn literal(&mut self, text: &str) {
        if self.len + text.len() > INLINE {
            return self.lengthen(|room| room.literal(text));
        }
        self.append(Short::read(text.as_bytes(), []).words, text.len());
    }

    /// Appends the decimal digits of `number`.
    #[inline(always)]
    pub fn number(&mut self, number: u64) {
        if number < digits::FEW {
            let (digits, count) = digits::few(number);
            return self.push(digits, count);
        }
        if number < digits::MANY {
            return self.push_many(digits::many(number));
        }
        // The first eight to twelve, then the last eight.
        let above = number / digits::FEW;
        self.push_many(digits::many(above));
        self.push(digits::last(number), WORD);
    }

    #[inline(always)]
    fn push_many(&mut self, digits: u128) {
        let (first, second, count) = (digits as u64, (digits >> 64) as u64, digits::count(digits));
        if self.len + count > INLINE {
            self.push(first, WORD);
            return if count > WORD {
                self.push(second, count - WORD)
            };
        }
        self.append([first, second, 0], count);
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
        let short = Short::read(text.as_bytes(), extra);
        if short.dirt != 0 {
            let mut escaped = mem::take(self);
            escape::escape_into(&mut escaped, text, &extra);
            *self = escaped;
            return;
        }
        self.append(short.words, text.len());
    }

    // Appends a text that a short one has room for. All three words, without a branch: the length of a value
    // is nothing that a processor could predict.
    #[inline(always)]
    fn append(&mut self, text: [u64; 3], count: usize) {
        let (slot, shift) = (self.len / WORD, 8 * (self.len % WORD));
        // What a word has no room for; in two shifts, because a shift by 64 is not one.
        let over = |word: u64| (word >> 1) >> (63 - shift);
        let first = text[0] << shift;
        let second = over(text[0]) | (text[1] << shift);
        let third = over(text[1]) | (text[2] << shift);
        let [at_first, at_second, at_third] = match slot {
            0 => [first, second, third],
            1 => [0, first, second],
            _ => [0, 0, first],
        };
        self.add(0, at_first);
        self.add(1, at_second);
        self.add(2, at_third);
        self.len += count;
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
        if self.len + count > INLINE {
            return self.lengthen(|room| room.push(bytes, count));
        }
        self.append([bytes, 0, 0], count);
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
