//! Decimal digits made in a register, eight at a time.

const ZEROS: u64 = 0x3030_3030_3030_3030;
const EIGHT_DIGITS: u64 = 100_000_000;

/// The largest number that [`few`] takes is one less.
pub(super) const FEW: u64 = EIGHT_DIGITS;

/// The largest number that [`many`] takes is one less.
pub(super) const MANY: u64 = EIGHT_DIGITS * EIGHT_DIGITS;

/// The digits of a number of up to eight as text, the first in the lowest byte, and how many; zero has one.
#[inline(always)]
pub(super) fn few(number: u64) -> (u64, usize) {
    let digits = eight(number);
    // The last digit counts even when it is zero.
    let skipped = ((digits | (1 << 56)).trailing_zeros() / 8) as usize;
    ((digits + ZEROS) >> (8 * skipped), 8 - skipped)
}

/// The digits of a number of nine to sixteen; in two registers, so that nobody has to read them from memory.
#[inline(never)]
pub(super) fn many(number: u64) -> u128 {
    let (first, count) = few(number / EIGHT_DIGITS);
    u128::from(first) | (u128::from(last(number)) << (8 * count))
}

/// The last eight digits of a number, zeros or not.
#[inline(never)]
pub(super) fn last(number: u64) -> u64 {
    eight(number % EIGHT_DIGITS) + ZEROS
}

/// How many digits [`many`] has made.
#[inline(always)]
pub(super) fn count(digits: u128) -> usize {
    16 - digits.leading_zeros() as usize / 8
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
    use super::super::buf::KeyBuf;

    fn text(number: u64) -> String {
        let mut key = KeyBuf::new();
        key.number(number);
        key.as_str().to_owned()
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
