//! Names of items: any key in the 250 bytes without blanks that memcached takes.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac_sha256::Hash;

/// The longest name that memcached takes, as it stands in a command.
const LONGEST: usize = 250;

/// What an item holds. Each kind has names of its own, so that no key of an entry meets a record of the store.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Entry,
    Tag,
    Lock,
    /// The generations of one server: what prefixes were removed.
    Generations,
    Epoch,
}

impl Kind {
    fn letters(self) -> (char, char) {
        match self {
            Self::Entry => ('e', 'E'),
            Self::Tag => ('t', 'T'),
            Self::Lock => ('l', 'L'),
            Self::Generations => ('g', 'G'),
            Self::Epoch => ('p', 'P'),
        }
    }
}

/// An item's name as it stands in a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    /// Whether `text` is Base64 of the name: the flag `b`.
    pub(super) encoded: bool,
}

/// The name of the item for `key`.
///
/// Three forms, by what memcached can take: as it is; in Base64 if it has blanks or control characters; and when it is too long, its head and all of its SHA-256. The
/// kind's letter is another for hashed names, so that a key that looks like one does not meet it.
pub(super) fn name(kind: Kind, scope: &str, key: &str) -> Name {
    let (whole, hashed) = kind.letters();
    let text = format!("ld:{whole}:{scope}{key}");
    // DEL is a control character too; bytes from 0x80 are parts of UTF-8 and pass.
    let plain = |byte: u8| byte > b' ' && byte != 0x7f;
    if text.bytes().all(plain) {
        if text.len() <= LONGEST {
            return Name {
                text,
                encoded: false,
            };
        }
    } else if text.len().div_ceil(3) * 4 <= LONGEST {
        return Name {
            text: STANDARD.encode(text),
            encoded: true,
        };
    }
    let tail = URL_SAFE_NO_PAD.encode(Hash::hash(key.as_bytes()));
    let mut text = format!("ld:{hashed}:{scope}");
    for character in key.chars() {
        let odd = character.is_whitespace() || character.is_control();
        let character = if odd { '_' } else { character };
        if text.len() + character.len_utf8() + 1 + tail.len() > LONGEST {
            break;
        }
        text.push(character);
    }
    text.push(':');
    text.push_str(&tail);
    Name {
        text,
        encoded: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn entry(key: &str) -> Name {
        name(Kind::Entry, "0123456789abcdef:", key)
    }

    #[test]
    fn names_are_pinned() {
        assert_eq!(entry("user:7").text, "ld:e:0123456789abcdef:user:7");
        assert_eq!(entry("é").text, "ld:e:0123456789abcdef:é");
        let odd = entry("a b");
        assert!(odd.encoded);
        assert_eq!(odd.text, "bGQ6ZTowMTIzNDU2Nzg5YWJjZGVmOmEgYg==");
        let long = entry(&"x".repeat(1_000));
        assert!(!long.encoded);
        assert_eq!(long.text.len(), 250);
        let head = format!("ld:E:0123456789abcdef:{}:", "x".repeat(184));
        assert_eq!(
            long.text.strip_prefix(&head),
            Some("RPg1RJSlugO6F5Ko0-nFNMR6kYGYD956P0SwbvKufH8")
        );
    }

    #[test]
    fn every_name_fits_and_no_two_keys_share_one() {
        let mut seen = HashSet::new();
        for kind in [
            Kind::Entry,
            Kind::Tag,
            Kind::Lock,
            Kind::Generations,
            Kind::Epoch,
        ] {
            for letter in ["a", " ", "é", "\n", "\u{7f}", "\u{2028}", "世"] {
                for length in 0..300 {
                    if length == 0 && letter != "a" {
                        continue;
                    }
                    let name = name(kind, "", &letter.repeat(length));
                    assert!(name.text.len() <= LONGEST, "{name:?}");
                    assert!(name.text.bytes().all(|b| b > 32 && b != 127), "{name:?}");
                    assert!(seen.insert(name.text));
                }
            }
        }
        let long = entry(&"x".repeat(1_000)).text;
        let alike = long.strip_prefix("ld:E:0123456789abcdef:").unwrap();
        assert_ne!(entry(alike).text, long);
    }
}
