//! Decimal digits made in a register, eight at a time.

const ZEROS: u64 = 0x3030_3030_3030_3030;
const EIGHT_DIGITS: u64 = 100_000_000;

/// Up to eight digits as text: the first is the lowest byte, unused bytes are zero.
#[derive(Clone, Copy, Default)]
pub(super) struct Digits {
    pub(super) bytes: u64,
    pub(super) count: usize,
}

/// The digits of a number that has no more than eight.
#[inline(always)]
pub(super) fn up_to_eight(number: u64) -> Option<Digits> {
    (number < EIGHT_DIGITS).then(|| leading(number))
}

/// The digits of a number that has more than eight; the last of the three may be empty.
pub(super) fn many(number: u64) -> [Digits; 3] {
    let (above, last) = (number / EIGHT_DIGITS, number % EIGHT_DIGITS);
    match up_to_eight(above) {
        Some(first) => [first, padded(last), Digits::default()],
        None => [
            leading(above / EIGHT_DIGITS),
            padded(above % EIGHT_DIGITS),
            padded(last),
        ],
    }
}

/// All eight digits of a number below 100 000 000.
#[inline(always)]
fn padded(number: u64) -> Digits {
    Digits {
        bytes: eight(number) + ZEROS,
        count: 8,
    }
}

/// The same without leading zeros; zero itself is one digit.
#[inline(always)]
fn leading(number: u64) -> Digits {
    let digits = eight(number);
    // The last digit counts even when it is zero.
    let skipped = ((digits | (1 << 56)).trailing_zeros() / 8) as usize;
    Digits {
        bytes: (digits + ZEROS) >> (8 * skipped),
        count: 8 - skipped,
    }
}

// Splits into halves, quarters and digits, all lanes of the word at once; a division by a constant is a
// multiplication and a shift that is exact over the range of the lane.
#[inline(always)]
fn eight(number: u64) -> u64 {
    let halves = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let pairs = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((pairs - 10 * tens) << 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64) -> String {
        let pieces =
            up_to_eight(number).map_or_else(|| many(number).to_vec(), |digits| vec![digits]);
        let mut text = String::new();
        for piece in pieces {
            let bytes = piece.bytes.to_le_bytes();
            text.push_str(std::str::from_utf8(&bytes[..piece.count]).unwrap());
            assert!(bytes[piece.count..].iter().all(|byte| *byte == 0));
        }
        text
    }

    #[test]
    fn every_number_of_four_digits_and_its_shifts() {
        for number in 0..10_000 {
            for number in [number, number * 10_000, number * 10_000 + 9_999] {
                assert_eq!(text(number), number.to_string());
            }
        }
    }

    #[test]
    fn edges_of_every_length() {
        let mut power = 1_u64;
        for _ in 0..20 {
            for number in [power - 1, power, power + 1] {
                assert_eq!(text(number), number.to_string());
            }
            power = power.wrapping_mul(10);
        }
        assert_eq!(text(u64::MAX), u64::MAX.to_string());
    }
}
