//! Where a store is and how it is to behave: a URL taken apart.

use std::fmt;
use std::time::Duration;

use larder_syntax::{size, suggest};

use crate::error::{Error, ErrorKind, Result};
use crate::policy::{IntoSpan, Span};

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
}

#[derive(Clone)]
struct Parameter {
    name: String,
    value: String,
    taken: bool,
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads one from the environment.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the variable is not there, is empty or is no Unicode text.
    pub fn from_env(variable: &str) -> Result<Self> {
        match std::env::var(variable) {
            Ok(text) if !text.is_empty() => Ok(Self(text)),
            Ok(_) => Err(bad(format!(
                "the environment variable `{variable}` is empty: a secret is due there"
            ))),
            Err(error) => Err(bad(format!(
                "the environment variable `{variable}`, which should hold a secret, cannot be read: {error}"
            ))),
        }
    }

    /// Reads one from a file, without the line break at its end.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the file cannot be read, is empty or is no UTF-8 text.
    pub fn from_file(path: &str) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            bad(format!(
                "the file `{path}`, which should hold a secret, cannot be read: {error}"
            ))
        })?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(bad(format!(
                "the file `{path}` is empty: a secret is due there"
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
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
                        .map(|p| decode(p, "the password").map(Secret))
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
            parameters: query
                .split('&')
                .filter(|p| !p.is_empty())
                .map(parameter)
                .collect::<Result<_>>()?,
            known: Vec::new(),
        })
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
            None => Err(bad(unknown(&format!("value of `{name}`"), &text, words))),
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
            return Err(bad(format!(
                "a secret does not stand in a URL: instead of `{name}=…` write `{by_env}=VARIABLE` or `{by_file}=PATH`"
            )));
        }
        match (self.text(by_env), self.text(by_file)) {
            (Some(_), Some(_)) => Err(bad(format!(
                "`{by_env}` and `{by_file}` both name a secret: leave one out"
            ))),
            (Some(variable), None) => Secret::from_env(&variable).map(Some),
            (None, Some(path)) => Secret::from_file(&path).map(Some),
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
            Some(name) => {
                let mut known = self.known.clone();
                known.sort_unstable();
                known.dedup();
                Err(bad(unknown(
                    &format!("parameter of `{}://`", self.scheme),
                    name,
                    &known,
                )))
            }
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
            None => Err(bad(format!("`{name}={text}`: {due} is due here"))),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No user, no password, no values of parameters.
        write!(f, "{}://{}", self.scheme, self.place)
    }
}

fn host(text: &str) -> Result<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((host, port)) = rest.split_once(']') else {
            return Err(bad(format!("`{text}`: an IPv6 address ends with `]`")));
        };
        (host, port.strip_prefix(':'))
    } else {
        text.split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = port.map(|port| {
        port.parse()
            .map_err(|_| bad(format!("`{text}`: a port is a number from 0 to 65535")))
    });
    Ok((decode(host, "a host")?, port.transpose()?))
}

fn parameter(pair: &str) -> Result<Parameter> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Ok(Parameter {
        name: decode(name, "the name of a parameter")?,
        value: decode(value, name)?,
        taken: false,
    })
}

/// Percent-decoding by RFC 3986, section 2.1. The message does not repeat the text: it may be a secret.
fn decode(text: &str, what: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        // `from_str_radix` alone would take a sign for a digit.
        let hex = tail
            .get(..2)
            .filter(|h| h.iter().all(u8::is_ascii_hexdigit))
            .and_then(|h| std::str::from_utf8(h).ok());
        let Some(byte) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) else {
            return Err(bad(format!("{what}: after `%` two hex digits are due")));
        };
        bytes.push(byte);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad(format!("{what} decodes to no UTF-8 text")))
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
