//! Percentages: `10%`, `0.5%`.

use crate::number;

const PARTS_PER_MILLION: u64 = 10_000;
const WHOLE: u128 = 1_000_000;

/// Reads a percentage as parts per million: more than nothing, and no more than `100%`.
///
/// # Errors
///
/// A message that says how to mend the text.
///
/// ```
/// const TENTH: u32 = match larder_syntax::percent::parse("10%") {
///     Ok(parts) => parts,
///     Err(message) => panic!("{}", message),
/// };
/// assert_eq!(TENTH, 100_000);
/// ```
pub const fn parse(text: &str) -> Result<u32, &'static str> {
    let text = text.as_bytes().trim_ascii();
    let Some(number) = number::read(text, 0) else {
        return Err("a percentage is a number and `%`, such as `10%` or `0.5%`");
    };
    if !matches!(text.split_at(number.end).1.trim_ascii(), b"%") {
        return Err("a percentage ends with `%`: write it like `10%`");
    }
    let Some(parts) = number.times(PARTS_PER_MILLION) else {
        return Err("a percentage cannot be given more exactly than `0.0001%`: use fewer digits");
    };
    match parts {
        0 => Err("a percentage cannot be zero: write a larger one, or leave the setting out"),
        1..=WHOLE => Ok(parts as u32),
        _ => Err("a percentage cannot be more than `100%`"),
    }
}
