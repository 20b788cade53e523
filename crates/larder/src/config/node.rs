//! What a file says, whatever its format: one tree in which everything knows its place.

use super::origin::Origin;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Origin,
}

/// A name and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) at: Origin,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nothing,
    Flag(bool),
    Whole(i128),
    Fraction(f64),
    Text(String),
    /// Text of a URL or a variable: it has the type that is due.
    Untyped(String),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(Name, Node)>),
    /// A kind of value that nothing here takes, and what it is called.
    Other(&'static str),
}

/// How deep a file may be nested: a route's level is at 6.
pub(crate) const DEEPEST: usize = 16;

/// How large a file, a variable or a URL may be, in bytes.
pub(crate) const LARGEST: usize = 1 << 20;

/// What to say of a file past these bounds.
pub(crate) const TOO_LARGE: &str = "this file is larger or deeper than a configuration can be";

/// What is shown of a text that may be long.
pub(crate) fn shorten(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut shown: String = text.chars().take(LONGEST).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl Value {
    /// What it is, as the end of a sentence.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Nothing => "there is nothing".to_owned(),
            Self::Flag(flag) => format!("this is `{flag}`"),
            Self::Whole(number) => format!("this is the number `{number}`"),
            Self::Fraction(number) => format!("this is the number `{number}`"),
            Self::Text(text) | Self::Untyped(text) => {
                format!("this is the text `{}`", shorten(text))
            }
            Self::List(_) => "this is a list".to_owned(),
            Self::Map(_) => "this is a mapping".to_owned(),
            Self::Other(what) => format!("this is {what}"),
        }
    }
}

/// What to say of a key that a mapping has already.
pub(crate) fn twice(key: &str) -> String {
    format!("`{}` stands here twice: leave one out", shorten(key))
}
