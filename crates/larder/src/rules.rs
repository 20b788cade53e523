//! From what happens in a program to what its caches forget.
//!
//! A rule says once, beside the cache, what otherwise stands in every place that changes something: when a user is renamed, forget `user:{id}`.
//!
//! ```
//! # let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # rt.block_on(async {
//! use larder::rules::{Forget, Happening, Rule};
//! use larder::KeyPart;
//!
//! struct UserRenamed {
//!     id: u64,
//!     org: String,
//! }
//!
//! impl Happening for UserRenamed {
//!     const NAME: &'static str = "user.renamed";
//!
//!     fn fields(&self) -> Vec<(&str, &dyn KeyPart)> {
//!         vec![("id", &self.id), ("org", &self.org)]
//!     }
//! }
//!
//! let cache = larder::Cache::builder().build()?;
//! cache.rules().add(Rule::new("user.renamed", "user:{id}")?);
//! cache.rules().on(|event: &UserRenamed| [Forget::pattern("org:{org}:*").with("org", event.org.clone())]);
//!
//! cache.set("user:7", "Ada").ttl("1h").await?;
//! cache.set("org:acme:members", "Ada, Eve").ttl("1h").await?;
//! let event = UserRenamed { id: 7, org: "acme".to_owned() };
//! let happened = cache.happened(&event).await?;
//! assert_eq!((happened.rules, happened.forgotten), (2, 2));
//! # Ok::<(), larder::Error>(())
//! # }).unwrap();
//! ```
//!
//! # What can be forgotten
//!
//! A key, all keys that match a pattern, all that begin with a prefix, or all entries under a tag: each a template by the rules of `key = ".."`, whose placeholders are fields of the event or values of the scope (`{@client}`). Values are
//! escaped as in keys, so a value with a `*` in it stays itself and does not widen a pattern.
//!
//! # When it is forgotten
//!
//! When [`Cache::happened`](crate::Cache::happened) is awaited: as with `#[invalidates]`, a load that is under way is returned to its caller and not stored. Nobody else hears of the event: to tell other processes, send it to them, or
//! let them share a store.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::key::{Key, KeyPart, Template};
use crate::selector::Selector;

/// Something that happens in a program and that rules speak of.
///
/// ```
/// use larder::rules::Happening;
///
/// struct PricesChanged;
///
/// impl Happening for PricesChanged {
///     const NAME: &'static str = "prices.changed";
/// }
/// ```
pub trait Happening: 'static {
    /// What [`Rule`]s call it.
    const NAME: &'static str;

    /// The values that a [`Rule`] may name. Default: none; a rule in code ([`Rules::on`](crate::Rules::on)) has the event itself.
    fn fields(&self) -> Vec<(&str, &dyn KeyPart)> {
        Vec::new()
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Happened {
    /// How many rules spoke of it. 0 may be a name that is written otherwise in the rules.
    pub rules: usize,
    /// How many live entries were forgotten; entries under tags are not counted, for nobody knows them.
    pub forgotten: usize,
}

/// What is to be forgotten: a template, and values for it.
#[derive(Clone)]
pub struct Forget {
    target: Target,
    text: String,
    values: Vec<(String, Arc<dyn KeyPart + Send + Sync>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Key,
    Pattern,
    Prefix,
    Tag,
}

impl Target {
    const WORDS: [(&'static str, Self); 4] = [
        ("key", Self::Key),
        ("pattern", Self::Pattern),
        ("prefix", Self::Prefix),
        ("tag", Self::Tag),
    ];

    fn word(self) -> &'static str {
        let own = Self::WORDS.iter().find(|(_, target)| *target == self);
        own.map_or("key", |(word, _)| word)
    }
}

impl Forget {
    /// The entry of one key: `user:{id}`.
    pub fn key(template: impl Into<String>) -> Self {
        Self::new(Target::Key, template)
    }

    /// All keys that match, by Redis' rules: `user:{id}:*`.
    pub fn pattern(template: impl Into<String>) -> Self {
        Self::new(Target::Pattern, template)
    }

    /// All keys that begin so: `user:{id}:`. One that comes out empty, which would be all keys, is refused.
    pub fn prefix(template: impl Into<String>) -> Self {
        Self::new(Target::Prefix, template)
    }

    /// All entries under a tag: `org:{org}`.
    pub fn tag(template: impl Into<String>) -> Self {
        Self::new(Target::Tag, template)
    }

    fn new(target: Target, template: impl Into<String>) -> Self {
        Self {
            target,
            text: template.into(),
            values: Vec::new(),
        }
    }

    /// A value for a placeholder.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<String>,
        value: impl KeyPart + Send + Sync + 'static,
    ) -> Self {
        self.values.push((name.into(), Arc::new(value)));
        self
    }

    /// What it means for these fields; its own values come first.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`], with the rule and the field that is missing.
    fn resolve(
        &self,
        event: &str,
        template: &Template,
        fields: &[(&str, &dyn KeyPart)],
    ) -> Result<Selector> {
        let fault = |what: &str| {
            let message = format!("rule `{event} -> {self}`: {what}");
            Error::new(ErrorKind::InvalidKey, "happened", message)
        };
        if let Some((name, _)) = self.values.iter().find(|(n, _)| !template.has(n)) {
            return Err(fault(&format!("there is no `{{{name}}}` in it")));
        }
        let own = self.values.iter();
        let own = own.map(|(name, value)| (name.as_str(), &**value as &dyn KeyPart));
        let mut values: Vec<(&str, &dyn KeyPart)> = Vec::new();
        for (name, value) in own.chain(fields.iter().copied()) {
            let is_known = values.iter().any(|(known, _)| *known == name);
            if template.has(name) && !is_known {
                values.push((name, value));
            }
        }
        if let Some(missing) = template
            .names()
            .find(|name| !values.iter().any(|(n, _)| n == name))
        {
            return Err(fault(&missing_field(missing, fields)));
        }
        let key = template
            .render(values)
            .map_err(|error| fault(&error.to_string()))?;
        Ok(match self.target {
            Target::Key => Selector::Keys(vec![key]),
            Target::Tag => Selector::Tags(vec![key]),
            Target::Pattern => Selector::Pattern(String::from(key)),
            Target::Prefix if key.as_str().is_empty() => {
                return Err(fault(
                    "the prefix is empty, and would forget everything: put some text before the placeholder",
                ));
            }
            Target::Prefix => Selector::Prefix(String::from(key)),
        })
    }
}

fn missing_field(missing: &str, fields: &[(&str, &dyn KeyPart)]) -> String {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let near = larder_syntax::suggest::nearest(missing, names.iter().copied());
    match (near, names.is_empty()) {
        (Some(near), _) => format!("the event has no field `{missing}`: did you mean `{near}`?"),
        (None, false) => {
            let names = names.join("`, `");
            format!("the event has no field `{missing}`; it has `{names}`")
        }
        (None, true) => format!(
            "the event has no field `{missing}`; it has none: give the value with `Forget::with`, or name it in `Happening::fields`"
        ),
    }
}

impl From<&str> for Forget {
    /// A key, or with a word before it something else: `tag users`, `prefix user:{id}:`, `pattern user:*`.
    fn from(text: &str) -> Self {
        let text = text.trim();
        let worded = text
            .split_once(char::is_whitespace)
            .and_then(|(word, rest)| {
                let (_, target) = Target::WORDS.iter().find(|(known, _)| *known == word)?;
                Some(Self::new(*target, rest.trim_start()))
            });
        worded.unwrap_or_else(|| Self::key(text))
    }
}

impl fmt::Display for Forget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target.word(), self.text)
    }
}

