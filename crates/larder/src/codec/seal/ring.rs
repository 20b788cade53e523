//! The secrets of a codec: one that seals, and more that open what was sealed before.

use std::fmt;

use hmac_sha256::HKDF;

use crate::error::Result;
use crate::store::Secret;

use super::super::builder::bad;

/// A secret for sealing, and what it is called in entries.
///
/// Entries name the secret that sealed them, so that several can be known while one follows another: first make the new one known everywhere as an
/// [old one](crate::CodecBuilder::old_key), then the current one, and take the former away once its entries are gone.
///
/// The secret itself is not used as a key: keys of 32 bytes are derived from it, different ones for each algorithm
/// ([HKDF](https://www.rfc-editor.org/rfc/rfc5869) with SHA-256). It should be random, such as from `openssl rand -base64 32`; a password is not.
#[derive(Clone, Debug)]
pub struct SealKey {
    id: Option<String>,
    secret: Secret,
}

/// A shorter secret can be found by trying.
const SHORTEST: usize = 16;
/// What a head has room for.
const LONGEST_ID: usize = 255;

impl SealKey {
    /// A secret of at least 16 bytes. It is called by a short hash of itself; see [`id`](Self::id).
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self { id: None, secret }
    }

    /// Calls it otherwise, in at most 255 bytes: `"2026-11"`. Whoever reads the store reads this.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }
}

/// What a key is for. Each gets its own, so that what one algorithm shows says nothing of another.
#[derive(Clone, Copy, Debug)]
pub(in crate::codec) enum Use {
    #[cfg(feature = "sign")]
    Blake3,
    #[cfg(feature = "sign")]
    HmacSha256,
    #[cfg(feature = "encrypt")]
    XChaCha20Poly1305,
}

impl Use {
    fn label(self) -> &'static str {
        match self {
            #[cfg(feature = "sign")]
            Self::Blake3 => "sign blake3",
            #[cfg(feature = "sign")]
            Self::HmacSha256 => "sign hmac-sha256",
            #[cfg(feature = "encrypt")]
            Self::XChaCha20Poly1305 => "encrypt xchacha20-poly1305",
        }
    }
}

/// Keys of one algorithm.
#[derive(Clone)]
pub(in crate::codec) struct Ring {
    current: Key,
    old: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    bytes: [u8; 32],
}

impl Ring {
    pub(in crate::codec) fn new(purpose: Use, current: &SealKey, old: &[SealKey]) -> Result<Self> {
        let ring = Self {
            current: Key::of(purpose, current)?,
            old: old
                .iter()
                .map(|key| Key::of(purpose, key))
                .collect::<Result<_>>()?,
        };
        let mut ids: Vec<&str> = ring.old.iter().map(|key| key.id.as_str()).collect();
        ids.push(&ring.current.id);
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(bad(format!(
                "two secrets are called `{}`: an entry could not say which one sealed it",
                twice[0]
            )));
        }
        Ok(ring)
    }

    pub(super) fn current_id(&self) -> &str {
        &self.current.id
    }

    pub(super) fn current(&self) -> &[u8; 32] {
        &self.current.bytes
    }

    pub(super) fn of_id(&self, id: &str) -> Option<&[u8; 32]> {
        let mut all = std::iter::once(&self.current).chain(&self.old);
        all.find(|key| key.id == id).map(|key| &key.bytes)
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("current", &self.current.id)
            .field("old", &self.old.len())
            .finish()
    }
}

impl Key {
    fn of(purpose: Use, key: &SealKey) -> Result<Self> {
        let secret = key.secret.expose().as_bytes();
        if secret.len() < SHORTEST {
            return Err(bad(format!(
                "a secret for sealing has at least {SHORTEST} bytes, and this one has {}: take a random one, such as from `openssl rand -base64 32`",
                secret.len()
            )));
        }
        let root = HKDF::extract("larder envelope 1", secret);
        let mut bytes = [0; 32];
        HKDF::expand(&mut bytes, root, purpose.label());
        let id = match &key.id {
            Some(id) if id.len() > LONGEST_ID => {
                return Err(bad(format!("a key id has at most {LONGEST_ID} bytes")));
            }
            Some(id) => id.clone(),
            None => {
                let mut id = [0; 4];
                HKDF::expand(&mut id, root, "key id");
                format!("{:08x}", u32::from_be_bytes(id))
            }
        };
        Ok(Self { id, bytes })
    }
}
