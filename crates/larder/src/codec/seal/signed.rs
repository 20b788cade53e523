//! Keyed signatures: who has the secret wrote it, and anybody may read it.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Use;

/// How entries are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signature {
    /// [BLAKE3](https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf) in keyed mode.
    #[default]
    Blake3,
    /// [HMAC](https://www.rfc-editor.org/rfc/rfc2104) with SHA-256.
    HmacSha256,
}

pub(super) const SIZE: usize = 32;

impl Signature {
    pub(super) fn id(self) -> u8 {
        match self {
            Self::Blake3 => 1,
            Self::HmacSha256 => 2,
        }
    }

    pub(in crate::codec) fn purpose(self) -> Use {
        match self {
            Self::Blake3 => Use::Blake3,
            Self::HmacSha256 => Use::HmacSha256,
        }
    }

    pub(super) fn of(self, key: &[u8; 32], above: &[u8], body: &[u8]) -> [u8; SIZE] {
        match self {
            Self::Blake3 => *blake3(key, above, body).as_bytes(),
            Self::HmacSha256 => hmac(key, above, body).finalize().into_bytes().into(),
        }
    }

    /// Compares in a time that does not depend on where they differ.
    pub(super) fn fits(self, key: &[u8; 32], above: &[u8], body: &[u8], seal: &[u8]) -> bool {
        match self {
            // The comparison of two hashes takes constant time, by the documentation of `blake3::Hash`.
            Self::Blake3 => {
                blake3::Hash::from_slice(seal).is_ok_and(|seal| blake3(key, above, body) == seal)
            }
            Self::HmacSha256 => hmac(key, above, body).verify_slice(seal).is_ok(),
        }
    }
}

fn blake3(key: &[u8; 32], above: &[u8], body: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(above);
    hasher.update(body);
    hasher.finalize()
}

fn hmac(key: &[u8; 32], above: &[u8], body: &[u8]) -> Hmac<Sha256> {
    // HMAC fills a key that is shorter than a block with zeros; doing that here leaves a constructor that cannot fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    mac.update(above);
    mac.update(body);
    mac
}
