//! Where a store is and how it is to behave: a URL taken apart.

use std::fmt;
use std::time::Duration;

use larder_syntax::{size, suggest};

use crate::error::{Error, ErrorKind, Result};
use crate::policy::{IntoSpan, Span};

mod parse;
mod secret;

use parse::{Parameter, decode, host, parameters};
pub use secret::Secret;

/// A URL taken apart: `scheme://user:password@host:port,host:port/path?name=value&name=value`.
///
/// A store takes the parameters that it knows; what nobody has taken by [`finish`](Self::finish) is an error with the nearest right name.
#[derive(Clone)]
pub struct Address {
    scheme: String,
    user: Option<String>,
    password: Option<Secret>,
    place: String,
    hosts: Vec<(String, Option<u16>)>,
    path: String,
    parameters: Vec<Parameter>,
    known: Vec<&'static str>,
    /// The parameter whose value was refused.
    refused: Option<String>,
}

impl Address {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for what is no URL of this form. The message never repeats the part before `@`.
    pub fn parse(url: &str) -> Result<Self> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(bad(
                "this is no cache URL: write it like `memory://?size=10000` or `redis://localhost/0`",
            ));
        };
        if scheme.is_empty()
            || !scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        {
            return Err(bad("a cache URL begins with a scheme, like `redis://`"));
        }
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match place.find('/') {
            Some(at) => place.split_at(at),
            None => (place, ""),
        };
        if authority.contains(':') && !authority.contains('@') && path.contains('@') {
            return Err(bad(
                "before `@` stands a `/`: in a password write it `%2F`, and an `@` in a path `%40`",
            ));
        }
        let (user_info, hosts) = match authority.rsplit_once('@') {
            Some((user_info, hosts)) => (Some(user_info), hosts),
            None => (None, authority),
        };
        let (user, password) = match user_info {
            None => (None, None),
            Some(info) => {
                let (user, password) = info
                    .split_once(':')
                    .map_or((info, None), |(u, p)| (u, Some(p)));
                let user = (!user.is_empty())
                    .then(|| decode(user, "the user name"))
                    .transpose()?;
                (
                    user,
                    password
                        .map(|p| decode(p, "the password").map(Secret::new))
                        .transpose()?,
                )
            }
        };
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user,
            password,
            place: format!("{hosts}{path}"),
            hosts: hosts
                .split(',')
                .filter(|h| !h.is_empty())
                .map(host)
                .collect::<Result<_>>()?,
            path: decode(path, "the path")?,
            parameters: parameters(query)?,
            known: Vec::new(),
            refused: None,
        })
    }

    /// Parameters of something that is no place, such as a codec.
    pub(crate) fn nowhere(scheme: &str) -> Self {
        Self {
            scheme: scheme.to_owned(),
            user: None,
            password: None,
            place: String::new(),
            hosts: Vec::new(),
            path: String::new(),
            parameters: Vec::new(),
            known: Vec::new(),
            refused: None,
        }
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The user name.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// Hosts and path as they were written, without user and password: what may be shown.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The hosts, each with its port or this one.
    #[must_use]
    pub fn hosts(&self, port: u16) -> Vec<(String, u16)> {
        let with_port = |(host, own): &(String, Option<u16>)| (host.clone(), own.unwrap_or(port));
        self.hosts.iter().map(with_port).collect()
    }

    /// What follows the hosts, decoded; begins with `/` unless it is empty.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Adds a parameter, as if it had stood in the URL; one of that name that is there stays.
    pub fn add(&mut self, name: &str, value: &str) {
        if self.parameters.iter().all(|p| p.name != name) {
            self.parameters.push(Parameter {
                name: name.to_owned(),
                value: value.to_owned(),
                taken: false,
            });
        }
    }

    /// Adds a parameter that nobody has to take.
    pub(crate) fn offer(&mut self, name: &str, value: &str) {
        self.add(name, value);
        let offered = self.parameters.iter_mut().filter(|p| p.name == name);
        offered.for_each(|p| p.taken = true);
    }

    /// Takes parameters out, as if they had never stood there: those that `is_meant` names.
    pub(crate) fn extract(&mut self, is_meant: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let (out, stay) = std::mem::take(&mut self.parameters)
            .into_iter()
            .partition(|p| is_meant(&p.name));
        self.parameters = stay;
        let out: Vec<Parameter> = out;
        out.into_iter().map(|p| (p.name, p.value)).collect()
    }

    /// A parameter, without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&str> {
        let parameter = self.parameters.iter().find(|p| p.name == name)?;
        Some(&parameter.value)
    }

    /// The names of all parameters, and their values.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let parameters = self.parameters.iter();
        parameters.map(|p| (p.name.as_str(), p.value.as_str()))
    }

    /// The password, from elsewhere than the URL.
    pub(crate) fn set_password(&mut self, password: Secret) {
        self.password = Some(password);
    }

    /// The name of the parameter whose value was refused.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// The names of parameters that were asked for, each once.
    pub(crate) fn known(&self) -> Vec<&'static str> {
        let mut known = self.known.clone();
        known.sort_unstable();
        known.dedup();
        known
    }

    /// Takes a parameter as text.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let parameter = self.parameters.iter_mut().find(|p| p.name == name)?;
        parameter.taken = true;
        Some(parameter.value.clone())
    }

    /// Takes a span of time: `200ms`, `1h30m`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn span(&mut self, name: &'static str) -> Result<Option<Duration>> {
        self.typed(name, "a span of time like `200ms` or `1h30m`", |text| {
            let Span(nanos) = text.into_span().ok()?;
            (nanos != u64::MAX).then(|| Duration::from_nanos(nanos))
        })
    }

    /// Takes a number of bytes: `64mb`, `1024`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn bytes(&mut self, name: &'static str) -> Result<Option<u64>> {
        self.typed(name, "a size like `64mb`", |text| size::parse(text).ok())
    }

    /// Takes a whole number.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn number(&mut self, name: &'static str) -> Result<Option<u64>> {
        self.typed(name, "a whole number", |text| text.parse().ok())
    }

    /// Takes a switch: `1`, `true`, `on`, `0`, `false`, `off`; the name alone is on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for anything else.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>> {
        self.typed(name, "`1` or `0`", |text| match text {
            "" | "1" | "true" | "on" => Some(true),
            "0" | "false" | "off" => Some(false),
            _ => None,
        })
    }

    /// Takes one of these words.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for any other, with the nearest.
    pub fn word(
        &mut self,
        name: &'static str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match words.iter().find(|word| **word == text) {
            Some(word) => Ok(Some(word)),
            None => {
                self.refused = Some(name.to_owned());
                Err(bad(unknown(&format!("value of `{name}`"), &text, words)))
            }
        }
    }

    /// Takes a secret by reference: `<name>_env` names a variable of the environment, `<name>_file` a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it cannot be read, when both are given, or when the secret itself stands in the URL.
    pub fn secret(
        &mut self,
        name: &'static str,
        by_env: &'static str,
        by_file: &'static str,
    ) -> Result<Option<Secret>> {
        if self.parameters.iter().any(|p| p.name == name) {
            self.refused = Some(name.to_owned());
            return Err(bad(format!(
                "a secret does not stand here: instead of `{name}` write `{by_env}`, with the name of a variable, or `{by_file}`, with a path"
            )));
        }
        match (self.text(by_env), self.text(by_file)) {
            (Some(_), Some(_)) => {
                self.refused = Some(by_file.to_owned());
                Err(bad(format!(
                    "`{by_env}` and `{by_file}` both name a secret: leave one out"
                )))
            }
            (Some(variable), None) => {
                let secret = Secret::from_env(&variable);
                self.refused = secret.is_err().then(|| by_env.to_owned());
                secret.map(Some)
            }
            (None, Some(path)) => {
                let secret = Secret::from_file(&path);
                self.refused = secret.is_err().then(|| by_file.to_owned());
                secret.map(Some)
            }
            (None, None) => Ok(None),
        }
    }

    /// The names of parameters that are there and that nobody has taken.
    #[must_use]
    pub fn left(&self) -> Vec<&str> {
        let left = self.parameters.iter().filter(|p| !p.taken);
        left.map(|p| p.name.as_str()).collect()
    }

    /// Checks that every parameter was taken.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for one that was not, with the nearest of those that were asked for.
    pub fn finish(&self) -> Result<()> {
        match self.left().first() {
            None => Ok(()),
            Some(name) => Err(bad(unknown(
                &format!("parameter of `{}://`", self.scheme),
                name,
                &self.known(),
            ))),
        }
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        due: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match read(&text) {
            Some(value) => Ok(Some(value)),
            None => {
                self.refused = Some(name.to_owned());
                Err(bad(format!("`{name}={text}`: expected {due}")))
            }
        }
    }
}

/// The same place with the same parameters, whatever their order and whoever took which.
impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        fn sorted(address: &Address) -> Vec<(&str, &str)> {
            let mut parameters: Vec<_> = address.parameters().collect();
            parameters.sort_unstable();
            parameters
        }
        self.scheme == other.scheme
            && self.user == other.user
            && self.password == other.password
            && self.place == other.place
            && sorted(self) == sorted(other)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No user, no password, no values of parameters.
        write!(f, "{}://{}", self.scheme, self.place)
    }
}

/// What to say of a word that nobody knows.
pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let nearest = suggest::nearest(word, known.iter().copied());
    let hint = nearest.map_or(String::new(), |n| format!(" (did you mean `{n}`?)"));
    format!(
        "unknown {what} `{word}`{hint}; there is {}",
        known.join(", ")
    )
}

pub(crate) fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "url", message)
}
