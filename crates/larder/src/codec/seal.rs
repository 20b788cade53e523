//! What shows that an entry is ours, and hides it if asked.
//!
//! Under the seal stand the key name, the head without the versions of its tags, and the body as it is stored. Which algorithm is due is configured and never read from the entry.

#[cfg(feature = "encrypt")]
mod encrypted;
#[cfg(any(feature = "sign", feature = "encrypt"))]
mod ring;
#[cfg(feature = "sign")]
mod signed;

#[cfg(all(test, feature = "encrypt"))]
pub(super) use encrypted::FIXED_NONCE;
#[cfg(any(feature = "sign", feature = "encrypt"))]
pub use ring::SealKey;
#[cfg(any(feature = "sign", feature = "encrypt"))]
pub(super) use ring::{Ring, Use};
#[cfg(feature = "sign")]
pub use signed::Signature;

use super::unreadable::Unreadable;
use crate::error::Error;
use crate::store::Head;

/// How entries are sealed.
#[derive(Clone, Debug, Default)]
pub(super) enum Seal {
    /// Not at all: where the seal would be stands the length of the body, which shows that nothing was cut off.
    #[default]
    None,
    #[cfg(feature = "sign")]
    Signed(Signature, Ring),
    #[cfg(feature = "encrypt")]
    Encrypted(Ring),
}

/// The body's length in four bytes.
const LENGTH: usize = 4;

/// What was under the seal.
pub(super) enum Opened<'a> {
    AsItStands(&'a [u8]),
    #[cfg(feature = "encrypt")]
    Decrypted(Vec<u8>),
}

impl Opened<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::AsItStands(bytes) => bytes,
            #[cfg(feature = "encrypt")]
            Self::Decrypted(bytes) => bytes,
        }
    }
}

impl Seal {
    /// As it stands in a head.
    pub(super) fn id(&self) -> u8 {
        match self {
            Self::None => 0,
            #[cfg(feature = "sign")]
            Self::Signed(signature, _) => signature.id(),
            #[cfg(feature = "encrypt")]
            Self::Encrypted(_) => 3,
        }
    }

    /// The id of the secret that seals now.
    pub(super) fn key_id(&self) -> &str {
        match self {
            Self::None => "",
            #[cfg(feature = "sign")]
            Self::Signed(_, ring) => ring.current_id(),
            #[cfg(feature = "encrypt")]
            Self::Encrypted(ring) => ring.current_id(),
        }
    }

    /// How many bytes it takes in a head.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::None => LENGTH,
            #[cfg(feature = "sign")]
            Self::Signed(..) => signed::SIZE,
            #[cfg(feature = "encrypt")]
            Self::Encrypted(_) => encrypted::SIZE,
        }
    }

    /// Seals an entry whose head, of `head` bytes, has room for it at its end.
    #[cfg_attr(
        not(any(feature = "sign", feature = "encrypt")),
        allow(unused_variables)
    )]
    pub(super) fn close(&self, key: &str, bytes: &mut [u8], head: usize) -> Result<(), Error> {
        let (head, body) = bytes.split_at_mut(head);
        let (head, seal) = head.split_at_mut(head.len() - self.size());
        match self {
            Self::None => {
                // A body is at most `max_size`, which fits.
                seal.copy_from_slice(&(body.len() as u32).to_be_bytes());
                Ok(())
            }
            #[cfg(feature = "sign")]
            Self::Signed(signature, ring) => {
                let above = covered(key, head);
                seal.copy_from_slice(&signature.of(ring.current(), &above, body));
                Ok(())
            }
            #[cfg(feature = "encrypt")]
            Self::Encrypted(ring) => {
                encrypted::close(ring.current(), &covered(key, head), body, seal)
            }
        }
    }

    /// The body of an entry whose head, of `length` bytes, was read as `head`.
    #[cfg_attr(
        not(any(feature = "sign", feature = "encrypt")),
        allow(unused_variables)
    )]
    pub(super) fn open<'a>(
        &self,
        key: &str,
        bytes: &'a [u8],
        head: &Head,
        length: usize,
    ) -> Result<Opened<'a>, Unreadable> {
        match (head.sealing, self.id()) {
            (found, due) if found == due => {}
            (0, _) => return Err(Unreadable::Unsealed),
            _ => return Err(Unreadable::OtherSeal),
        }
        let (above, body) = bytes.split_at(length);
        if head.seal.len() != self.size() {
            return Err(Unreadable::BadSeal);
        }
        let above = &above[..length - self.size()];
        match self {
            Self::None => length_fits(&head.seal, body),
            #[cfg(feature = "sign")]
            Self::Signed(signature, ring) => {
                let secret = ring.of_id(&head.key_id).ok_or(Unreadable::UnknownKey)?;
                if signature.fits(secret, &covered(key, above), body, &head.seal) {
                    Ok(Opened::AsItStands(body))
                } else {
                    Err(Unreadable::BadSeal)
                }
            }
            #[cfg(feature = "encrypt")]
            Self::Encrypted(ring) => {
                let secret = ring.of_id(&head.key_id).ok_or(Unreadable::UnknownKey)?;
                encrypted::open(secret, &covered(key, above), body, &head.seal)
                    .map(Opened::Decrypted)
            }
        }
    }
}

fn length_fits<'a>(seal: &[u8], body: &'a [u8]) -> Result<Opened<'a>, Unreadable> {
    let length = seal.try_into().map_or(0, u32::from_be_bytes) as usize;
    match body.len() {
        found if found == length => Ok(Opened::AsItStands(body)),
        found if found < length => Err(Unreadable::Truncated),
        _ => Err(Unreadable::Broken),
    }
}

/// The key name and what a seal covers of a head: all before the seal, with 0 for the versions of tags.
///
/// Two different pairs never give the same bytes: the name's length comes first, and a head knows its own length.
#[cfg(any(feature = "sign", feature = "encrypt"))]
fn covered(key: &str, head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + key.len() + head.len());
    out.extend((key.len() as u64).to_be_bytes());
    out.extend(key.as_bytes());
    let start = out.len();
    out.extend(head);
    Head::zero_versions(&mut out[start..]);
    out
}
