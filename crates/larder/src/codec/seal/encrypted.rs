//! Authenticated encryption: nobody without the secret reads it or writes it.
//!
//! [XChaCha20-Poly1305](https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03): its nonces of 24 bytes are so many that random ones never meet.

use chacha20poly1305::aead::Generate;
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};

use super::super::refused;
use super::super::unreadable::Unreadable;
use crate::error::Error;

const NONCE: usize = 24;
const TAG: usize = 16;
pub(super) const SIZE: usize = NONCE + TAG;

pub(super) fn close(
    key: &[u8; 32],
    above: &[u8],
    body: &mut [u8],
    seal: &mut [u8],
) -> Result<(), Error> {
    let nonce = nonce().map_err(|_| refused("this machine gives no random numbers"))?;
    let cipher = XChaCha20Poly1305::new(key.into());
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), above, body.into())
        .map_err(|_| refused("more than can be encrypted at once"))?;
    seal[..NONCE].copy_from_slice(&nonce);
    seal[NONCE..].copy_from_slice(&tag);
    Ok(())
}

pub(super) fn open(
    key: &[u8; 32],
    above: &[u8],
    body: &[u8],
    seal: &[u8],
) -> Result<Vec<u8>, Unreadable> {
    let (nonce, tag) = seal
        .split_first_chunk::<NONCE>()
        .ok_or(Unreadable::BadSeal)?;
    let tag = <[u8; TAG]>::try_from(tag).map_err(|_| Unreadable::BadSeal)?;
    let mut body = body.to_vec();
    // Checks the code, in constant time, before it decrypts.
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(
            &XNonce::from(*nonce),
            above,
            body.as_mut_slice().into(),
            &Tag::from(tag),
        )
        .map_err(|_| Unreadable::BadSeal)?;
    Ok(body)
}

#[cfg(not(test))]
fn nonce() -> Result<[u8; NONCE], impl Sized> {
    <[u8; NONCE]>::try_generate()
}

/// Golden bytes need one that does not change.
#[cfg(test)]
fn nonce() -> Result<[u8; NONCE], impl Sized> {
    let fixed = FIXED_NONCE.get();
    match fixed {
        Some(nonce) => Ok(nonce),
        None => <[u8; NONCE]>::try_generate(),
    }
}

#[cfg(test)]
thread_local! {
    pub(in crate::codec) static FIXED_NONCE: std::cell::Cell<Option<[u8; NONCE]>> = const { std::cell::Cell::new(None) };
}
