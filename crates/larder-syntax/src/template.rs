//! Key templates: `user:{id}`, `search:{q:lower}:page:{page}`, `{@client}:{user.id}`.
//!
//! A template is text with placeholders in braces; `{{` and `}}` are braces. A placeholder names an argument,
//! a field of one (`{user.id}`, `{pair.0}`) or a value of the context (`{@client}`). Transforms follow, each
//! after a colon, and are applied from left to right.

use std::fmt;

use crate::suggest;

mod parse;

/// A template that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Literals and values in turn; two values are never neighbours.
    pub pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that is used as it is; never empty.
    Literal(String),
    /// A value.
    Value(Placeholder),
}

/// What stands in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placeholder {
    /// Where the value comes from.
    pub source: Source,
    /// What is done to it, in this order.
    pub transforms: Vec<Transform>,
    /// The first byte of the literal that follows, if another placeholder comes later: the value must not
    /// contain it unescaped, or it could not be told where the value ends.
    pub stop: Option<u8>,
    /// As it is written, without the braces.
    pub text: String,
    /// The byte offset of its `{`.
    pub at: usize,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An argument, or a field of it.
    Argument {
        /// The name of the argument, or `self`.
        name: String,
        /// The fields, or numbers of fields of a tuple.
        fields: Vec<String>,
    },
    /// A value of the context, by its name.
    Context(String),
}

/// What is done to a value before it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// `lower`
    Lower,
    /// `upper`
    Upper,
    /// `len`
    Len,
    /// `hash`
    Hash,
    /// `jwt(claim)`
    Jwt(String),
    /// `?`
    Debug,
    /// A function of the user, such as `keys::slug`; it has at least one `::`.
    Path(String),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, where it stands, and how to mend it.
    ///
    /// ```
    /// use larder_syntax::template::{Piece, Template};
    ///
    /// let template = Template::parse("user:{id}")?;
    /// assert_eq!(template.pieces[0], Piece::Literal("user:".to_owned()));
    /// assert_eq!(template.placeholders().next().unwrap().path(), "id");
    ///
    /// let error = Template::parse("{a}{b}").unwrap_err();
    /// assert_eq!(error.at, 3);
    /// # Ok::<(), larder_syntax::SyntaxError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Template, SyntaxError> {
        parse::template(text)
    }

    /// The placeholders, from left to right.
    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(placeholder) => Some(placeholder),
            Piece::Literal(_) => None,
        })
    }
}

impl Placeholder {
    /// What the value is called: `id`, `user.id`, `@client`.
    pub fn path(&self) -> &str {
        let end = self.text.find(':').unwrap_or(self.text.len());
        &self.text[..end]
    }
}

impl Transform {
    /// The names of the transforms that are not functions of the user.
    pub const NAMES: [&str; 6] = ["lower", "upper", "len", "hash", "jwt", "?"];
}

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The byte offset of what is wrong.
    pub at: usize,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl SyntaxError {
    pub(crate) fn new(at: usize, message: impl Into<String>) -> SyntaxError {
        SyntaxError {
            at,
            message: message.into(),
        }
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}

fn unknown_transform(name: &str, source: &str) -> String {
    let meant = match suggest::nearest(name, Transform::NAMES) {
        Some(near) => format!("did you mean `{{{source}:{near}}}`?"),
        None => {
            format!("a function of yours is named by its path: `{{{source}:crate::path::to::fn}}`")
        }
    };
    format!(
        "`{name}` is not a transform (`lower`, `upper`, `len`, `hash`, `jwt(claim)`, `?`): {meant}"
    )
}
