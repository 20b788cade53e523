//! A decimal number with an optional fraction, readable in a `const`.

/// A number as it was written: `digits / 10^decimals`, followed by something that starts at `end`.
pub(crate) struct Number {
    pub(crate) digits: u128,
    pub(crate) decimals: u32,
    pub(crate) end: usize,
}

/// More digits than anything here needs, and few enough for exact arithmetic in 128 bits.
const MOST_DIGITS: usize = 19;

/// Reads the number that starts at `start`; `None` if there is none, or more of one than makes sense.
pub(crate) const fn read(text: &[u8], start: usize) -> Option<Number> {
    let mut number = Number {
        digits: 0,
        decimals: 0,
        end: start,
    };
    let mut fraction = false;
    while number.end < text.len() {
        let byte = text[number.end];
        if byte == b'.' && !fraction && number.end > start {
            fraction = true;
        } else if byte.is_ascii_digit() {
            number.digits = number.digits * 10 + (byte - b'0') as u128;
            number.decimals += fraction as u32;
        } else {
            break;
        }
        number.end += 1;
        if number.end - start > MOST_DIGITS {
            return None;
        }
    }
    let written = number.end > start && text[number.end - 1] != b'.';
    if written { Some(number) } else { None }
}

impl Number {
    /// The number times `factor`; `None` if that is not a whole number.
    pub(crate) const fn times(&self, factor: u64) -> Option<u128> {
        let product = self.digits * factor as u128;
        let divisor = 10_u128.pow(self.decimals);
        if product.is_multiple_of(divisor) {
            Some(product / divisor)
        } else {
            None
        }
    }
}

/// Compares a unit with a word, without regard to the case of ASCII letters.
pub(crate) const fn is_word(text: &[u8], word: &str) -> bool {
    text.eq_ignore_ascii_case(word.as_bytes())
}
