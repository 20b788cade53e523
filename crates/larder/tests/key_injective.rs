//! Different values never make the same key.

use std::collections::HashMap;

use larder::__private::{AutoPart, KeyBuf};
use larder::{KeyPart, Template};
use proptest::prelude::*;

/// Pieces of text that could be taken for something else: separators, escapes, marks, digits, templates.
const HOSTILE: [&str; 40] = [
    "", ":", "%", "-", ",", ";", "*", "?", "[", "]", "\\", " ", "\n", "\0", "\"", "'", "(", ")",
    "{", "}", "é", "e", "n", "%none", "%empty", "%some", "%(", "%)", "none", "None", "3A", "%3A",
    "0", "1", "10", "u64", "a", "A", ":page:", "\u{a0}",
];

const LITERALS: [&str; 18] = [
    ":", "-", ",", ";", ":page:", "a", "e", "n", "0", "1", "é", "(", "{{", "}}", "A", "3", ".",
    ", ",
];

/// A value of each kind that a template knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Value {
    Text(String),
    Number(u64),
    Signed(i64),
    Truth(bool),
    Letter(char),
    Maybe(Option<String>),
    Perhaps(Option<Option<u8>>),
    List(Vec<String>),
    Maybes(Vec<Option<String>>),
    MaybeList(Option<Vec<Option<String>>>),
    Lists(Vec<Vec<String>>),
}

impl Value {
    fn part(&self) -> &dyn KeyPart {
        match self {
            Value::Text(value) => value,
            Value::Number(value) => value,
            Value::Signed(value) => value,
            Value::Truth(value) => value,
            Value::Letter(value) => value,
            Value::Maybe(value) => value,
            Value::Perhaps(value) => value,
            Value::List(value) => value,
            Value::Maybes(value) => value,
            Value::MaybeList(value) => value,
            Value::Lists(value) => value,
        }
    }

    fn auto(&self) -> &dyn AutoPart {
        match self {
            Value::Text(value) => value,
            Value::Number(value) => value,
            Value::Signed(value) => value,
            Value::Truth(value) => value,
            Value::Letter(value) => value,
            Value::Maybe(value) => value,
            Value::Perhaps(value) => value,
            Value::List(value) => value,
            Value::Maybes(value) => value,
            Value::MaybeList(value) => value,
            Value::Lists(value) => value,
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&HOSTILE[..]), 0..4)
        .prop_map(|pieces| pieces.concat())
}

fn letter() -> impl Strategy<Value = char> {
    prop::sample::select(vec![':', '%', '-', ',', 'a', 'e', '0', '\'', '"', 'é'])
}

/// A value of the kind, which is the same in all rows: a function has one type for each argument.
fn value(kind: usize) -> BoxedStrategy<Value> {
    let texts = || prop::collection::vec(text(), 0..3);
    let maybes = || prop::collection::vec(prop::option::of(text()), 0..3);
    match kind {
        0 | 1 => text().prop_map(Value::Text).boxed(),
        2 => prop_oneof![0..40_u64, any::<u64>()]
            .prop_map(Value::Number)
            .boxed(),
        3 => (-40..40_i64).prop_map(Value::Signed).boxed(),
        4 => any::<bool>().prop_map(Value::Truth).boxed(),
        5 => letter().prop_map(Value::Letter).boxed(),
        6 => prop::option::of(text()).prop_map(Value::Maybe).boxed(),
        7 => prop::option::of(prop::option::of(0..2_u8))
            .prop_map(Value::Perhaps)
            .boxed(),
        8 => texts().prop_map(Value::List).boxed(),
        9 => maybes().prop_map(Value::Maybes).boxed(),
        10 => prop::option::of(maybes())
            .prop_map(Value::MaybeList)
            .boxed(),
        _ => prop::collection::vec(texts(), 0..3)
            .prop_map(Value::Lists)
            .boxed(),
    }
}

/// The kinds of a function's arguments, and many calls of it.
fn calls() -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop::collection::vec(0..12_usize, 1..4).prop_flat_map(|kinds| {
        let row: Vec<_> = kinds.into_iter().map(value).collect();
        prop::collection::vec(row, 2..120)
    })
}

fn different<'a>(
    rows: impl IntoIterator<Item = &'a Vec<Value>>,
    key: impl Fn(&[Value]) -> String,
) -> Result<(), TestCaseError> {
    let mut seen: HashMap<String, &[Value]> = HashMap::new();
    for row in rows {
        if let Some(other) = seen.insert(key(row), row) {
            prop_assert_eq!(other, &row[..], "both are {}", key(row));
        }
    }
    Ok(())
}

/// A template with these literals around as many values as a row has.
fn template(literals: &[&str], values: usize) -> impl Fn(&[Value]) -> String + use<> {
    let names = ["a", "b", "c"];
    let mut written = literals[0].to_owned();
    for (name, literal) in names.iter().zip(&literals[1..]).take(values) {
        written += &format!("{{{name}}}{literal}");
    }
    let template = Template::parse(&written).expect("a template");
    move |row| {
        let values = names
            .iter()
            .zip(row)
            .map(|(name, value)| (*name, value.part()));
        template.render(values).expect("a key").to_string()
    }
}

