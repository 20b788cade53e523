//! The head of an entry: what a store may look at without knowing codecs or keys.
//!
//! ```text
//! offset  size
//!      0     1  0xC1, a byte that begins no JSON text, no UTF-8 text and no MessagePack value
//!      1     1  version of this layout: 1
//!      2     4  length of the head, all of this
//!      6     1  format         7  1  compression
//!      8     1  sealing        9  1  0
//!     10     8  written at        milliseconds since 1970-01-01 UTC
//!     18     8  refresh at        the same; 2^64-1 is never
//!     26     8  stale until
//!     34     8  keep until
//!     42     8  fingerprint of the type; 0: none
//!     50     4  hits              budget, 0: none
//!     54     4  refresh hits      the same
//!     58     8  cost              microseconds that the value took to make
//!     66     2  number of tags    then for each: 2 length, name, 8 version
//!      …     1  length of the key id, the key id
//!      …        seal, up to the end of the head: nonce and authentication code;
//!                without a seal 4 bytes, the length of the body
//! ```
//!
//! All numbers are big-endian. The body follows. The versions of tags are the one thing that a seal does not cover: they belong to the store
//! that holds the entry.

use std::collections::BTreeMap;

/// A byte that begins no text.
pub(crate) const MAGIC: u8 = 0xC1;
pub(crate) const VERSION: u8 = 1;
/// Up to the tags.
const FIXED: usize = 68;
/// More tags than anybody needs, and few enough that a hostile head costs nothing.
pub(crate) const MAX_TAGS: usize = 1_024;
/// Room for tags and a small body, so that most entries are written without moving.
const USUAL: usize = 256;
/// What two bytes can count.
const MAX_NAME: usize = u16::MAX as usize;

/// What stands before the body of every entry: its times, its tags, and how the body is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub(crate) format: u8,
    pub(crate) compression: u8,
    pub(crate) sealing: u8,
    pub(crate) written: u64,
    pub(crate) refresh_at: u64,
    pub(crate) stale_until: u64,
    pub(crate) keep_until: u64,
    pub(crate) fingerprint: u64,
    pub(crate) hits: u32,
    pub(crate) refresh_hits: u32,
    pub(crate) cost: u64,
    pub(crate) tags: Vec<Tag>,
    pub(crate) key_id: String,
    pub(crate) seal: Vec<u8>,
}

/// A tag of an entry, and its version when the entry's value was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The tag.
    pub name: String,
    /// Its version in the store that holds the entry.
    pub version: u64,
}

impl Head {
    /// Of this layout.
    pub(crate) const VERSION: u8 = VERSION;
    /// Room that an entry's bytes begin with.
    pub(crate) const USUAL: usize = USUAL;

