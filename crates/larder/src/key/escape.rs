//! Which bytes of a value are escaped, found eight at a time.

use super::buf::{KeyBuf, Sink, WORD};

const LANES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A value as a template would render it, to build keys and patterns by hand.
///
/// Escaped are `%`, `:`, the glob characters `*`, `?`, `[`, `]` and `\`, white space and control
/// characters, as `%` and two hexadecimal digits for every byte. Only what stands between `:` is safe this
/// way: a template also escapes the character that ends its placeholder, when that is another one.
///
/// ```
/// assert_eq!(larder::escape("a:page:*"), "a%3Apage%3A%2A");
/// assert_eq!(format!("search:{}", larder::escape("50 %")), "search:50%20%25");
/// ```
pub fn escape(value: &str) -> String {
    let mut out = KeyBuf::new();
    out.value(value, None);
    out.as_str().to_owned()
}

/// Is this ASCII byte escaped in every value?
const fn is_special(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | b'%' | b'*' | b':' | b'?' | b'['..=b']' | 0x7F)
}

/// Does nothing in this text have to be escaped? `false` is only a suspicion.
#[inline(always)]
pub(super) fn is_clean<const N: usize>(text: &[u8], extra: [u8; N]) -> bool {
    let words = text
        .as_chunks::<WORD>()
        .0
        .iter()
        .map(|word| u64::from_le_bytes(*word));
    let dirt = words.fold(0, |all, word| all | dirt(word, extra));
    let rest = match text.last_chunk::<WORD>() {
        Some(last) => self::dirt(u64::from_le_bytes(*last), extra),
        None => Short::read(text, extra).dirt,
    };
    dirt | rest == 0
}

/// A text of up to 24 bytes, in registers.
pub(super) struct Short {
    /// The text, then zeros.
    pub(super) words: [u64; 3],
    /// Zero if nothing has to be escaped; anything else is only a suspicion.
    pub(super) dirt: u64,
}

impl Short {
    /// Reads a text with as few loads as it takes: the last word ends where the text does, and is moved down.
    #[inline(always)]
    pub(super) fn read<const N: usize>(text: &[u8], extra: [u8; N]) -> Short {
        let Some(end) = text.last_chunk::<WORD>() else {
            let word = word(text);
            // Not the bytes beyond the text, which are zero and would be dirty.
            let dirt = dirt(word, extra) & !(u64::MAX << (8 * text.len()));
            return Short {
                words: [word, 0, 0],
                dirt,
            };
        };
        let end = u64::from_le_bytes(*end);
        let (words, rest) = text.as_chunks::<WORD>();
        // In two shifts, because there may be no rest, and a shift by 64 is not one.
        let last = (end >> 8) >> (8 * (WORD - 1 - rest.len()));
        let first = u64::from_le_bytes(words[0]);
        let dirty = dirt(first, extra) | dirt(end, extra);
        match words.get(1) {
            None => Short {
                words: [first, last, 0],
                dirt: dirty,
            },
            Some(second) => {
                let second = u64::from_le_bytes(*second);
                let dirt = dirty | dirt(second, extra);
                Short {
                    words: [first, second, last],
                    dirt,
                }
            }
        }
    }
}

/// The high bit of every byte that may have to be escaped: of those that have to be, of what is not ASCII, and
/// of some that are rare in values, because ranges are cheaper to tell than single characters.
#[inline(always)]
fn dirt<const N: usize>(word: u64, extra: [u8; N]) -> u64 {
    // With the high bit of every lane set no subtraction can borrow from the next lane; the bit stays exactly
    // where the byte is at least the limit. What is not ASCII is dirty anyway.
    let set = word | HIGH;
    let from = |limit: u8| set - LANES * u64::from(limit);
    let mut dirt = word | !from(b'*' + 1) | from(0x7F);
    dirt |= (from(b':') & !from(b'?' + 1)) | (from(b'[') & !from(b']' + 1));
    for byte in extra {
        // Others are dirty already. Where the byte is a constant, so is this.
        if byte.is_ascii() && !is_special(byte) {
            dirt |= !((set ^ (LANES * u64::from(byte))) - LANES);
        }
    }
    dirt & HIGH
}

/// Up to eight bytes as the word they make in memory order, the rest zero.
#[inline(always)]
pub(super) fn word(bytes: &[u8]) -> u64 {
    let half = |at: usize| {
        let half: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes");
        u64::from(u32::from_le_bytes(half))
    };
    match bytes.len() {
        0 => 0,
        // First, middle and last byte: one of them may be counted twice, at its own place.
        count @ 1..=3 => {
            let at = |at: usize| u64::from(bytes[at]) << (8 * at);
            at(0) | at(count / 2) | at(count - 1)
        }
        count @ 4..=7 => half(0) | half(count - 4) << (8 * (count - 4)),
        _ => half(0) | half(4) << 32,
    }
}

/// Appends `value` character by character; what is escaped becomes `%XX` for each of its bytes.
#[cold]
pub(super) fn escape_into(out: &mut impl Sink, value: &str, extra: &[u8]) {
    for character in value.chars() {
        let mut bytes = [0; 4];
        let encoded = character.encode_utf8(&mut bytes).as_bytes();
        // A literal starts with a whole character, so a byte of `extra` can only be a first byte.
        let special = extra.contains(&encoded[0])
            || match character.is_ascii() {
                true => is_special(encoded[0]),
                false => character.is_whitespace() || character.is_control(),
            };
        match special {
            true => escape_bytes(out, encoded),
            false => out.push(word(encoded), encoded.len()),
        }
    }
}

/// Appends every byte as `%XX`.
pub(super) fn escape_bytes(out: &mut impl Sink, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        let digits = [
            b'%',
            HEX[usize::from(byte >> 4)],
            HEX[usize::from(byte & 15)],
        ];
        out.push(word(&digits), 3);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_text_has_no_byte_that_is_special() {
        for byte in 0..=u8::MAX {
            let common = byte.is_ascii_alphanumeric() || b"-_.,/@+~|^".contains(&byte);
            for length in 1..20 {
                for at in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let clean = is_clean(&bytes, [b':']);
                    assert!(
                        !clean || byte.is_ascii() && !is_special(byte),
                        "{byte:#x} at {at}"
                    );
                    assert!(clean || !common, "{byte:#x} at {at} of {length}");
                    let stopped = byte == b'-' || byte == b'/';
                    assert_eq!(is_clean(&bytes, [b'-', b'/', 0xC3]), clean && !stopped);
                }
            }
        }
        assert!(is_clean(b"", [b'-']));
    }

    #[test]
    fn a_short_text_as_a_word() {
        let bytes = *b"12345678";
        for count in 0..=8 {
            let mut padded = [0; 8];
            padded[..count].copy_from_slice(&bytes[..count]);
            assert_eq!(word(&bytes[..count]), u64::from_le_bytes(padded));
        }
    }
}
