//! Where something was said, and errors that point there.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A URL that the program gave.
    Url,
    /// A variable of the environment.
    Variable(Arc<str>),
    /// A place in a file; line and column count from 1, the column in characters.
    File {
        name: Arc<str>,
        line: u32,
        column: u32,
    },
}

impl Origin {
    /// An error that points here.
    pub(crate) fn fault(&self, message: impl fmt::Display) -> Error {
        let operation = match self {
            Self::Url => return Error::new(ErrorKind::Config, "url", message.to_string()),
            Self::Variable(_) | Self::File { .. } => "config",
        };
        Error::new(ErrorKind::Config, operation, format!("{self}: {message}"))
    }

    /// An error of something that knows no places, told with this one. It stays what it is when it came from a URL of the program.
    pub(crate) fn place(&self, error: Error) -> Error {
        match self {
            Self::Url => error,
            Self::Variable(_) | Self::File { .. } => {
                let message = error.to_string();
                // What `Address` says begins with its own operation, which would only repeat the place.
                let message = message.strip_prefix("url: ").unwrap_or(&message);
                Error::new(error.kind(), "config", format!("{self}: {message}"))
            }
        }
    }

    pub(crate) fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("url"),
            Self::Variable(name) => f.write_str(name),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
        }
    }
}
