//! A key is the same text, hash and order however it was made.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

use larder::__private::KeyBuf;
use larder::Key;
use proptest::prelude::*;

/// One step of rendering.
#[derive(Clone, Debug)]
enum Step {
    Literal(String),
    Number(u64),
    Value(String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        "[a-z:é]{0,12}".prop_map(Step::Literal),
        "[a-z:é]{0,200}".prop_map(Step::Literal),
        any::<u64>().prop_map(Step::Number),
        (0..20_u32, any::<u64>())
            .prop_map(|(digits, number)| Step::Number(number / 10_u64.pow(digits.min(19)))),
        "[a-z0-9]{0,40}".prop_map(Step::Value),
        "[a-z: é]{0,40}".prop_map(Step::Value),
    ]
}

fn rendered(steps: &[Step]) -> (KeyBuf, String) {
    let (mut key, mut text) = (KeyBuf::new(), String::new());
    for step in steps {
        match step {
            Step::Literal(literal) => {
                key.literal(literal);
                text += literal;
            }
            Step::Number(number) => {
                key.number(*number);
                text += &number.to_string();
            }
            Step::Value(value) => {
                key.value(value, None);
                text += &value.replace(':', "%3A").replace(' ', "%20");
            }
        }
    }
    (key, text)
}

fn hashes<B: BuildHasher>(state: &B, key: &impl Hash, other: &impl Hash) -> (u64, u64) {
    (state.hash_one(key), state.hash_one(other))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_rendered_key_is_its_text(steps in prop::collection::vec(step(), 0..8)) {
        let (buffer, text) = rendered(&steps);
        let key = Key::from(text.as_str());
        prop_assert_eq!(buffer.as_str(), &text);
        prop_assert_eq!(key.as_str(), &text);
        prop_assert_eq!(&buffer.to_key(), &key);
        prop_assert!(buffer == key);
        let (mine, its) = hashes(&RandomState::new(), &buffer, &key);
        prop_assert_eq!(mine, its);
        let (mine, its) = hashes(&foldhash::fast::RandomState::default(), &buffer.clone(), &key);
        prop_assert_eq!(mine, its);
        prop_assert_eq!(buffer.clone().to_key(), key);
    }

    #[test]
    fn a_prefix_may_come_last(prefix in "[a-z:]{0,30}", steps in prop::collection::vec(step(), 0..4)) {
        let (mut buffer, text) = rendered(&steps);
        buffer.under(&prefix);
        let key = Key::from(prefix + &text);
        prop_assert_eq!(buffer.as_str(), key.as_str());
        prop_assert!(buffer == key);
    }

    #[test]
    fn keys_are_ordered_and_compared_like_their_texts(left in "[ab]{0,40}", right in "[ab]{0,40}", cut in 0..40_usize) {
        for other in [&right[..], &left[..cut.min(left.len())]] {
            let (key, its) = (Key::from(left.as_str()), Key::from(other));
            prop_assert_eq!(key == its, left == other);
            prop_assert_eq!(key.cmp(&its), left.as_str().cmp(other));
            prop_assert_eq!(KeyBuf::from_text(&left) == its, left == other);
        }
    }

    #[test]
    fn bounded_keys_fit_and_differ(texts in prop::collection::hash_set("[a-zé]{0,80}", 2..20), max in 33..90_usize) {
        let keys: Vec<Key> = texts.iter().map(|text| Key::from(text.as_str())).collect();
        // Once more what the first round made, as somebody would who wants to collide.
        let forged = keys.iter().map(|key| Key::from(key.bounded(max).as_ref()));
        let all: HashSet<Key> = keys.iter().cloned().chain(forged).collect();
        let bounded: HashSet<String> = all.iter().map(|key| key.bounded(max).into_owned()).collect();
        prop_assert_eq!(bounded.len(), all.len());
        prop_assert!(bounded.iter().all(|text| text.len() <= max));
    }
}

#[test]
fn keys_of_every_length_around_the_edges() {
    let text = "abcdefghijklmnopqrstuvwxyz".repeat(20);
    for length in 0..180 {
        for start in 0..10.min(length + 1) {
            let whole = &text[..length];
            let mut buffer = KeyBuf::from_text(&whole[..start]);
            buffer.literal(&whole[start..]);
            let key = Key::from(whole);
            assert_eq!(buffer.as_str(), whole);
            assert!(buffer == key && buffer.to_key() == key);
            let (mine, its) = hashes(&foldhash::fast::RandomState::default(), &buffer, &key);
            assert_eq!(mine, its, "{length}");
            let longer = Key::from(&text[..length + 1]);
            assert!(buffer != longer && key != longer);
            for other in 0..length {
                let mut other_text = whole.to_owned();
                other_text.replace_range(other..=other, "_");
                assert!(buffer != Key::from(other_text));
            }
        }
    }
}

#[test]
fn lengths_matter_where_bytes_are_zero() {
    let keys: HashSet<Key> = (0..40)
        .map(|length| Key::from("\0".repeat(length)))
        .collect();
    assert_eq!(keys.len(), 40);
    let buffer = KeyBuf::from_text("\0\0");
    assert!(buffer == Key::from("\0\0") && buffer != Key::from("\0"));
}

#[test]
fn a_key_is_small() {
    assert_eq!(size_of::<Key>(), 24);
    assert_eq!(size_of::<Option<Key>>(), 24);
    assert!(size_of::<KeyBuf>() <= 40);
}
