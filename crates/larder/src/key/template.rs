//! Templates made at run time.

use larder_syntax::suggest;
use larder_syntax::template::{self as syntax, Piece, Placeholder, Source, Transform};

use super::Key;
use super::buf::KeyBuf;
use super::part::{KeyPart, PartWriter};
use super::transform;
use crate::Error;

/// A key template that is made at run time, with the rules of the `key = ".."` of the attributes.
///
/// It renders the same keys as an attribute with the same text, except that `?` and functions, which need
/// types, cannot stand in it.
///
/// ```
/// use larder::{KeyPart, Template};
///
/// let search = Template::parse("search:{q:lower}:page:{page}")?;
/// let key = search.render([("q", &"A:b" as &dyn KeyPart), ("page", &2)])?;
/// assert_eq!(key, "search:a%3Ab:page:2");
///
/// let error = search.render([("q", &"a" as &dyn KeyPart), ("pgae", &2)]).unwrap_err();
/// assert!(error.to_string().contains("did you mean `page`?"));
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    template: syntax::Template,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`](crate::ErrorKind) with the byte and how to mend it; `?` and functions are for the compiler alone.
    ///
    /// ```
    /// assert!(larder::Template::parse("user:{id}").is_ok());
    /// assert!(larder::Template::parse("{a}{b}").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Template, Error> {
        let template = syntax::Template::parse(text).map_err(|error| {
            Error::key(format!("template `{text}`, byte {}: {error}", error.at))
        })?;
        for placeholder in template.placeholders() {
            if let Some(reason) = placeholder.transforms.iter().find_map(impossible) {
                let written = &placeholder.text;
                return Err(Error::key(format!(
                    "template `{text}`: `{{{written}}}` {reason}"
                )));
            }
        }
        Ok(Template {
            text: text.to_owned(),
            template,
        })
    }

    /// The key for some values, by the names they have in the template (`id`, `user.id`).
    ///
    /// Each is needed once, and none that the template does not name. Values of the context (`{@client}`)
    /// come from the scope.
    ///
    /// ```
    /// use larder::{KeyPart, Template};
    ///
    /// let template = Template::parse("user:{user.id}")?;
    /// assert_eq!(template.render([("user.id", &7 as &dyn KeyPart)])?, "user:7");
    /// # Ok::<(), larder::Error>(())
    /// ```
    pub fn render<'v>(
        &self,
        values: impl IntoIterator<Item = (&'v str, &'v dyn KeyPart)>,
    ) -> Result<Key, Error> {
        let values: Vec<(&str, &dyn KeyPart)> = values.into_iter().collect();
        self.check(&values)?;
        let mut out = KeyBuf::new();
        for piece in &self.template.pieces {
            match piece {
                Piece::Literal(text) => out.literal(text),
                Piece::Value(placeholder) => self.value(&mut out, placeholder, &values)?,
            }
        }
        Ok(out.to_key())
    }

    /// The template as it was written.
    ///
    /// ```
    /// assert_eq!(larder::Template::parse("user:{id}")?.text(), "user:{id}");
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a key can have been rendered from this template: a rendered value has no `:` and nothing that ends its placeholder.
    ///
    /// ```
    /// let user = larder::Template::parse("user:{id}")?;
    /// assert!(user.matches("user:7") && !user.matches("user:7:orders"));
    /// # Ok::<(), larder::Error>(())
    /// ```
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        let mut rest = key;
        let mut pieces = self.template.pieces.iter().peekable();
        while let Some(piece) = pieces.next() {
            let end = match (piece, pieces.peek()) {
                (Piece::Literal(text), _) => match rest.strip_prefix(&**text) {
                    Some(_) => text.len(),
                    None => return false,
                },
                (Piece::Value(placeholder), Some(Piece::Literal(next))) => {
                    let end = match placeholder.stop {
                        Some(stop) => rest.find(char::from(stop)),
                        // The last value: what follows it is the end of the key.
                        None => rest.len().checked_sub(next.len()),
                    };
                    match end.filter(|end| rest.is_char_boundary(*end)) {
                        Some(end) if !rest[..end].contains(':') => end,
                        _ => return false,
                    }
                }
                (Piece::Value(_), _) if rest.contains(':') => return false,
                (Piece::Value(_), _) => rest.len(),
            };
            rest = &rest[end..];
        }
        rest.is_empty()
    }

    /// Whether a value of this name stands in it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let named =
            |placeholder: &&Placeholder| matches!(placeholder.source, Source::Argument { .. });
        self.template
            .placeholders()
            .filter(named)
            .map(Placeholder::path)
    }

    fn check(&self, values: &[(&str, &dyn KeyPart)]) -> Result<(), Error> {
        for (at, (name, _)) in values.iter().enumerate() {
            if !self.names().any(|known| known == *name) {
                let hint = hint(name, self.names(), "it names");
                return Err(self.error(format_args!("there is no `{{{name}}}` in it{hint}")));
            }
            if values[..at].iter().any(|(before, _)| before == name) {
                return Err(self.error(format_args!("`{name}` is given twice")));
            }
        }
        Ok(())
    }

    fn value(
        &self,
        out: &mut KeyBuf,
        placeholder: &Placeholder,
        values: &[(&str, &dyn KeyPart)],
    ) -> Result<(), Error> {
        let context;
        let value: &dyn KeyPart = match &placeholder.source {
            Source::Context(name) => {
                context = transform::context_value(name);
                &context
            }
            Source::Argument { .. } => {
                let path = placeholder.path();
                let given = values.iter().find(|(name, _)| *name == path);
                let Some((_, value)) = given else {
                    let hint = hint(path, values.iter().map(|(name, _)| *name), "there is");
                    return Err(
                        self.error(format_args!("no value is given for `{{{path}}}`{hint}"))
                    );
                };
                *value
            }
        };
        if placeholder.transforms.first() == Some(&Transform::Len) && value.length().is_none() {
            let written = &placeholder.text;
            return Err(self.error(format_args!(
                "`{{{written}}}` is given a value that has no length"
            )));
        }
        let part = Transformed {
            value,
            transforms: &placeholder.transforms,
        };
        part.render(&mut PartWriter::new(out, placeholder.stop));
        Ok(())
    }

    fn error(&self, what: std::fmt::Arguments<'_>) -> Error {
        Error::key(format!("template `{}`: {what}", self.text))
    }
}

