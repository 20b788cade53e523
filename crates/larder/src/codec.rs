//! Value <-> bytes: format, then compress, then seal.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::entry::{Kind, Value};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{Head, Tag};

#[cfg(feature = "serde")]
mod bounded;
mod builder;
#[cfg(feature = "serde")]
mod by_serde;
mod compress;
mod counter;
mod format;
mod life;
mod limited;
mod parameters;
mod probe;
mod seal;
mod shape;
mod unreadable;
mod wire;

#[cfg(all(test, feature = "serde"))]
mod tests;

pub use builder::CodecBuilder;
pub use compress::Compression;
pub use format::Format;
pub use probe::{NotPortable, WireOf};
#[cfg(any(feature = "sign", feature = "encrypt"))]
pub use seal::SealKey;
#[cfg(feature = "sign")]
pub use seal::Signature;
pub use unreadable::Unreadable;
pub use wire::{Portable, Wire};

use builder::Shapes;
use compress::Compressing;
use counter::Number;
use limited::Limited;
use seal::Seal;
use wire::Coder;

/// How the values of a cache become bytes.
///
/// Built once, by [`builder`](Self::builder) or from configuration ([`from_address`](Self::from_address)); the algorithms are fixed here and never read from data. Bytes that this codec would not
/// have written are a miss with a reason ([`Unreadable`]), never an error and never a panic. By default: MessagePack, not compressed, not sealed, 64 MiB at most.
#[derive(Clone, Debug)]
pub struct Codec {
    format: Format,
    compressing: Compressing,
    seal: Seal,
    shapes: Shapes,
    /// Of a body as the format makes it, and so of what may come out of decompression.
    max_size: usize,
}

impl Default for Codec {
    fn default() -> Self {
        let codec = Self::builder().build();
        codec.expect("larder: the default codec is one that can be built")
    }
}

/// What stands in an entry's head besides what the codec itself puts there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamps {
    /// Milliseconds since 1970-01-01 UTC, as in [`Head`].
    pub(crate) written: u64,
    pub(crate) refresh_at: u64,
    pub(crate) stale_until: u64,
    pub(crate) keep_until: u64,
    pub(crate) hits: u32,
    pub(crate) refresh_hits: u32,
    /// Microseconds.
    pub(crate) cost: u64,
    pub(crate) tags: Vec<Tag>,
}

/// An entry that was read.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// `None` for an entry without an envelope (`envelope = "none"`, or a counter): it has no times of its own.
    pub(crate) head: Option<Head>,
    pub(crate) value: (Kind, Value),
}

impl Codec {
    /// Begins with the defaults.
    #[must_use]
    pub fn builder() -> CodecBuilder {
        CodecBuilder::default()
    }

