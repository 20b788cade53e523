//! The name that was probably meant.

use larder_syntax::suggest::nearest;

const NAMES: [&str; 8] = [
    "ttl",
    "stale",
    "early",
    "soft",
    "tags",
    "fail_safe",
    "id",
    "user_id",
];

#[test]
fn slips_of_the_fingers_are_found() {
    for (word, meant) in [
        ("tll", "ttl"),
        ("tl", "ttl"),
        ("ttll", "ttl"),
        ("TTL", "ttl"),
        ("stlae", "stale"),
        ("eraly", "early"),
        ("failsafe", "fail_safe"),
        ("userid", "user_id"),
        ("di", "id"),
        ("tag", "tags"),
    ] {
        assert_eq!(nearest(word, NAMES), Some(meant), "{word}");
    }
}

#[test]
fn other_words_are_left_alone() {
    for word in ["", "x", "key", "colour", "jitter", "user"] {
        assert_eq!(nearest(word, NAMES), None, "{word}");
    }
    assert_eq!(nearest("ttl", []), None);
}

#[test]
fn the_nearest_wins() {
    assert_eq!(
        nearest("stable", ["table", "stale", "stables"]),
        Some("table")
    );
    assert_eq!(nearest("stale", ["stable", "stale"]), Some("stale"));
}
