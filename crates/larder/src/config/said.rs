//! One setting as it was said, and how it is read.

use std::time::Duration;

use larder_syntax::{duration, size};

use super::node::{Value, shorten};
use super::origin::Origin;
use crate::error::{Error, Result};
use crate::policy::{EarlyPoint, Fault, IntoEarly, IntoHits, IntoShare};

/// A setting, its value, and where both stand.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) name: String,
    /// The name as it was written, which may be a short one.
    pub(crate) spoken: String,
    pub(crate) value: Value,
    /// Where the name stands.
    pub(crate) named: Origin,
    /// Where the value stands.
    pub(crate) at: Origin,
}

/// Few enough that looking for one in all costs nothing.
const MOST: usize = 256;

/// Settings, each at most once, in the order in which they were said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings(pub(crate) Vec<Said>);

impl Settings {
    pub(crate) fn find(&self, name: &str) -> Option<&Said> {
        self.0.iter().find(|said| said.name == name)
    }

    /// Adds what is said a first time.
    ///
    /// # Errors
    /// When it was said before, or when there are more than any store could know.
    pub(crate) fn add(&mut self, said: Said) -> Result<()> {
        if self.find(&said.name).is_some() {
            let name = &said.spoken;
            return Err(said
                .named
                .fault(format!("`{name}` is said twice: leave one out")));
        }
        if self.0.len() >= MOST {
            return Err(said
                .named
                .fault(format!("more than {MOST} settings stand here")));
        }
        self.0.push(said);
        Ok(())
    }

    /// Adds what counts more than what was said before.
    pub(crate) fn put(&mut self, said: Said) {
        self.0.retain(|before| before.name != said.name);
        self.0.push(said);
    }

    /// These, and those where these say nothing.
    pub(crate) fn over(&self, below: &Self) -> Self {
        let mut all = below.clone();
        for said in &self.0 {
            all.put(said.clone());
        }
        all
    }
}

impl Said {
    /// The same by the name that it has elsewhere.
    pub(crate) fn called(self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    pub(crate) fn untyped(name: &str, text: &str, at: &Origin) -> Self {
        Self {
            name: name.to_owned(),
            spoken: name.to_owned(),
            value: Value::Untyped(text.to_owned()),
            named: at.clone(),
            at: at.clone(),
        }
    }

    /// Something else is due here.
    pub(crate) fn mismatch(&self, due: &str) -> Error {
        let name = &self.spoken;
        self.at.fault(match &self.value {
            Value::Untyped(text) => format!("`{name}={}`: expected {due}", shorten(text)),
            other => format!("`{name}`: expected {due}, but {}", other.what()),
        })
    }

    /// The value is of the right kind, and wrong.
    pub(crate) fn fault(&self, why: &str) -> Error {
        let name = &self.spoken;
        self.at.fault(match &self.value {
            Value::Untyped(text) => format!("`{name}={}`: {why}", shorten(text)),
            _ => format!("`{name}`: {why}"),
        })
    }

    pub(crate) fn text(&self) -> Result<&str> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => Ok(text),
            _ => Err(self.mismatch("text")),
        }
    }

    /// As a URL would write it, for a parameter whose type only its store knows.
    pub(crate) fn as_parameter(&self) -> Result<String> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => Ok(text.clone()),
            Value::Flag(flag) => Ok(if *flag { "1" } else { "0" }.to_owned()),
            Value::Whole(number) => Ok(number.to_string()),
            Value::Fraction(number) => Ok(number.to_string()),
            _ => Err(self.mismatch("a text, a number, `true` or `false`")),
        }
    }

    pub(crate) fn number(&self) -> Result<u64> {
        let number = match &self.value {
            Value::Untyped(text) => text.parse().ok(),
            Value::Whole(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.mismatch("a whole number"))
    }

    pub(crate) fn at_least_one(&self) -> Result<u64> {
        match self.number()? {
            0 => Err(self.fault("give it at least 1")),
            number => Ok(number),
        }
    }

    pub(crate) fn flag(&self) -> Result<bool> {
        match &self.value {
            Value::Flag(flag) => Ok(*flag),
            Value::Untyped(text) => match text.as_str() {
                "" | "1" | "true" | "on" => Ok(true),
                "0" | "false" | "off" => Ok(false),
                _ => Err(self.mismatch("`1` or `0`")),
            },
            _ => Err(self.mismatch("`true` or `false`")),
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&self) -> Result<u64> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => {
                size::parse(text).map_err(|why| self.fault(why))
            }
            Value::Whole(_) => self.at_least_one(),
            _ => Err(self.mismatch("a size like `64mb`")),
        }
    }

    /// Nanoseconds; [`duration::FOREVER`] is for ever.
    pub(crate) fn nanos(&self) -> Result<u64> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => {
                duration::parse(text).map_err(|why| self.fault(why.message()))
            }
            _ => Err(self.mismatch("a span of time like `10m`, with its unit,")),
        }
    }

    /// A span that ends.
    pub(crate) fn span(&self) -> Result<Duration> {
        match self.nanos()? {
            duration::FOREVER => Err(self.fault("this has to end: give it a span like `10m`")),
            nanos => Ok(Duration::from_nanos(nanos)),
        }
    }

    pub(crate) fn early(&self) -> Result<Point> {
        let early = match &self.value {
            Value::Text(text) | Value::Untyped(text) => text.as_str().into_early(),
            Value::Fraction(share) => share.into_early(),
            _ => return Err(self.mismatch("a span like `1m` or a share of the ttl like `33%`")),
        };
        early.map(Point).map_err(|fault| self.of_policy(fault))
    }

    pub(crate) fn share(&self) -> Result<Share> {
        let share = match &self.value {
            Value::Text(text) | Value::Untyped(text) => text.as_str().into_share(),
            Value::Fraction(share) => share.into_share(),
            _ => return Err(self.mismatch("a share like `10%`")),
        };
        share.map(Share).map_err(|fault| self.of_policy(fault))
    }

    pub(crate) fn hits(&self) -> Result<u32> {
        let hits = self.number()?.into_hits();
        hits.map_err(|fault| self.of_policy(fault))
    }

    /// What a policy says of the knob, or of it and those before.
    pub(crate) fn of_policy(&self, fault: Fault) -> Error {
        let message = fault.message();
        match message.starts_with('`') {
            // It begins with the names of what contradicts.
            true => self.at.fault(message),
            false => self.fault(message),
        }
    }
}

/// A point in an entry's life that was read already.
pub(crate) struct Point(EarlyPoint);

impl IntoEarly for Point {
    fn into_early(self) -> Result<EarlyPoint, Fault> {
        Ok(self.0)
    }
}

/// A share that was read already.
pub(crate) struct Share(u32);

impl IntoShare for Share {
    fn into_share(self) -> Result<u32, Fault> {
        Ok(self.0)
    }
}
