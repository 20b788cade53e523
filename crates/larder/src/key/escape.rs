//! Which bytes of a value are escaped, found eight at a time.

use super::buf::{KeyBuf, Sink};

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

/// Does nothing in this text have to be escaped? `false` for all that is not ASCII.
#[inline(always)]
pub(super) fn is_clean<const N: usize>(text: &[u8], extra: [u8; N]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let mut dirt = 0;
    for word in words {
        dirt |= self::dirt(u64::from_le_bytes(*word), extra);
    }
    if !rest.is_empty() {
        dirt |= match text.last_chunk::<8>() {
            Some(last) => self::dirt(u64::from_le_bytes(*last), extra),
            // Not the bytes beyond the text, which are zero and would be dirty.
            None => self::dirt(word(text), extra) & !(u64::MAX << (8 * text.len())),
        };
    }
    dirt == 0
}

/// The high bit of every byte that is escaped or not ASCII. With a byte that is not ASCII the others are vague.
#[inline(always)]
fn dirt<const N: usize>(word: u64, extra: [u8; N]) -> u64 {
    // With the high bit of every lane set no subtraction can borrow from the next lane; it is gone
    // afterwards exactly where the byte was smaller.
    let set = word | HIGH;
    let below = |limit: u8| !(set - LANES * u64::from(limit));
    let equal = |word: u64, byte: u8| !(((word ^ (LANES * u64::from(byte))) | HIGH) - LANES);
    let mut dirt = word | below(b' ' + 1) | equal(word, b'%');
    // `*` and `:`, and `?` and 0x7F, differ in one bit.
    dirt |= equal(word | (LANES * 0x10), b':') | equal(word | (LANES * 0x40), 0x7F);
    dirt |= below(b']' + 1) & !below(b'[');
    for byte in extra {
        dirt |= equal(word, byte);
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

/// The last `rest` bytes (1 to 7) of a text as a word.
#[inline(always)]
pub(super) fn tail(text: &[u8], rest: usize) -> u64 {
    match text.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) >> (8 * (8 - rest)),
        None => word(text),
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
    fn a_text_is_clean_exactly_when_no_byte_is_special() {
        for byte in 0..=u8::MAX {
            for length in 1..20 {
                for at in 0..length {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let clean = byte.is_ascii() && !is_special(byte);
                    assert_eq!(is_clean(&bytes, []), clean, "{byte:#x} at {at} of {length}");
                    let clean = clean && byte != b'-' && byte != b'/';
                    assert_eq!(is_clean(&bytes, *b"-/"), clean);
                }
            }
        }
        assert!(is_clean(b"", []));
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