fn impossible(transform: &Transform) -> Option<&'static str> {
    match transform {
        Transform::Debug => {
            Some("needs a type, which only an attribute knows: pass `format!(\"{x:?}\")`")
        }
        Transform::Path(_) => {
            Some("names a function, which only an attribute can call: pass its result")
        }
        Transform::Jwt(_) if cfg!(not(feature = "jwt")) => {
            Some("needs the feature `jwt` of `larder`")
        }
        _ => None,
    }
}

fn hint<'a>(name: &str, among: impl Iterator<Item = &'a str>, these: &str) -> String {
    let among: Vec<&str> = among.collect();
    match (
        suggest::nearest(name, among.iter().copied()),
        among.is_empty(),
    ) {
        (Some(near), _) => format!(": did you mean `{near}`?"),
        (None, false) => format!("; {these} `{}`", among.join("`, `")),
        (None, true) => String::new(),
    }
}

/// A value and what is done to it; the last transform is the outermost.
struct Transformed<'a> {
    value: &'a dyn KeyPart,
    transforms: &'a [Transform],
}

impl KeyPart for Transformed<'_> {
    fn render(&self, out: &mut PartWriter<'_>) {
        let Some((last, before)) = self.transforms.split_last() else {
            return self.value.render(out);
        };
        let inner = Transformed {
            value: self.value,
            transforms: before,
        };
        match last {
            Transform::Lower => transform::lower(inner).render(out),
            Transform::Upper => transform::upper(inner).render(out),
            Transform::Hash => transform::hash(inner).render(out),
            Transform::Len => self.value.length().render(out),
            #[cfg(feature = "jwt")]
            Transform::Jwt(claim) => transform::jwt(inner, claim).render(out),
            // `parse` has refused the others.
            _ => inner.render(out),
        }
    }
}