fn automatic(row: &[Value]) -> String {
    let mut key = KeyBuf::new();
    key.literal("app::user(");
    for (at, value) in row.iter().enumerate() {
        if at > 0 {
            key.literal(",");
        }
        value.auto().render_auto(&mut key);
    }
    key.literal(")");
    key.as_str().to_owned()
}

/// All texts of up to three of some words.
fn texts(words: &[&str]) -> Vec<String> {
    let mut texts = vec![String::new()];
    for _ in 0..3 {
        let longer: Vec<String> = texts
            .iter()
            .flat_map(|text| words.iter().map(move |word| format!("{text}{word}")))
            .collect();
        texts.extend(longer);
    }
    texts.sort();
    texts.dedup();
    texts
}

/// All lists of up to two of some texts.
fn lists(texts: &[String]) -> Vec<Vec<String>> {
    let one = texts.iter().map(|text| vec![text.clone()]);
    let two = texts.iter().flat_map(|first| {
        texts
            .iter()
            .map(|second| vec![first.clone(), second.clone()])
    });
    one.chain(two).chain([vec![]]).collect()
}

/// All rows of one of the first values and one of the second.
fn pairs(first: impl IntoIterator<Item = Value>, second: &[Value]) -> Vec<Vec<Value>> {
    let with_first = |first: Value| {
        second
            .iter()
            .map(move |second| vec![first.clone(), second.clone()])
    };
    first.into_iter().flat_map(with_first).collect()
}

#[test]
fn a_value_cannot_hold_the_literal_that_ends_it() {
    for literal in LITERALS {
        let shown = literal.replace("{{", "{").replace("}}", "}");
        let start: String = shown.chars().take(1).collect();
        let words = [shown.as_str(), &start, "a", "%"];
        let behind: Vec<Value> = texts(&words).into_iter().map(Value::Text).collect();
        let key = template(&["", literal, ""], 2);
        different(
            &pairs(texts(&words).into_iter().map(Value::Text), &behind),
            &key,
        )
        .unwrap();
        let few: Vec<String> = texts(&[&start, "a"]).into_iter().take(8).collect();
        let behind: Vec<Value> = texts(&[&start, "a", ","])
            .into_iter()
            .map(Value::Text)
            .collect();
        different(
            &pairs(lists(&few).into_iter().map(Value::List), &behind),
            &key,
        )
        .unwrap();
        let digits: Vec<Value> = texts(&[&start, "0", "1", "-"])
            .into_iter()
            .map(Value::Text)
            .collect();
        different(&pairs((-120..120).map(Value::Signed), &digits), &key).unwrap();
        different(&pairs((0..120).map(Value::Number), &digits), &key).unwrap();
        let words = [&start, "e", "n", "o"];
        let behind: Vec<Value> = texts(&words).into_iter().map(Value::Text).collect();
        let maybe = texts(&words)
            .into_iter()
            .map(Some)
            .chain([None])
            .map(Value::Maybe);
        different(&pairs(maybe, &behind), &key).unwrap();
    }
}

#[test]
fn an_automatic_key_cannot_be_forged_by_a_text() {
    let words = ["\"", ",", "(", ")", "\",\"", "a", "%"];
    let behind: Vec<Value> = texts(&words).into_iter().map(Value::Text).collect();
    different(
        &pairs(
            texts(&words).into_iter().take(120).map(Value::Text),
            &behind,
        ),
        automatic,
    )
    .unwrap();
    let few = texts(&["\"", ","]);
    let behind: Vec<Value> = few.iter().cloned().map(Value::Text).collect();
    different(
        &pairs(lists(&few).into_iter().map(Value::List), &behind),
        automatic,
    )
    .unwrap();
    let letters = ['\'', '"', ',', '%', 'a'].map(Value::Letter);
    different(&pairs(letters.clone(), &letters), automatic).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn templates(
        literals in prop::collection::vec(prop::sample::select(&LITERALS[..]), 5),
        rows in calls(),
    ) {
        let values = rows[0].len();
        different(&rows, template(&literals, values))?;
    }

    #[test]
    fn automatic_keys(rows in calls()) {
        different(&rows, automatic)?;
    }

    #[test]
    fn values_hold_nothing_that_means_something(value in text()) {
        let escaped = larder::escape(&value);
        let special = |character: char| {
            matches!(character, ':' | '*' | '?' | '[' | ']' | '\\')
                || character.is_whitespace()
                || character.is_control()
        };
        prop_assert!(!escaped.contains(special), "{escaped:?}");
    }
}

#[test]
fn types_are_told_apart_in_automatic_keys() {
    let mut seen = HashMap::new();
    let values: [&dyn AutoPart; 16] = [
        &1_u8,
        &1_u64,
        &1_i64,
        &1.0_f64,
        &"1",
        &'1',
        &"1u8",
        &Some(1_u8),
        &None::<u8>,
        &"None",
        &[1_u8],
        &(1_u8,),
        &["1"],
        &true,
        &"true",
        &(),
    ];
    for (at, value) in values.iter().enumerate() {
        let mut key = KeyBuf::new();
        value.render_auto(&mut key);
        let before = seen.insert(key.as_str().to_owned(), at);
        assert_eq!(before, None, "{key:?}");
    }
}
