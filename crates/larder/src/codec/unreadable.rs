//! Why bytes are not read.

use std::fmt;

/// Why bytes cannot be read as an entry: a miss and an event, never an error of a cached function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// Not written by this library: no head, and no whole number either.
    Foreign,
    /// A head of a layout that this release does not know.
    OtherVersion,
    /// The bytes end early.
    Truncated,
    /// The head or the body is not what it should be.
    Broken,
    /// A seal is due by configuration, and there is none.
    Unsealed,
    /// The seal does not fit the key name, the head and the body under the secret: forged, moved from another key, or broken.
    BadSeal,
    /// Sealed with a secret that is not configured here, neither as the current nor as an old one.
    UnknownKey,
    /// Sealed, though no seal is configured here, or in another way.
    OtherSeal,
    /// Written in another format.
    OtherFormat,
    /// Compressed in another way.
    OtherCompression,
    /// A value of another type, or of another shape of the type.
    OtherType,
    /// Larger than is allowed, perhaps only once decompressed.
    TooLarge,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "not written by this library",
            Self::OtherVersion => "an entry's layout that this release does not know",
            Self::Truncated => "the bytes end early",
            Self::Broken => "the bytes are no entry that could have been written",
            Self::Unsealed => "a seal is due and there is none",
            Self::BadSeal => "the seal does not fit",
            Self::UnknownKey => "sealed with a secret that is not known here",
            Self::OtherSeal => "sealed in a way that is not configured here",
            Self::OtherFormat => "written in another format",
            Self::OtherCompression => "compressed in another way",
            Self::OtherType => "a value of another type or shape",
            Self::TooLarge => "larger than is allowed",
        })
    }
}

impl std::error::Error for Unreadable {}
