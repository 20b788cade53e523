//! What objects are called.
//!
//! ```text
//! <prefix>/e/user:7                      an entry, or the marker of a lease
//! <prefix>/t/…  <prefix>/l/…  <prefix>/m/…   tags, locks, and the store's own records
//! ```
//!
//! Letters, digits, `_`, `-` and `:` stay; every other byte is `!` and two hex digits. Each byte is written by itself, so a prefix of a key is
//! written as a prefix of its name. After every 200 bytes stands `!/`: servers that keep objects as files allow 255 bytes from one `/` to the next.
//! A name that would be too long keeps its beginning, and `!_/` and the SHA-256 of the key follow. `!_` alone is the empty key.

use hmac_sha256::Hash;
use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Between two `/`.
const SEGMENT: usize = 200;
/// All three clouds end at 1 024 bytes.
pub(super) const LONGEST: usize = 900;
/// `!_/` and 64 hex digits.
const TAIL: usize = 67;
/// Below this nothing readable would be left of a key.
pub(super) const SHORTEST: usize = 100;

/// Which of the store's records a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Entries,
    Tags,
    Locks,
}

/// The names of one store.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Empty, or ends with `/`.
    root: String,
    limit: usize,
}

/// What the name of an entry says of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// All of it.
    Whole(String),
    /// Only its hash: the object knows the rest.
    Hashed,
}

impl Names {
    pub(super) fn new(path: &str, limit: usize) -> Result<Self> {
        let config = |message: String| Error::new(ErrorKind::Config, "open", message);
        let root = path.trim_matches('/');
        if root.len() > 1_000 - LONGEST {
            return Err(config(format!(
                "the prefix `{root}` has more than {} bytes: names of objects end at 1024",
                1_000 - LONGEST
            )));
        }
        if !(SHORTEST..=LONGEST).contains(&limit) {
            return Err(config(format!(
                "`name_limit` is a number of bytes from {SHORTEST} to {LONGEST}"
            )));
        }
        Path::parse(root).map_err(|error| {
            config(format!(
                "the prefix `{root}` cannot be part of the name of an object: {error}"
            ))
        })?;
        let root = if root.is_empty() {
            String::new()
        } else {
            format!("{root}/")
        };
        Ok(Self { root, limit })
    }

    /// The name of a record.
    pub(super) fn path(&self, space: Space, text: &str) -> Path {
        let escaped = escape(text);
        let room = self.room();
        let name = if text.is_empty() {
            "!_".to_owned()
        } else if escaped.len() <= room {
            segmented(&escaped)
        } else {
            format!(
                "{}!_/{}",
                segmented(cut(&escaped, room - TAIL)),
                hex(&Hash::hash(text.as_bytes()))
            )
        };
        path(format!("{}{name}", self.space(space)))
    }

    /// Whether a key's name holds all of it.
    pub(super) fn is_whole(&self, key: &str) -> bool {
        escape(key).len() <= self.room()
    }

    /// One of the store's own records.
    pub(super) fn own(&self, name: &str) -> Path {
        path(format!("{}m/{name}", self.root))
    }

    /// What the names of all entries begin with whose keys begin so; names of others may begin so too.
    pub(super) fn entries(&self, prefix: &str) -> String {
        let escaped = escape(prefix);
        let kept = cut(&escaped, self.room() - TAIL);
        format!("{}{}", self.space(Space::Entries), segmented(kept))
    }

    /// What the names of all records of a space begin with.
    pub(super) fn space(&self, space: Space) -> String {
        let letter = match space {
            Space::Entries => 'e',
            Space::Tags => 't',
            Space::Locks => 'l',
        };
        format!("{}{letter}/", self.root)
    }

    /// The key of a name of an entry; `None` for a name that this store does not give.
    pub(super) fn key(&self, name: &str) -> Option<Named> {
        let rest = name.strip_prefix(&self.space(Space::Entries))?;
        if rest.contains("_/") {
            return Some(Named::Hashed);
        }
        let key = if rest == "!_" {
            Vec::new()
        } else {
            unescape(&rest.replace("!/", ""))?
        };
        let key = String::from_utf8(key).ok()?;
        // The same key by another name would be another object.
        (self.path(Space::Entries, &key).as_ref() == name).then_some(Named::Whole(key))
    }