    /// An entry that is fresh for ever, as bytes: for tools that write to a store past a cache.
    ///
    /// `key` is the full key, with the cache's prefix.
    ///
    /// # Errors
    /// [`ErrorKind::Encode`] when the value cannot be written or is too large.
    pub fn to_bytes<V: Portable>(&self, key: &str, value: V) -> Result<Vec<u8>> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let stamps = Stamps {
            written: since.map_or(0, |since| since.as_millis() as u64),
            refresh_at: u64::MAX,
            stale_until: u64::MAX,
            keep_until: u64::MAX,
            ..Stamps::default()
        };
        let (kind, value) = Value::new(value);
        self.encode(key, &V::wire(), (kind, &value), stamps)
    }

    /// The value of an entry's bytes, whatever its times say: for tools that look at a store past a cache.
    ///
    /// # Errors
    /// Why a cache with this codec would not read it.
    pub fn from_bytes<V: Portable>(&self, key: &str, bytes: &[u8]) -> Result<V, Unreadable> {
        let (kind, value) = self.decode(key, &V::wire(), bytes)?.value;
        value.read::<V>(kind).ok_or(Unreadable::OtherType)
    }

    /// Whether entries have a head, with times and tags of their own.
    pub(crate) fn has_envelope(&self) -> bool {
        self.format.has_head()
    }

    /// An entry as bytes: the head and its length, and the body.
    pub(crate) fn encode(
        &self,
        key: &str,
        wire: &Wire,
        (kind, value): (Kind, &Value),
        stamps: Stamps,
    ) -> Result<Vec<u8>> {
        let Some(coder) = wire.coder else {
            let name = wire.type_name();
            return Err(refused(format!("values of {name} stay in this process")));
        };
        if kind.is_failure() {
            return Err(refused("an error of a source stays in this process"));
        }
        let head = match self.format.has_head() {
            true => self.head(coder, stamps)?,
            false if stamps.tags.is_empty() => Vec::with_capacity(Head::USUAL),
            false => {
                return Err(refused(
                    "an entry without an envelope has no room for its tags",
                ));
            }
        };
        let start = head.len();
        let mut out = Limited::new(head, self.max_size);
        let written = coder.encode(self.format, kind, value, &mut out);
        if out.is_over() {
            return Err(refused(format!(
                "a {} takes more than `max_size`, which is {} bytes",
                wire.type_name(),
                self.max_size
            )));
        }
        written.map_err(|error| refused(format!("a {}: {error}", wire.type_name())))?;
        let mut bytes = out.into_bytes();
        if start == 0 {
            return headless(bytes);
        }
        if let Some(small) = self.compressing.compress(&bytes[start..]) {
            Head::set_compression(&mut bytes, self.compressing.how.id());
            bytes.truncate(start);
            bytes.extend(small);
        }
        self.seal.close(key, &mut bytes, start)?;
        Ok(bytes)
    }

    /// The head, not compressed and with zeros for the seal.
    fn head(&self, coder: &dyn Coder, stamps: Stamps) -> Result<Vec<u8>> {
        let head = Head {
            format: self.id_of(coder),
            compression: 0,
            sealing: self.seal.id(),
            written: stamps.written,
            refresh_at: stamps.refresh_at,
            stale_until: stamps.stale_until,
            keep_until: stamps.keep_until,
            fingerprint: self.fingerprint(coder)?,
            hits: stamps.hits,
            refresh_hits: stamps.refresh_hits,
            cost: stamps.cost,
            tags: stamps.tags,
            key_id: self.seal.key_id().to_owned(),
            seal: vec![0; self.seal.size()],
        };
        head.check().map_err(refused)?;
        Ok(head.to_bytes())
    }

    fn id_of(&self, coder: &dyn Coder) -> u8 {
        match coder.own_shape() {
            Some(_) => format::CUSTOM,
            None => self.format.id(),
        }
    }

    /// The mark of the type's shape; 0 when shapes are ignored.
    fn fingerprint(&self, coder: &dyn Coder) -> Result<u64> {
        let shape = coder.shape(self.format.is_text());
        if shape.is_lossy && self.format.is_named() {
            return Err(refused(
                "this format reads `Some(None)` and `Some(())` as `None`, and the type has an `Option` straight inside an `Option`: write it as postcard, or wrap the inner one in a struct",
            ));
        }
        Ok(match self.shapes {
            Shapes::Ignored => 0,
            Shapes::Checked => shape.of(self.format),
        })
    }

    /// An entry of these bytes.
    pub(crate) fn decode(
        &self,
        key: &str,
        wire: &Wire,
        bytes: &[u8],
    ) -> Result<Decoded, Unreadable> {
        let coder = wire.coder.ok_or(Unreadable::OtherType)?;
        if !Head::begins(bytes) {
            return self.decode_headless(coder, bytes);
        }
        let (head, length) = match Head::parse(bytes) {
            _ if !self.format.has_head() => return Err(Unreadable::OtherFormat),
            Some(parsed) => parsed,
            None => return Err(why_no_head(bytes)),
        };
        let opened = self.seal.open(key, bytes, &head, length)?;
        if head.format != self.id_of(coder) {
            return Err(Unreadable::OtherFormat);
        }
        // Zero is written only where shapes are ignored, and so is read only there.
        if self.shapes == Shapes::Checked
            && head.fingerprint != coder.shape(self.format.is_text()).of(self.format)
        {
            return Err(Unreadable::OtherType);
        }
        let value = self.value(coder, head.compression, opened.bytes())?;
        let head = Some(head);
        Ok(Decoded { head, value })
    }

    fn value(
        &self,
        coder: &dyn Coder,
        compression: u8,
        body: &[u8],
    ) -> Result<(Kind, Value), Unreadable> {
        let inflated;
        let body = match compression {
            0 if body.len() > self.max_size => return Err(Unreadable::TooLarge),
            0 => body,
            found if found == self.compressing.how.id() => {
                inflated = self.compressing.decompress(body, self.max_size)?;
                &inflated
            }
            _ => return Err(Unreadable::OtherCompression),
        };
        let value = coder.decode(self.format, body);
        value.map_err(|_| Unreadable::Broken)
    }

    fn decode_headless(&self, coder: &dyn Coder, bytes: &[u8]) -> Result<Decoded, Unreadable> {
        // What anybody can write who can write to the store is not read where a seal is due, numbers included.
        if self.seal.id() != 0 {
            return Err(Unreadable::Unsealed);
        }
        let value = match Number::parse(bytes) {
            Some(number) => coder.number(number).map_err(|_| Unreadable::OtherType)?,
            None if self.format.has_head() => return Err(Unreadable::Foreign),
            None => self.value(coder, 0, bytes)?,
        };
        Ok(Decoded { head: None, value })
    }
}

/// Checks that nobody would take these bytes for an entry with a head.
fn headless(bytes: Vec<u8>) -> Result<Vec<u8>> {
    match Head::begins(&bytes) {
        true => Err(refused(
            "without an envelope a value must not begin with the byte 0xC1",
        )),
        false => Ok(bytes),
    }
}

fn why_no_head(bytes: &[u8]) -> Unreadable {
    match Head::claims(bytes) {
        Some((version, _)) if version != Head::VERSION => Unreadable::OtherVersion,
        Some((_, length)) if length <= bytes.len() => Unreadable::Broken,
        _ => Unreadable::Truncated,
    }
}

fn refused(message: impl fmt::Display) -> Error {
    Error::new(
        ErrorKind::Encode,
        "encode",
        format!("this cannot be written: {message}"),
    )
}