    /// The head of an entry, and where its body begins; `None` for bytes that are no entry of ours.
    ///
    /// Costs time and room in proportion to the head that is really there, whatever the bytes claim.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let [MAGIC, VERSION, ..] = bytes else {
            return None;
        };
        let length = u32::from_be_bytes(bytes.get(2..6)?.try_into().ok()?) as usize;
        let head = bytes.get(..length)?;
        let mut rest = Rest(head.get(6..)?);
        let [format, compression, sealing, 0] = *rest.take::<4>()? else {
            return None;
        };
        let mut parsed = Self {
            format,
            compression,
            sealing,
            written: rest.u64()?,
            refresh_at: rest.u64()?,
            stale_until: rest.u64()?,
            keep_until: rest.u64()?,
            fingerprint: rest.u64()?,
            hits: rest.u32()?,
            refresh_hits: rest.u32()?,
            cost: rest.u64()?,
            tags: Vec::new(),
            key_id: String::new(),
            seal: Vec::new(),
        };
        let tags = usize::from(u16::from_be_bytes(*rest.take()?));
        if tags > MAX_TAGS {
            return None;
        }
        for _ in 0..tags {
            let size = usize::from(u16::from_be_bytes(*rest.take()?));
            let name = rest.text(size)?;
            let version = rest.u64()?;
            parsed.tags.push(Tag { name, version });
        }
        let [id] = *rest.take()?;
        parsed.key_id = rest.text(usize::from(id))?;
        parsed.seal = rest.0.to_vec();
        Some((parsed, length))
    }

    /// The head as bytes.
    ///
    /// # Panics
    /// When it has more than 1 024 tags, a tag longer than 65 535 bytes or a key id longer than 255: whoever makes a head checks that first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        assert!(
            self.tags.len() <= MAX_TAGS,
            "larder: too many tags for a head"
        );
        let mut out = Vec::with_capacity(FIXED + USUAL + self.seal.len());
        out.extend([MAGIC, VERSION, 0, 0, 0, 0]);
        out.extend([self.format, self.compression, self.sealing, 0]);
        for instant in [
            self.written,
            self.refresh_at,
            self.stale_until,
            self.keep_until,
        ] {
            out.extend(instant.to_be_bytes());
        }
        out.extend(self.fingerprint.to_be_bytes());
        out.extend(self.hits.to_be_bytes());
        out.extend(self.refresh_hits.to_be_bytes());
        out.extend(self.cost.to_be_bytes());
        out.extend((self.tags.len() as u16).to_be_bytes());
        for tag in &self.tags {
            let length = u16::try_from(tag.name.len()).expect("larder: a tag of 64 KiB");
            out.extend(length.to_be_bytes());
            out.extend(tag.name.as_bytes());
            out.extend(tag.version.to_be_bytes());
        }
        out.push(u8::try_from(self.key_id.len()).expect("larder: a key id of 256 bytes"));
        out.extend(self.key_id.as_bytes());
        out.extend(&self.seal);
        let length = u32::try_from(out.len()).expect("larder: a head of 4 GiB");
        out[2..6].copy_from_slice(&length.to_be_bytes());
        out
    }

    /// Puts the versions of tags into an entry's bytes, in the order of its tags: they are all that differs between two stores that hold one entry, and no seal covers them.
    ///
    /// `false`, and nothing changed, when the bytes are no entry with as many tags.
    #[must_use]
    pub fn patch_versions(bytes: &mut [u8], versions: &[u64]) -> bool {
        match Self::parse(bytes) {
            Some((head, _)) if head.tags.len() == versions.len() => {}
            _ => return false,
        }
        let mut versions = versions.iter();
        Self::each_version(bytes, |place| {
            if let Some(version) = versions.next() {
                *place = version.to_be_bytes();
            }
        });
        true
    }

    /// The head of an entry, without its body, and without a seal if need be, as if it had no versions.
    #[cfg(any(feature = "sign", feature = "encrypt"))]
    pub(crate) fn zero_versions(head: &mut [u8]) {
        Self::each_version(head, |place| *place = [0; 8]);
    }

    /// Walks over the versions of tags as far as they are there.
    fn each_version(head: &mut [u8], mut visit: impl FnMut(&mut [u8; 8])) {
        let Some((count, mut rest)) = head
            .get_mut(FIXED - 2..)
            .and_then(|tags| tags.split_first_chunk_mut::<2>())
        else {
            return;
        };
        for _ in 0..u16::from_be_bytes(*count) {
            let Some((size, tag)) = rest.split_first_chunk_mut::<2>() else {
                return;
            };
            let Some(tag) = tag.get_mut(usize::from(u16::from_be_bytes(*size))..) else {
                return;
            };
            let Some((version, more)) = tag.split_first_chunk_mut::<8>() else {
                return;
            };
            visit(version);
            rest = more;
        }
    }

    /// Whether the bytes begin as an entry with a head does, of whatever version.
    pub(crate) fn begins(bytes: &[u8]) -> bool {
        bytes.first() == Some(&MAGIC)
    }

    /// What bytes that begin so claim: the version of their layout and the length of the head.
    pub(crate) fn claims(bytes: &[u8]) -> Option<(u8, usize)> {
        let length = bytes.get(2..6)?.try_into().ok()?;
        Some((bytes[1], u32::from_be_bytes(length) as usize))
    }

    /// Says how the body is compressed.
    pub(crate) fn set_compression(bytes: &mut [u8], compression: u8) {
        bytes[7] = compression;
    }

    /// Whether it can be written at all; else why not.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.tags.len() > MAX_TAGS {
            return Err(format!("more than {MAX_TAGS} tags"));
        }
        if self.tags.iter().any(|tag| tag.name.len() > MAX_NAME) {
            return Err(format!("a tag of more than {MAX_NAME} bytes"));
        }
        Ok(())
    }

    /// Whether the entry may be served at `now` as far as its times go: before its `stale_until`.
    #[must_use]
    pub fn can_be_served(&self, now: u64) -> bool {
        now < self.stale_until
    }

    /// The tags, with their versions in the store that holds the entry.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Until when the entry is kept, in milliseconds since 1970-01-01 UTC; `u64::MAX` is for ever.
    #[must_use]
    pub fn keep_until(&self) -> u64 {
        self.keep_until
    }
}

struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(first)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(|bytes| u64::from_be_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn text(&mut self, length: usize) -> Option<String> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(str::to_owned)
    }
}

/// Gives the tags of an entry other versions, in place: what a seal does not cover. False, and nothing changed, when the bytes have no head.
pub(crate) fn patch_versions(bytes: &mut [u8], mut version: impl FnMut(&str, u64) -> u64) -> bool {
    let Some((head, _)) = Head::parse(bytes) else {
        return false;
    };
    let mut at = FIXED;
    for tag in &head.tags {
        at += 2 + tag.name.len();
        let version = version(&tag.name, tag.version);
        bytes[at..at + 8].copy_from_slice(&version.to_be_bytes());
        at += 8;
    }
    true
}

/// Gives the tags of an entry their versions in one place for those in another; what does not stand there does not stand here.
pub(crate) fn translate_versions(
    bytes: &mut [u8],
    from: &BTreeMap<&str, u64>,
    to: &BTreeMap<&str, u64>,
) {
    patch_versions(bytes, |tag, version| {
        let stands = version != 0 && from.get(tag) == Some(&version);
        to.get(tag).copied().filter(|_| stands).unwrap_or(0)
    });
}

/// An entry whose tags have other names; `None` when it has no head, no tags, or a name becomes too long.
pub(crate) fn rename_tags(bytes: &[u8], name: impl Fn(&str) -> String) -> Option<Vec<u8>> {
    let (mut head, length) = Head::parse(bytes)?;
    if head.tags.is_empty() {
        return None;
    }
    for tag in &mut head.tags {
        tag.name = name(&tag.name);
        u16::try_from(tag.name.len()).ok()?;
    }
    let mut renamed = head.to_bytes();
    renamed.extend_from_slice(&bytes[length..]);
    Some(renamed)
}
