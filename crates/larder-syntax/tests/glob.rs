//! Glob patterns match what Redis matches.

use larder_syntax::glob::{escape, literal_prefix, matches};
use proptest::prelude::*;

#[test]
fn the_rules_of_redis() {
    for (pattern, text, expected) in [
        // The examples of the documentation of KEYS.
        ("h?llo", "hello", true),
        ("h?llo", "hllo", false),
        ("h*llo", "hllo", true),
        ("h*llo", "heeeello", true),
        ("h[ae]llo", "hallo", true),
        ("h[ae]llo", "hillo", false),
        ("h[^e]llo", "hallo", true),
        ("h[^e]llo", "hello", false),
        ("h[a-b]llo", "hbllo", true),
        ("h[a-b]llo", "hcllo", false),
        // Whole texts, not parts of them.
        ("ell", "hello", false),
        ("hell", "hello", false),
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("**", "a", true),
        ("a*", "a", true),
        ("a*b", "a", false),
        ("?", "", false),
        // Case, and characters that mean something elsewhere.
        ("A", "a", false),
        ("a.b", "axb", false),
        ("a+", "aa", false),
        ("(a|b)", "(a|b)", true),
        ("[!a]", "!", true),
        ("[!a]", "b", false),
        // Escapes.
        (r"\*", "*", true),
        (r"\*", "a", false),
        (r"\a", "a", true),
        (r"[\]]", "]", true),
        (r"[\-a]", "-", true),
        (r"\[a\]", "[a]", true),
        (r"a\", r"a\", true),
        // Odd sets.
        ("[z-a]", "m", true),
        ("[^a-c]", "b", false),
        ("[]", "]", false),
        ("[]a]", "a", false),
        ("[^]", "x", true),
        ("[a", "a", true),
        ("[a", "b", false),
        ("[", "[", false),
        ("[^", "x", true),
        ("[a-", "-", true),
        ("[a-]", "]", true),
        ("[a-]", "`", true),
        (r"[\", r"\", true),
        // Bytes, not characters.
        ("?", "é", false),
        ("??", "é", true),
        ("é*", "éa", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} and {text}");
    }
}

#[test]
fn a_hostile_pattern_takes_no_longer_than_its_length_allows() {
    let pattern = "a*".repeat(2_000) + "b";
    assert!(!matches(&pattern, &"a".repeat(20_000)));
}

#[test]
fn a_prefix_ends_where_a_choice_begins() {
    assert_eq!(literal_prefix("user:*"), "user:");
    assert_eq!(literal_prefix(r"a\*b?"), "a*b");
    assert_eq!(literal_prefix("a[b]"), "a");
    assert_eq!(literal_prefix("plain"), "plain");
    assert_eq!(literal_prefix(r"end\"), r"end\");
}

/// The rules again, by trying everything.
fn model(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|taken| model(rest, &text[taken..])),
        [b'?', rest @ ..] => !text.is_empty() && model(rest, &text[1..]),
        [b'[', rest @ ..] => {
            let (negated, rest) = rest
                .strip_prefix(b"^")
                .map_or((false, rest), |rest| (true, rest));
            let (set, rest) = model_set(rest);
            !text.is_empty() && set.contains(&text[0]) != negated && model(rest, &text[1..])
        }
        [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
            text.first() == Some(byte) && model(rest, &text[1..])
        }
    }
}

fn model_set(mut rest: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut set = Vec::new();
    loop {
        rest = match rest {
            [] => return (set, rest),
            [b'\\', byte, rest @ ..] => {
                set.push(*byte);
                rest
            }
            [b']', rest @ ..] => return (set, rest),
            [from, b'-', to, rest @ ..] => {
                set.extend(*from.min(to)..=*from.max(to));
                rest
            }
            [byte, rest @ ..] => {
                set.push(*byte);
                rest
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn as_the_model(pattern in r"[abc*?\[\]^\\-]{0,10}", text in r"[abc\]^\\-]{0,8}") {
        prop_assert_eq!(matches(&pattern, &text), model(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn an_escaped_text_matches_itself_only(text in r"[ab*?\[\]\\^é-]{0,8}", other in r"[ab*?\[\]\\^é-]{0,8}") {
        prop_assert!(matches(&escape(&text), &text));
        prop_assert_eq!(matches(&escape(&text), &other), text == other);
        prop_assert_eq!(literal_prefix(&escape(&text)), text);
    }

    #[test]
    fn what_matches_has_the_prefix(pattern in r"[abc*?\[\]\\]{0,8}", text in "[abc]{0,8}") {
        if matches(&pattern, &text) {
            prop_assert!(text.starts_with(&literal_prefix(&pattern)));
        }
    }
}
