//! What objects hold.
//!
//! ```text
//! offset  size
//!      0     4  0xC1 'L' 'O' 1
//!      4     1  kind: 1 entry, 2 marker of a lease, 3 tag, 4 lock, 5 tag epoch
//!      5     3  0
//!      8     8  a random number, so that no two writes have the same ETag: S3 takes it from the content
//!     16     8  until           milliseconds since 1970-01-01 UTC; 2^64-1 is for ever
//!     24     8  length of the body
//!     32     4  length of the key, the key, the body
//! ```
//!
//! All numbers are big-endian. Kind, end and length stand in the object's metadata too, with a word of the lease that it was filled under (`larder`: `e.1767225600000.512.0`): a HEAD is
//! enough to know whether an entry lives. An entry that has no [`Head`](crate::store::Head) is for other languages and stands as it is, followed by white space that makes its ETag its own; its end
//! is in the metadata only. An object with neither frame nor metadata is somebody else's.

use bytes::Bytes;
use object_store::{Attribute, AttributeValue, Attributes, PutPayload};

use super::random;
use crate::store::MAGIC;

const FRAME: [u8; 4] = [MAGIC, b'L', b'O', 1];
pub(super) const FIXED: usize = 36;
/// White space after an entry without a head: one that has a byte at least is longer than a marker.
const PAD: usize = 36;
/// The name of the metadata: the one form that all three clouds allow.
const NOTE: &str = "larder";
pub(super) const FOREVER: u64 = u64::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry = 1,
    Marker = 2,
    Tag = 3,
    Lock = 4,
    Epoch = 5,
}

/// What is put.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) payload: PutPayload,
    pub(super) attributes: Attributes,
}

/// What metadata says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) form: Form,
    pub(super) until: u64,
    pub(super) length: u64,
    /// Which lease it was filled under; 0 for none.
    pub(super) lease: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Framed(Kind),
    Bare,
}

/// What an object turned out to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) kind: Kind,
    pub(super) until: u64,
    /// `None` when only the object's name knows it.
    pub(super) key: Option<String>,
    pub(super) body: Bytes,
}

impl Object {
    /// A framed record.
    pub(super) fn framed(kind: Kind, key: &str, until: u64, body: &[u8]) -> Self {
        let mut frame = Vec::with_capacity(FIXED + key.len());
        frame.extend(FRAME);
        frame.extend([kind as u8, 0, 0, 0]);
        frame.extend(random().to_be_bytes());
        frame.extend(until.to_be_bytes());
        frame.extend((body.len() as u64).to_be_bytes());
        let length = u32::try_from(key.len()).expect("larder: a key of 4 GiB");
        frame.extend(length.to_be_bytes());
        frame.extend(key.as_bytes());
        let note = Note {
            form: Form::Framed(kind),
            until,
            length: body.len() as u64,
            lease: 0,
        };
        let parts = [Bytes::from(frame), Bytes::copy_from_slice(body)];
        Self::new(parts, note, "application/octet-stream")
    }

    /// The marker of a lease: all of one length, and without the key.
    pub(super) fn marker(until: u64) -> Self {
        Self::framed(Kind::Marker, "", until, &[])
    }

    /// An entry as it is, for other languages.
    pub(super) fn bare(bytes: &[u8], until: u64) -> Self {
        let mut pad = [b' '; PAD];
        pad[0] = b'\n';
        let random = random();
        for (at, byte) in pad[2..34].iter_mut().enumerate() {
            *byte = b" \n\t\r"[(random >> (2 * at)) as usize & 3];
        }
        let note = Note {
            form: Form::Bare,
            until,
            length: bytes.len() as u64,
            lease: 0,
        };
        let parts = [Bytes::copy_from_slice(bytes), Bytes::copy_from_slice(&pad)];
        Self::new(parts, note, "application/json")
    }

    /// The same, with a word of the lease that it is filled under.
    pub(super) fn under(mut self, lease: u64) -> Self {
        if let Some(note) = Note::of(&self.attributes) {
            let note = Note { lease, ..note }.text();
            self.attributes
                .insert(Attribute::Metadata(NOTE.into()), note.into());
        }
        self
    }

    fn new(parts: [Bytes; 2], note: Note, content_type: &'static str) -> Self {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, content_type.into());
        attributes.insert(Attribute::Metadata(NOTE.into()), note.text().into());
        Self {
            payload: parts.into_iter().collect(),
            attributes,
        }
    }
}

impl Note {
    fn text(self) -> String {
        let letter = match self.form {
            Form::Bare => 'b',
            Form::Framed(Kind::Entry) => 'e',
            Form::Framed(Kind::Marker) => 'm',
            Form::Framed(Kind::Tag) => 't',
            Form::Framed(Kind::Lock) => 'l',
            Form::Framed(Kind::Epoch) => 'p',
        };
        format!("{letter}.{}.{}.{:x}", self.until, self.length, self.lease)
    }

    pub(super) fn of(attributes: &Attributes) -> Option<Self> {
        let note: &AttributeValue = attributes.get(&Attribute::Metadata(NOTE.into()))?;
        Self::parse(note)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let form = match parts.next()? {
            "b" => Form::Bare,
            "e" => Form::Framed(Kind::Entry),
            "m" => Form::Framed(Kind::Marker),
            "t" => Form::Framed(Kind::Tag),
            "l" => Form::Framed(Kind::Lock),
            "p" => Form::Framed(Kind::Epoch),
            _ => return None,
        };
        let until = parts.next()?.parse().ok()?;
        let length = parts.next()?.parse().ok()?;
        let lease = u64::from_str_radix(parts.next()?, 16).ok()?;
        parts.next().is_none().then_some(Self {
            form,
            until,
            length,
            lease,
        })
    }