impl fmt::Debug for Forget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the values: they may be secrets.
        write!(f, "Forget({self})")
    }
}

/// What is forgotten when an event of a certain name happens, as text.
///
/// ```
/// use larder::rules::{Forget, Rule};
///
/// let rule = Rule::new("user.renamed", Forget::prefix("user:{id}:"))?;
/// assert_eq!(rule, "user.renamed -> prefix user:{id}:".parse()?);
/// let error = Rule::new("user.renamed", "user:{id").unwrap_err();
/// assert!(error.to_string().contains("user.renamed"), "{error}");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rule {
    event: String,
    forget: Forget,
    template: Template,
}

impl Rule {
    /// When `event` happens, forget this. A text is a key; see [`Forget`] for the others.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`] for a template that cannot be read.
    pub fn new(event: impl Into<String>, forget: impl Into<Forget>) -> Result<Self> {
        let (event, forget) = (event.into(), forget.into());
        let template = parsed(&event, &forget)?;
        Ok(Self {
            event,
            forget,
            template,
        })
    }

    /// The event that it speaks of.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    pub(crate) fn resolve(&self, fields: &[(&str, &dyn KeyPart)]) -> Result<Selector> {
        self.forget.resolve(&self.event, &self.template, fields)
    }

    /// Reads rules, one a line; empty lines and lines that begin with `#` are passed over.
    ///
    /// ```
    /// let rules = larder::rules::Rule::read("
    ///     ## users
    ///     user.renamed -> user:{id}
    ///     user.renamed -> tag org:{org}
    /// ")?;
    /// assert_eq!(rules.len(), 2);
    /// # Ok::<(), larder::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidKey`], with the number of the line.
    pub fn read(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().enumerate();
        let lines = lines.map(|(at, line)| (at + 1, line.trim()));
        lines
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(at, line)| {
                let rule = line.parse::<Self>();
                rule.map_err(|e| {
                    Error::new(e.kind(), "rules", format!("line {at}: {}", e.message()))
                })
            })
            .collect()
    }
}

impl FromStr for Rule {
    type Err = Error;

    /// `user.renamed -> user:{id}`, or with a word: `user.renamed -> tag org:{org}`.
    fn from_str(text: &str) -> Result<Self> {
        let (event, forget) = text.split_once("->").unwrap_or(("", ""));
        let (event, forget) = (event.trim(), forget.trim());
        if event.is_empty() || forget.is_empty() {
            let message = format!(
                "`{text}` is no rule: write `user.renamed -> user:{{id}}`, or with `pattern`, `prefix` or `tag` before the template"
            );
            return Err(Error::new(ErrorKind::InvalidKey, "rules", message));
        }
        Self::new(event, forget)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.event, self.forget)
    }
}

impl PartialEq for Rule {
    /// By their text.
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

fn parsed(event: &str, forget: &Forget) -> Result<Template> {
    Template::parse(&forget.text).map_err(|error| {
        let message = format!("rule `{event} -> {forget}`: {}", error.message());
        Error::new(ErrorKind::InvalidKey, "rules", message)
    })
}

/// What a rule in code says of an event.
pub(crate) fn resolve(event: &str, forget: &Forget) -> Result<Selector> {
    forget.resolve(event, &parsed(event, forget)?, &[])
}

impl From<Key> for Forget {
    /// A key that is ready, as [`Template::render`] gives it.
    fn from(key: Key) -> Self {
        Self::key(key.as_str().replace('{', "{{").replace('}', "}}"))
    }
}
