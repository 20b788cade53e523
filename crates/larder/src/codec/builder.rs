//! A codec, put together and checked.

use crate::error::{Error, ErrorKind, Result};

use super::Codec;
use super::compress::{Compressing, Compression};
use super::format::Format;
use super::seal::Seal;
#[cfg(any(feature = "sign", feature = "encrypt"))]
use super::seal::{Ring, SealKey};

/// Bodies of less are not worth the time.
const COMPRESS_ABOVE: usize = 1 << 10;
const MAX_SIZE: usize = 64 << 20;
/// The length of a body stands in four bytes.
const LARGEST: usize = u32::MAX as usize;

/// Puts a [`Codec`] together; begins with [`Codec::builder`].
///
/// ```
/// # #[cfg(all(feature = "json", feature = "zstd", feature = "sign"))] {
/// use larder::store::Secret;
/// use larder::{Codec, Compression, Format, SealKey, Signature};
///
/// let codec = Codec::builder()
///     .format(Format::Json)
///     .compress(Compression::Zstd)
///     .compress_above(4096)
///     .sign(Signature::Blake3, SealKey::new(Secret::new("a random text of 16 or more")).id("2026"))
///     .old_key(SealKey::new(Secret::new("the text of the year before")).id("2025"))
///     .build()?;
///
/// let bytes = codec.to_bytes("answer", 42_u64)?;
/// assert_eq!(codec.from_bytes::<u64>("answer", &bytes), Ok(42));
/// // The name is under the seal: an entry cannot be moved to another key.
/// assert_eq!(codec.from_bytes::<u64>("question", &bytes), Err(larder::Unreadable::BadSeal));
/// # }
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct CodecBuilder {
    format: Format,
    compression: Compression,
    above: Option<usize>,
    level: Option<i32>,
    max_size: Option<usize>,
    shapes: Shapes,
    #[cfg(feature = "sign")]
    sign: Option<(super::seal::Signature, SealKey)>,
    #[cfg(feature = "encrypt")]
    encrypt: Option<SealKey>,
    #[cfg(any(feature = "sign", feature = "encrypt"))]
    old: Vec<SealKey>,
}

/// Whether a value is read only as a type of the shape that wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shapes {
    #[default]
    Checked,
    Ignored,
}