    fn room(&self) -> usize {
        // `!/` after each segment takes its part.
        self.limit - 2 * (self.limit / SEGMENT)
    }
}

fn path(name: String) -> Path {
    Path::parse(name).expect("larder: an escaped name is a path")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-:".contains(&byte)
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('!');
            out.push_str(&hex(&[byte]));
        }
    }
    out
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'!' {
            let [first, second] =
                [bytes.next()?, bytes.next()?].map(|d| char::from(d).to_digit(16));
            out.push((first? * 16 + second?) as u8);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// The longest beginning of at most `limit` bytes that ends between two escapes.
fn cut(escaped: &str, limit: usize) -> &str {
    if escaped.len() <= limit {
        return escaped;
    }
    let bytes = escaped.as_bytes();
    // An escape that begins one or two bytes before the limit goes over it or ends at it.
    let end = match (bytes[limit - 1], bytes[limit - 2]) {
        (b'!', _) => limit - 1,
        (_, b'!') => limit - 2,
        _ => limit,
    };
    &escaped[..end]
}

fn segmented(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len() + 8);
    for (at, byte) in escaped.bytes().enumerate() {
        if at > 0 && at % SEGMENT == 0 {
            out.push_str("!/");
        }
        out.push(char::from(byte));
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .map(|n| char::from(DIGITS[usize::from(n)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(limit: usize) -> Names {
        Names::new("/team/cache/", limit).unwrap()
    }

    #[test]
    fn names_are_pinned() {
        let names = names(LONGEST);
        let name = |key: &str| names.path(Space::Entries, key).as_ref().to_owned();
        assert_eq!(name("user:7"), "team/cache/e/user:7");
        assert_eq!(name("../a b/ä"), "team/cache/e/!2E!2E!2Fa!20b!2F!C3!A4");
        assert_eq!(
            name(&"k".repeat(201)),
            format!("team/cache/e/{}!/k", "k".repeat(200))
        );
        let long = name(&"k".repeat(2_000));
        assert!(long.ends_with(&format!(
            "k!_/{}",
            hex(&Hash::hash("k".repeat(2_000).as_bytes()))
        )));
        assert!(long.len() <= 1_024);
    }

    #[test]
    fn a_prefix_that_is_too_long_or_no_path_is_an_error() {
        assert!(Names::new(&"p".repeat(200), LONGEST).is_err());
        assert!(Names::new("a//b", LONGEST).is_err());
        assert!(Names::new("a/../b", LONGEST).is_err());
        assert!(Names::new("", 5).is_err());
    }

    proptest! {
        #[test]
        fn a_name_gives_its_key_back(key in "\\PC{0,60}", limit in SHORTEST..=LONGEST) {
            let names = names(limit);
            let name = names.path(Space::Entries, &key);
            match names.key(name.as_ref()) {
                Some(Named::Whole(back)) => {
                    prop_assert_eq!(back, key.clone());
                    prop_assert!(names.is_whole(&key));
                }
                Some(Named::Hashed) => prop_assert!(!names.is_whole(&key)),
                None => prop_assert!(false, "no key of {}", name),
            }
            prop_assert!(name.as_ref().len() <= "team/cache/e/".len() + limit);
            prop_assert!(name.as_ref().split('/').all(|part| part.len() <= 202));
        }

        #[test]
        fn a_prefix_of_a_key_is_a_prefix_of_its_name(key in "[a-c./%ä]{0,400}", end in 0usize..400, limit in SHORTEST..=LONGEST) {
            let names = names(limit);
            let end = (0..=end.min(key.len())).rev().find(|at| key.is_char_boundary(*at)).unwrap();
            let name = names.path(Space::Entries, &key);
            prop_assert!(name.as_ref().starts_with(&names.entries(&key[..end])));
        }

        #[test]
        fn names_of_others_are_no_keys(name in "[a-z!/0-9A-F.]{0,40}") {
            let names = names(LONGEST);
            let _ = names.key(&name);
            if let Some(Named::Whole(key)) = names.key(&format!("team/cache/e/{name}")) {
                let again = names.path(Space::Entries, &key);
                prop_assert_eq!(again.as_ref(), format!("team/cache/e/{name}"));
            }
        }
    }
}
