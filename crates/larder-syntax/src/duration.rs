//! Durations as people write them: `10m`, `1h30m`, `1.5s`, `forever`.

use std::fmt;

use crate::number;

/// What `forever` is in nanoseconds.
pub const FOREVER: u64 = u64::MAX;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// 100 years; what is longer is a mistake, or `forever`.
pub const LONGEST: u64 = 36_525 * DAY;

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurationError {
    /// There is nothing.
    Empty,
    /// A number without a unit.
    NoUnit,
    /// A unit that is not one of the known ones.
    UnknownUnit,
    /// Months and years have no fixed length.
    Calendar,
    /// A minus sign.
    Negative,
    /// No time at all.
    Zero,
    /// More than 100 years.
    TooLong,
    /// Units that repeat or do not go from large to small.
    Order,
    /// Where a number should be, there is none that can be read.
    Number,
    /// Less than a nanosecond.
    TooPrecise,
}

impl DurationError {
    /// What is wrong and how to mend it.
    pub const fn message(self) -> &'static str {
        match self {
            DurationError::Empty => {
                "an empty duration: write a number and a unit, such as `10m`, or `forever`"
            }
            DurationError::NoUnit => {
                "a duration needs a unit: `10s`, `10m`, `10h`, `10d` (also `w`, `ms`, `us`, `ns`)"
            }
            DurationError::UnknownUnit => {
                "an unknown unit of time: the units are `w`, `d`, `h`, `m`, `s`, `ms`, `us` and `ns`"
            }
            DurationError::Calendar => {
                "months and years have no fixed length: write days or weeks, such as `30d` or `52w`"
            }
            DurationError::Negative => "a duration cannot be negative: remove the minus sign",
            DurationError::Zero => {
                "a duration cannot be zero: write a longer one, or leave the setting out"
            }
            DurationError::TooLong => {
                "a duration cannot be longer than 100 years: write `forever` if that is meant"
            }
            DurationError::Order => {
                "the units of a duration go from large to small, each once, such as `1h30m`"
            }
            DurationError::Number => {
                "a duration starts with a number: write it like `10m`, `1h30m`, `1.5s` or `forever`"
            }
            DurationError::TooPrecise => {
                "a duration cannot be given more exactly than in nanoseconds: use fewer digits"
            }
        }
    }
}

impl fmt::Display for DurationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.message())
    }
}

impl std::error::Error for DurationError {}

/// Reads a duration as nanoseconds; [`FOREVER`] stands for `forever`.
///
/// There are no bare numbers, because nobody remembers their unit, and no months or years.
///
/// ```
/// use larder_syntax::duration;
///
/// const HALF_PAST: u64 = match duration::parse("1h30m") {
///     Ok(nanoseconds) => nanoseconds,
///     Err(error) => panic!("{}", error.message()),
/// };
/// assert_eq!(HALF_PAST, 5_400_000_000_000);
/// assert_eq!(duration::parse("90"), Err(duration::DurationError::NoUnit));
/// ```
pub const fn parse(text: &str) -> Result<u64, DurationError> {
    let text = text.as_bytes().trim_ascii();
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if number::is_word(text, "forever") {
        return Ok(FOREVER);
    }
    let mut total = 0;
    let mut largest = u64::MAX;
    let mut at = 0;
    while at < text.len() {
        let part = match part(text, at) {
            Ok(part) => part,
            Err(error) => return Err(error),
        };
        if part.unit >= largest {
            return Err(DurationError::Order);
        }
        largest = part.unit;
        total += part.nanoseconds;
        if total > LONGEST as u128 {
            return Err(DurationError::TooLong);
        }
        at = part.end;
    }
    if total == 0 {
        Err(DurationError::Zero)
    } else {
        Ok(total as u64)
    }
}

struct Part {
    nanoseconds: u128,
    unit: u64,
    end: usize,
}

const fn part(text: &[u8], start: usize) -> Result<Part, DurationError> {
    if text[start] == b'-' {
        return Err(DurationError::Negative);
    }
    let Some(number) = number::read(text, start) else {
        let digits = text[start].is_ascii_digit();
        return Err(if digits && has_too_many_digits(text, start) {
            DurationError::TooLong
        } else {
            DurationError::Number
        });
    };
    let mut end = number.end;
    while end < text.len()
        && !text[end].is_ascii_digit()
        && !matches!(text[end], b' ' | b'.' | b'-')
    {
        end += 1;
    }
    if end == number.end && end < text.len() && text[end] == b'.' {
        return Err(DurationError::Number);
    }
    let unit = match unit(text.split_at(end).0.split_at(number.end).1) {
        Ok(unit) => unit,
        // The commonest mistake of all deserves the message that fits: `0` is zero of any unit.
        Err(DurationError::NoUnit) if number.digits == 0 => return Err(DurationError::Zero),
        Err(error) => return Err(error),
    };
    let Some(nanoseconds) = number.times(unit) else {
        return Err(DurationError::TooPrecise);
    };
    while end < text.len() && text[end] == b' ' {
        end += 1;
    }
    Ok(Part {
        nanoseconds,
        unit,
        end,
    })
}

const fn has_too_many_digits(text: &[u8], start: usize) -> bool {
    let mut digits = 0;
    while start + digits < text.len() && text[start + digits].is_ascii_digit() {
        digits += 1;
    }
    digits >= 19
}

const fn unit(text: &[u8]) -> Result<u64, DurationError> {
    match text {
        b"" => Err(DurationError::NoUnit),
        b"ns" => Ok(1),
        // The Greek letter and the micro sign.
        b"us" | b"\xCE\xBCs" | b"\xC2\xB5s" => Ok(1_000),
        b"ms" => Ok(1_000_000),
        b"s" => Ok(SECOND),
        b"m" => Ok(MINUTE),
        b"h" => Ok(HOUR),
        b"d" => Ok(DAY),
        b"w" => Ok(WEEK),
        b"M" | b"mo" | b"y" | b"Y" | b"month" | b"months" | b"year" | b"years" => {
            Err(DurationError::Calendar)
        }
        _ => Err(DurationError::UnknownUnit),
    }
}
