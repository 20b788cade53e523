//! Texts that are too long for registers.

use std::cell::Cell;

use super::buf::{Sink, WORD};
use super::escape;

const WORDS: usize = 17;

/// The longest text that needs no allocation of its own. Two words less than there is room for, because what
/// is appended may end with a word, and the word after the last one is written too.
const STEADY: usize = (WORDS - 2) * WORD;

thread_local! {
    // A look-up gives back what it needed, so the next one on this thread does not allocate. One is for the
    // key and one for a value on its way into it.
    static SPARES: [Cell<Option<Box<Room>>>; 2] = const { [Cell::new(None), Cell::new(None)] };
}

/// A text of more than [`INLINE`](super::INLINE) bytes while it is rendered.
#[derive(Clone)]
pub(super) struct Room {
    len: usize,
    // The text while it has up to `STEADY` bytes, then zeros up to the end of the word where the next one starts.
    words: [[u8; WORD]; WORDS],
    // The whole text when it is longer; else empty.
    text: Vec<u8>,
}

impl Room {
    /// Room for a text that was short until now. The words come one by one, in registers.
    #[inline(never)]
    pub(super) fn continuing(len: usize, first: u64, second: u64, third: u64) -> Box<Room> {
        let spare = SPARES.try_with(|[first, second]| first.take().or_else(|| second.take()));
        let mut room = spare.ok().flatten().unwrap_or_else(Room::allocate);
        room.words[0] = first.to_le_bytes();
        room.words[1] = second.to_le_bytes();
        room.words[2] = third.to_le_bytes();
        room.len = len;
        room
    }

    /// Appends text as it is.
    #[inline(never)]
    pub(super) fn literal(&mut self, text: &str) {
        if self.len + text.len() > STEADY {
            return self.spill(text.as_bytes());
        }
        let (words, rest) = text.as_bytes().as_chunks::<WORD>();
        let (mut slot, shift) = (self.len / WORD, 8 * (self.len % WORD));
        let mut open = u64::from_le_bytes(self.words[slot]);
        for word in words {
            let word = u64::from_le_bytes(*word);
            self.words[slot] = (open | (word << shift)).to_le_bytes();
            slot += 1;
            open = (word >> 1) >> (63 - shift);
        }
        let rest = escape::word(rest);
        self.words[slot] = (open | (rest << shift)).to_le_bytes();
        self.words[slot + 1] = ((rest >> 1) >> (63 - shift)).to_le_bytes();
        self.len += text.len();
    }

    /// Appends a value.
    #[inline(never)]
    pub(super) fn escaped<const N: usize>(&mut self, text: &str, extra: [u8; N]) {
        match escape::is_clean(text.as_bytes(), extra) {
            true => self.literal(text),
            false => escape::escape_into(self, text, &extra),
        }
    }

    #[cold]
    fn allocate() -> Box<Room> {
        Box::new(Room {
            len: 0,
            words: [[0; WORD]; WORDS],
            text: Vec::new(),
        })
    }

    /// Keeps the room for the next text of this thread.
    pub(super) fn give_back(mut self: Box<Room>) {
        if self.text.capacity() > 0 {
            // A spare room is small, however long its text was.
            self.text = Vec::new();
        }
        // While a thread ends there is no next text, and the room is just dropped.
        let _ = SPARES.try_with(|[first, second]| match first.take() {
            None => first.set(Some(self)),
            Some(other) => {
                first.set(Some(self));
                second.set(Some(other));
            }
        });
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        if self.text.is_empty() {
            self.text.reserve(self.len + bytes.len() + STEADY);
            self.text
                .extend_from_slice(&self.words.as_flattened()[..self.len]);
        }
        self.text.extend_from_slice(bytes);
        self.len += bytes.len();
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self.len <= STEADY {
            true => &self.words.as_flattened()[..self.len],
            false => &self.text,
        }
    }

    /// Is this the text? By words, because that is how it was just stored.
    pub(super) fn equals(&self, text: &[u8]) -> bool {
        if self.len != text.len() {
            return false;
        }
        if self.len > STEADY {
            return self.text == text;
        }
        let (words, rest) = text.as_chunks::<WORD>();
        let whole = words
            .iter()
            .zip(&self.words)
            .all(|(word, mine)| word == mine);
        whole && (rest.is_empty() || escape::word(rest).to_le_bytes() == self.words[words.len()])
    }
}

impl Sink for Room {
    #[inline(never)]
    fn push(&mut self, bytes: u64, count: usize) {
        if self.len + count > STEADY {
            return self.spill(&bytes.to_le_bytes()[..count]);
        }
        let (slot, shift) = (self.len / WORD, 8 * (self.len % WORD));
        let open = u64::from_le_bytes(self.words[slot]);
        self.words[slot] = (open | (bytes << shift)).to_le_bytes();
        self.words[slot + 1] = ((bytes >> 1) >> (63 - shift)).to_le_bytes();
        self.len += count;
    }
}
