//! Durations, percentages and sizes.

use larder_syntax::duration::{self, DurationError, FOREVER, LONGEST};
use larder_syntax::{percent, size};

const SECOND: u64 = 1_000_000_000;

const TEN_MINUTES: u64 = match duration::parse("10m") {
    Ok(nanoseconds) => nanoseconds,
    Err(error) => panic!("{}", error.message()),
};
const TENTH: u32 = match percent::parse("10%") {
    Ok(parts) => parts,
    Err(message) => panic!("{}", message),
};
const _: () = assert!(TEN_MINUTES == 600 * SECOND && TENTH == 100_000);

#[test]
fn durations() {
    for (text, nanoseconds) in [
        ("1ns", 1),
        ("5us", 5_000),
        ("5µs", 5_000),
        ("5μs", 5_000),
        ("250ms", 250_000_000),
        ("1s", SECOND),
        ("1.5s", SECOND + SECOND / 2),
        ("0.25m", 15 * SECOND),
        ("10m", 600 * SECOND),
        ("1h30m", 5_400 * SECOND),
        ("1h 30m", 5_400 * SECOND),
        (" 1h ", 3_600 * SECOND),
        ("1d2h3m50s", 93_830 * SECOND),
        ("1w", 604_800 * SECOND),
        ("90s", 90 * SECOND),
        ("0h5s", 5 * SECOND),
        ("36525d", LONGEST),
        ("forever", FOREVER),
        ("Forever", FOREVER),
    ] {
        assert_eq!(duration::parse(text), Ok(nanoseconds), "{text}");
    }
}

#[test]
fn what_is_not_a_duration() {
    use DurationError::*;
    for (text, error) in [
        ("", Empty),
        ("  ", Empty),
        ("10", NoUnit),
        ("1h30", NoUnit),
        ("10 m", NoUnit),
        ("10x", UnknownUnit),
        ("10min", UnknownUnit),
        ("10S", UnknownUnit),
        ("1M", Calendar),
        ("2mo", Calendar),
        ("1y", Calendar),
        ("1year", Calendar),
        ("-5s", Negative),
        ("1h-5m", Negative),
        ("0", Zero),
        ("0s", Zero),
        ("0h0.0s", Zero),
        ("36526d", TooLong),
        ("101000d", TooLong),
        ("999999999999999999w", TooLong),
        ("99999999999999999999999999999999s", TooLong),
        ("30m1h", Order),
        ("5m5m", Order),
        ("soon", Number),
        ("m", Number),
        (".5s", Number),
        ("1.s", Number),
        ("1.2.3s", Number),
        ("1e3s", UnknownUnit),
        ("∞", Number),
        ("0.1ns", TooPrecise),
        ("1.0000000001s", TooPrecise),
    ] {
        assert_eq!(duration::parse(text), Err(error), "{text}");
    }
}

#[test]
fn every_refusal_says_what_to_write() {
    assert!(DurationError::NoUnit.message().contains("`10m`"));
    assert!(DurationError::TooLong.to_string().contains("`forever`"));
}

#[test]
fn percentages() {
    for (text, parts) in [
        ("10%", 100_000),
        ("100%", 1_000_000),
        ("0.5%", 5_000),
        (" 12.25 % ", 122_500),
    ] {
        assert_eq!(percent::parse(text), Ok(parts), "{text}");
    }
    for text in [
        "", "%", "10", "0%", "100.1%", "-5%", "10%%", "ten%", "0.00001%", "1e1%",
    ] {
        assert!(percent::parse(text).is_err(), "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("4096", 4096),
        ("1b", 1),
        ("64mb", 64_000_000),
        ("64MB", 64_000_000),
        ("64 MiB", 64 << 20),
        ("1.5kib", 1536),
        ("2gb", 2_000_000_000),
        ("3tib", 3 << 40),
    ] {
        assert_eq!(size::parse(text), Ok(bytes), "{text}");
    }
    for text in [
        "",
        "mb",
        "64m",
        "0",
        "0mb",
        "-1",
        "1.5b",
        "9999999tib",
        "99999999999999999999",
    ] {
        assert!(size::parse(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn whole_parts_add_up(days in 0..300_u64, hours in 0..100_u64, seconds in 1..9_999_u64, millis in 0..9_999_u64) {
        let text = format!("{days}d{hours}h{seconds}s{millis}ms");
        let total = days * 86_400_000 + hours * 3_600_000 + seconds * 1_000 + millis;
        proptest::prop_assert_eq!(duration::parse(&text), Ok(total * 1_000_000));
    }

    #[test]
    fn no_text_panics(text in "[0-9.a-zµ% -]{0,40}") {
        let _ = (duration::parse(&text), percent::parse(&text), size::parse(&text));
    }
}
