//! Names of files: what a key is called on a disk.
//!
//! `entries/7f/a/user%3A7-7fa81c…`: the first digits of the key's hash spread the files over 256 times 16 directories; the name begins with the key, for humans, and ends with
//! the hash, so that names differ also where the file system takes `A` for `a`. Only letters, digits, `-`, `_` and `%` stand in a name: no key leads out of the directory, is
//! hidden, or is the name of a device.

use std::path::{Path, PathBuf};

/// How much of a key stands in the name, in characters. With the hash a name stays below 143 bytes, which encrypting file systems allow.
const READABLE: usize = 100;
/// Digits of the hash.
const DIGITS: usize = 32;
/// Before the hash, when all of the key stands in the name.
const WHOLE: u8 = b'-';
/// Before the hash, when the key was too long.
const CUT: u8 = b'~';

/// What kinds of things have names of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Entries,
    Tags,
    Locks,
    Windows,
    /// What the store notes for itself.
    Meta,
}

impl Space {
    pub(super) const ALL: [Self; 5] = [
        Self::Entries,
        Self::Tags,
        Self::Locks,
        Self::Windows,
        Self::Meta,
    ];

    pub(super) fn directory(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Tags => "tags",
            Self::Locks => "locks",
            Self::Windows => "windows",
            Self::Meta => "meta",
        }
    }
}

/// Where a key is.
#[derive(Debug)]
pub(super) struct Name {
    /// Of its space: under which lock it is changed.
    pub(super) shard: u8,
    space: Space,
    text: String,
}

impl Name {
    pub(super) fn of(space: Space, key: &str) -> Self {
        let hash = hmac_sha256::Hash::hash(key.as_bytes());
        let mut text = String::with_capacity(READABLE + 1 + DIGITS);
        let mut rest = WHOLE;
        for byte in key.bytes() {
            let safe = byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            if text.len() + if safe { 1 } else { 3 } > READABLE {
                rest = CUT;
                break;
            }
            match safe {
                true => text.push(char::from(byte)),
                false => {
                    text.push('%');
                    push_hex(&mut text, byte);
                }
            }
        }
        text.push(char::from(rest));
        hash[..DIGITS / 2]
            .iter()
            .for_each(|byte| push_hex(&mut text, *byte));
        Self {
            shard: hash[0],
            space,
            text,
        }
    }

    pub(super) fn directory(&self, root: &Path) -> PathBuf {
        let hash = &self.text[self.text.len() - DIGITS..];
        leaf(root, self.space, &hash[..2], &hash[2..3])
    }

    pub(super) fn space(&self) -> Space {
        self.space
    }

    pub(super) fn path(&self, root: &Path) -> PathBuf {
        self.directory(root).join(&self.text)
    }
}

/// A directory of files.
pub(super) fn leaf(root: &Path, space: Space, shard: &str, leaf: &str) -> PathBuf {
    let mut path = PathBuf::with_capacity(root.as_os_str().len() + 160);
    path.push(root);
    path.push(space.directory());
    path.push(shard);
    path.push(leaf);
    path
}

/// What a name says of its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// All of it.
    Key(String),
    /// How it begins, in bytes.
    Start(Vec<u8>),
}

/// What a name says; `None` for a name that is none of ours.
pub(super) fn say(name: &str) -> Option<Said> {
    let at = name.len().checked_sub(DIGITS + 1)?;
    let (readable, hash) = name.split_at_checked(at)?;
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if !hash.bytes().skip(1).all(hex) {
        return None;
    }
    let mut bytes = Vec::with_capacity(readable.len());
    let mut rest = readable.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'%', [high, low, ..]) if hex(*high) && hex(*low) => {
                rest = &tail[2..];
                digit(*high) << 4 | digit(*low)
            }
            (b'%', _) => return None,
            (plain, _) => *plain,
        });
    }
    match hash.as_bytes()[0] {
        WHOLE => {
            let key = String::from_utf8(bytes).ok()?;
            // The name in full is the one that the key would get, so the hash is right too.
            (Name::of(Space::Entries, &key).text == name).then_some(Said::Key(key))
        }
        CUT => Some(Said::Start(bytes)),
        _ => None,
    }
}

fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        _ => hex - b'a' + 10,
    }
}

fn push_hex(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
    }
}

/// The digits of a shard.
pub(super) fn digits(shard: u8) -> String {
    let mut text = String::with_capacity(2);
    push_hex(&mut text, shard);
    text
}

/// The sixteen parts of a shard.
pub(super) const LEAVES: [&str; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
];
