//! Text that is never shown, and where it is read.

use std::fmt;

use super::bad;
use crate::error::Result;

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
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the variable is not there, is empty or is no Unicode text.
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
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when the file cannot be read, is empty or is no UTF-8 text.
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
