//! How values of serde types are written.

/// How a value of a serde type is written.
///
/// An entry of another format is a miss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// [MessagePack](https://github.com/msgpack/msgpack/blob/master/spec.md) with the names of fields.
    ///
    /// It cannot tell `Some(None)` from `None`, nor `Some(())`: a type with an `Option` straight inside an `Option` is refused instead of read back as another value.
    /// An `Option` of a type that holds anything, such as `serde_json::Value`, is not: there `Some(null)` is read as `None`.
    #[default]
    MessagePack,
    /// [JSON](https://www.rfc-editor.org/rfc/rfc8259), with the same limit as MessagePack. Keys of maps must be texts or numbers, and NaN and infinities are not read back.
    #[cfg(feature = "json")]
    Json,
    /// [postcard](https://postcard.jamesmunns.com/wire-format): small and fast, without names: fields are told apart by their order alone, so it stands on the check of shapes
    /// ([`CodecBuilder::ignore_shapes`](crate::CodecBuilder::ignore_shapes)). Not for types that need a self-describing format: `#[serde(flatten)]`, `#[serde(untagged)]`, `#[serde(tag = "..")]`,
    /// `#[serde(skip_serializing_if = "..")]`.
    #[cfg(feature = "postcard")]
    Postcard,
    /// JSON without an envelope, for other languages to read and write; `envelope=none` in a URL.
    ///
    /// Such an entry has no times of its own, only its life in the store; no tags; no shape; nothing shows that it was cut off or forged.
    #[cfg(feature = "json")]
    Plain,
}

impl Format {
    /// As it stands in a head.
    pub(super) fn id(self) -> u8 {
        match self {
            Self::MessagePack => 1,
            #[cfg(feature = "json")]
            Self::Json => 2,
            #[cfg(feature = "postcard")]
            Self::Postcard => 3,
            #[cfg(feature = "json")]
            Self::Plain => 2,
        }
    }

    /// Whether entries begin with a head.
    pub(super) fn has_head(self) -> bool {
        match self {
            #[cfg(feature = "json")]
            Self::Plain => false,
            _ => true,
        }
    }

    /// Whether fields are found by their names.
    pub(super) fn is_named(self) -> bool {
        match self {
            #[cfg(feature = "postcard")]
            Self::Postcard => false,
            _ => true,
        }
    }

    /// As serde's `is_human_readable`: on it depends how some types describe themselves.
    pub(super) fn is_text(self) -> bool {
        match self {
            #[cfg(feature = "json")]
            Self::Json | Self::Plain => true,
            _ => false,
        }
    }
}

/// What stands in a head for a type that is written by functions of its own.
pub(super) const CUSTOM: u8 = 4;