impl CodecBuilder {
    /// How values are written. MessagePack by default.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// How bodies are compressed. Not at all by default.
    #[must_use]
    pub fn compress(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// From how many bytes on a body is compressed: 1 KiB by default.
    #[must_use]
    pub fn compress_above(mut self, bytes: usize) -> Self {
        self.above = Some(bytes);
        self
    }

    /// How hard it tries: for Zstandard -7 to 19, 3 by default; for gzip 1 to 9, 6 by default.
    #[must_use]
    pub fn compress_level(mut self, level: i32) -> Self {
        self.level = Some(level);
        self
    }

    /// How large a body may be, in bytes and before it is compressed: 64 MiB by default. A larger value is not written
    /// ([`ErrorKind::Encode`]), and a larger entry is a miss, before it has taken the room.
    #[must_use]
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Reads a value as a type of another shape than wrote it, if the format can.
    ///
    /// By default it is not read: after a deploy with another shape of a type, entries of the one before are misses. What shape is:
    ///
    /// - Names of structs and variants, names and types of fields, and so on inwards, as `Deserialize` asks for them. It is found out by asking, once per type; nothing is to be derived.
    /// - Under MessagePack and JSON, fields that `#[serde(default)]` gives when they are missing do not count, nor does the order of fields: such fields may come and go. An `Option` counts although serde
    ///   reads a missing one as `None`: that `None` would be made up. Under postcard all fields count, in their order.
    /// - Types that only say "anything" (`#[serde(flatten)]`, `#[serde(untagged)]`, `serde_json::Value`, and what is behind a field that refuses to be asked) count by the name of the whole type.
    #[must_use]
    pub fn ignore_shapes(mut self) -> Self {
        self.shapes = Shapes::Ignored;
        self
    }

    /// Signs entries: one that was not written with the secret is a miss.
    #[cfg(feature = "sign")]
    #[must_use]
    pub fn sign(mut self, signature: super::seal::Signature, key: SealKey) -> Self {
        self.sign = Some((signature, key));
        self
    }

    /// Encrypts entries with XChaCha20-Poly1305: their values are hidden, and one that was not written with the secret is a miss. Keys, tags and times stay readable.
    #[cfg(feature = "encrypt")]
    #[must_use]
    pub fn encrypt(mut self, key: SealKey) -> Self {
        self.encrypt = Some(key);
        self
    }

    /// Also opens entries of this secret; for the algorithm that is configured.
    #[cfg(any(feature = "sign", feature = "encrypt"))]
    #[must_use]
    pub fn old_key(mut self, key: SealKey) -> Self {
        self.old.push(key);
        self
    }

    /// The codec.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for secrets of less than 16 bytes or of one name, for settings out of range, and for what does not go together.
    pub fn build(self) -> Result<Codec> {
        let max_size = self.max_size.unwrap_or(MAX_SIZE);
        if max_size == 0 || max_size > LARGEST {
            return Err(bad("`max_size` is from 1 byte to 4 GiB"));
        }
        let codec = Codec {
            format: self.format,
            compressing: self.compressing()?,
            seal: self.seal()?,
            shapes: self.shapes,
            max_size,
        };
        if !codec.has_envelope()
            && (codec.compressing.how != Compression::None || codec.seal.id() != 0)
        {
            return Err(bad(
                "without an envelope (`envelope=none`) other languages are to read the entries: leave compression, signing and encryption out",
            ));
        }
        Ok(codec)
    }

    fn compressing(&self) -> Result<Compressing> {
        let how = self.compression;
        if how == Compression::None && (self.above.is_some() || self.level.is_some()) {
            return Err(bad(
                "`compress_above` and `compress_level` belong to `compress`: add it, or leave them out",
            ));
        }
        let level = match (how.levels(), self.level) {
            (None, None) => 0,
            (None, Some(_)) => {
                return Err(bad("lz4 has no levels: leave `compress_level` out"));
            }
            (Some((_, default)), None) => default,
            (Some((levels, _)), Some(level)) if levels.contains(&level) => level,
            (Some((levels, _)), Some(level)) => {
                return Err(bad(format!(
                    "`compress_level` is from {} to {} here, and not {level}",
                    levels.start(),
                    levels.end()
                )));
            }
        };
        Ok(Compressing {
            how,
            above: self.above.unwrap_or(COMPRESS_ABOVE),
            level,
        })
    }

    #[cfg(not(any(feature = "sign", feature = "encrypt")))]
    fn seal(&self) -> Result<Seal> {
        Ok(Seal::None)
    }

    #[cfg(any(feature = "sign", feature = "encrypt"))]
    fn seal(&self) -> Result<Seal> {
        #[cfg(all(feature = "sign", feature = "encrypt"))]
        if self.sign.is_some() && self.encrypt.is_some() {
            return Err(bad(
                "what is encrypted here is authenticated too: leave the signing out",
            ));
        }
        #[cfg(feature = "sign")]
        if let Some((signature, key)) = &self.sign {
            let ring = Ring::new(signature.purpose(), key, &self.old)?;
            return Ok(Seal::Signed(*signature, ring));
        }
        #[cfg(feature = "encrypt")]
        if let Some(key) = &self.encrypt {
            let ring = Ring::new(super::seal::Use::XChaCha20Poly1305, key, &self.old)?;
            return Ok(Seal::Encrypted(ring));
        }
        match self.old.is_empty() {
            true => Ok(Seal::None),
            false => Err(bad(
                "old keys belong to a current one: add a key to sign or encrypt with, or leave them out",
            )),
        }
    }
}

pub(super) fn bad(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "codec", message)
}
