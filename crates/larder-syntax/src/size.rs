//! Sizes in bytes: `64mb`, `1.5gib`, `4096`.

use crate::number;

/// Reads a size as bytes.
///
/// `kb`, `mb`, `gb` and `tb` are powers of 1000, `kib`, `mib`, `gib` and `tib` of 1024, in any case; a number
/// alone is bytes.
///
/// # Errors
///
/// A message that says how to mend the text.
///
/// ```
/// use larder_syntax::size;
///
/// assert_eq!(size::parse("64mb"), Ok(64_000_000));
/// assert_eq!(size::parse("64 MiB"), Ok(64 * 1024 * 1024));
/// ```
pub const fn parse(text: &str) -> Result<u64, &'static str> {
    let text = text.as_bytes().trim_ascii();
    let Some(number) = number::read(text, 0) else {
        return Err("a size is a number and a unit, such as `64mb` or `512kib`");
    };
    let Some(unit) = unit(text.split_at(number.end).1.trim_ascii()) else {
        return Err(
            "an unknown unit of size: the units are `b`, `kb`, `mb`, `gb`, `tb`, `kib`, `mib`, `gib` and `tib`",
        );
    };
    match number.times(unit) {
        None => Err("a size cannot be a part of a byte: use fewer digits"),
        Some(0) => Err("a size cannot be zero: write a larger one, or leave the setting out"),
        Some(bytes) if bytes > i64::MAX as u128 => Err("a size cannot be more than `8388607tib`"),
        Some(bytes) => Ok(bytes as u64),
    }
}

const fn unit(text: &[u8]) -> Option<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("", 1),
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
    ];
    let mut at = 0;
    while at < UNITS.len() {
        if number::is_word(text, UNITS[at].0) {
            return Some(UNITS[at].1);
        }
        at += 1;
    }
    None
}