    pub(super) fn is_entry(self) -> bool {
        matches!(self.form, Form::Bare | Form::Framed(Kind::Entry))
    }
}

/// Opens an object; `None` when it is not ours or not all there.
pub(super) fn open(bytes: &Bytes, note: Option<Note>) -> Option<Opened> {
    if bytes.starts_with(&FRAME) {
        let opened = framed(bytes)?;
        let all = opened.1 == opened.0.body.len() as u64;
        return all.then_some(opened.0);
    }
    let note = note.filter(|note| note.form == Form::Bare)?;
    let length = usize::try_from(note.length).ok()?;
    let whole = bytes.len().checked_sub(length) == Some(PAD);
    let ours = whole && bytes[length..].iter().all(u8::is_ascii_whitespace);
    ours.then(|| Opened {
        kind: Kind::Entry,
        until: note.until,
        key: None,
        body: bytes.slice(..length),
    })
}

/// What the beginning of an object says of itself, and how long its body should be.
pub(super) fn framed(bytes: &Bytes) -> Option<(Opened, u64)> {
    let fixed: &[u8; FIXED] = bytes.first_chunk()?;
    let rest = fixed.strip_prefix(&FRAME)?;
    let kind = match rest {
        [1, 0, 0, 0, ..] => Kind::Entry,
        [2, 0, 0, 0, ..] => Kind::Marker,
        [3, 0, 0, 0, ..] => Kind::Tag,
        [4, 0, 0, 0, ..] => Kind::Lock,
        [5, 0, 0, 0, ..] => Kind::Epoch,
        _ => return None,
    };
    let u64_at = |at: usize| Some(u64::from_be_bytes(*fixed[at..].first_chunk()?));
    let key = u32::from_be_bytes(*fixed[32..].first_chunk()?) as usize;
    let key = bytes.get(FIXED..FIXED.checked_add(key)?)?;
    let opened = Opened {
        kind,
        until: u64_at(16)?,
        key: Some(std::str::from_utf8(key).ok()?.to_owned()),
        body: bytes.slice(FIXED + key.len()..),
    };
    Some((opened, u64_at(24)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(object: &Object) -> Bytes {
        object.payload.clone().into()
    }

    #[test]
    fn two_writes_of_the_same_entry_differ() {
        let framed = || bytes(&Object::framed(Kind::Entry, "k", 7, b"body"));
        assert_ne!(framed(), framed());
        let bare = || bytes(&Object::bare(b"{}", 7));
        assert_ne!(bare(), bare());
        assert_ne!(bytes(&Object::marker(7)), bytes(&Object::marker(7)));
    }

    #[test]
    fn a_bare_entry_is_what_another_language_reads() {
        let object = Object::bare(br#"{"id":7}"#, FOREVER);
        let value: serde_json::Value = serde_json::from_slice(&bytes(&object)).unwrap();
        assert_eq!(value["id"], 7);
    }

    #[test]
    fn the_bytes_of_a_frame_are_pinned() {
        let bytes = bytes(&Object::framed(Kind::Tag, "k", 7, b"v"));
        assert_eq!(&bytes[..8], [0xC1, b'L', b'O', 1, 3, 0, 0, 0]);
        assert_eq!(
            &bytes[16..],
            b"\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x01\0\0\0\x01kv"
        );
        let object = Object::framed(Kind::Entry, "k", 7, b"body");
        assert_eq!(Note::of(&object.attributes).unwrap().text(), "e.7.4.0");
    }

    proptest! {
        #[test]
        fn objects_come_back_as_they_were_put(key in "\\PC{0,9}", body in proptest::collection::vec(any::<u8>(), 0..99), until: u64) {
            let framed = Object::framed(Kind::Entry, &key, until, &body);
            let back = open(&bytes(&framed), None).unwrap();
            prop_assert_eq!((back.key.as_deref(), &back.body[..], back.until), (Some(&*key), &body[..], until));
            if !body.is_empty() && body[0] != MAGIC {
                let bare = Object::bare(&body, until);
                let back = open(&bytes(&bare), Note::of(&bare.attributes)).unwrap();
                prop_assert_eq!((&back.body[..], back.until), (&body[..], until));
                prop_assert!(open(&bytes(&bare), None).is_none());
            }
        }

        #[test]
        fn a_part_of_an_object_is_nothing(body in proptest::collection::vec(any::<u8>(), 1..99), cut in 1usize..60) {
            let framed = bytes(&Object::framed(Kind::Entry, "key", 7, &body));
            prop_assert!(open(&framed.slice(..framed.len().saturating_sub(cut)), None).is_none());
            let bare = Object::bare(&body, 7);
            let all = bytes(&bare);
            prop_assert!(open(&all.slice(..all.len().saturating_sub(cut)), Note::of(&bare.attributes)).is_none());
        }

        #[test]
        fn foreign_bytes_are_nothing(foreign in proptest::collection::vec(any::<u8>(), 0..99), text in "\\PC{0,20}") {
            let mut framed = FRAME.to_vec();
            framed.extend(&foreign);
            let _ = open(&Bytes::from(framed), Note::parse(&text));
            let _ = open(&Bytes::from(foreign), Note::parse(&text));
        }
    }
}
