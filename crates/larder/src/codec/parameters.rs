//! A codec from the parameters of a URL, or of a file that gives the same.

use crate::error::Result;
use crate::store::Address;

use super::Codec;
use super::builder::{CodecBuilder, bad};
use super::compress::Compression;
use super::format::Format;

impl Codec {
    /// Takes the parameters that say how values become bytes; all may be missing.
    ///
    /// | parameter | values | default |
    /// |---|---|---|
    /// | `format` | `msgpack`, `json`, `postcard` | `msgpack` |
    /// | `envelope` | `none`: plain JSON for other languages ([`Format::Plain`]) | an envelope |
    /// | `compress` | `zstd`, `lz4`, `gzip` | not |
    /// | `compress_above` | a size: smaller bodies are not compressed | `1kib` |
    /// | `compress_level` | see [`CodecBuilder::compress_level`] | 3 (zstd), 6 (gzip) |
    /// | `max_size` | a size: no larger body is written or read | `64mib` |
    /// | `sign_key_env`, `sign_key_file` | where the secret is: a variable of the environment, a file | not signed |
    /// | `sign` | `blake3`, `hmac-sha256` | `blake3` |
    /// | `encrypt_key_env`, `encrypt_key_file` | where the secret is | not encrypted |
    /// | `key_id` | what the secret is called in entries | a short hash of it |
    /// | `old_keys` | secrets that are still read, separated by commas: `env:VARIABLE` or `file:PATH`, each with its name before it if it has one: `2025=env:OLD_KEY` | none |
    /// | `fingerprint` | `0`: entries of other shapes of a type are read ([`CodecBuilder::ignore_shapes`]) | `1` |
    ///
    /// ```
    /// # #[cfg(feature = "zstd")] {
    /// use larder::{Codec, store::Address};
    ///
    /// let mut address = Address::parse("redis://localhost/0?compress=zstd&compress_above=4kib")?;
    /// let codec = Codec::from_address(&mut address)?;
    /// address.finish()?;
    /// # }
    /// # Ok::<(), larder::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for values that cannot be read, for secrets that cannot, for what does not go together, and for what this build has no feature for.
    pub fn from_address(address: &mut Address) -> Result<Self> {
        let mut builder = Self::builder().format(format(address)?);
        builder = builder.compress(compression(address)?);
        if let Some(bytes) = address.bytes("compress_above")? {
            builder = builder.compress_above(size(bytes));
        }
        if let Some(level) = address.text("compress_level") {
            builder =
                builder.compress_level(level.parse().map_err(|_| {
                    bad(format!("`compress_level={level}`: expected a whole number"))
                })?);
        }
        if let Some(bytes) = address.bytes("max_size")? {
            builder = builder.max_size(size(bytes));
        }
        if address.flag("fingerprint")? == Some(false) {
            builder = builder.ignore_shapes();
        }
        sealed(address, builder)?.build()
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn format(address: &mut Address) -> Result<Format> {
    let format = address.word("format", &["msgpack", "json", "postcard"])?;
    let envelope = address.word("envelope", &["none"])?;
    match (envelope, format) {
        (None, None | Some("msgpack")) => Ok(Format::MessagePack),
        #[cfg(feature = "json")]
        (None, Some("json")) => Ok(Format::Json),
        #[cfg(feature = "postcard")]
        (None, Some("postcard")) => Ok(Format::Postcard),
        #[cfg(feature = "json")]
        (Some(_), None | Some("json")) => Ok(Format::Plain),
        (Some(_), Some(format)) if format != "json" => Err(bad(format!(
            "`envelope=none` writes plain JSON: leave `format={format}` out"
        ))),
        (Some(_), _) => Err(featureless("envelope=none", "json")),
        (None, Some(format)) => Err(featureless(&format!("format={format}"), format)),
    }
}

fn compression(address: &mut Address) -> Result<Compression> {
    match address.word("compress", &["zstd", "lz4", "gzip"])? {
        None => Ok(Compression::None),
        #[cfg(feature = "zstd")]
        Some("zstd") => Ok(Compression::Zstd),
        #[cfg(feature = "lz4")]
        Some("lz4") => Ok(Compression::Lz4),
        #[cfg(feature = "gzip")]
        Some("gzip") => Ok(Compression::Gzip),
        Some(how) => Err(featureless(&format!("compress={how}"), how)),
    }
}

fn featureless(what: &str, feature: &str) -> crate::Error {
    bad(format!(
        "`{what}` needs the feature `{feature}` of the crate `larder`, which this build is without"
    ))
}

fn sealed(address: &mut Address, builder: CodecBuilder) -> Result<CodecBuilder> {
    let sign_key = address.secret("sign_key", "sign_key_env", "sign_key_file")?;
    let encrypt_key = address.secret("encrypt_key", "encrypt_key_env", "encrypt_key_file")?;
    let sign = address.word("sign", &["blake3", "hmac-sha256"])?;
    let id = address.text("key_id");
    let old = address.text("old_keys");
    match (&sign_key, &encrypt_key) {
        (None, _) if sign.is_some() => Err(bad(
            "`sign` needs a secret: add `sign_key_env=VARIABLE` or `sign_key_file=PATH`",
        )),
        (None, None) if id.is_some() || old.is_some() => Err(bad(
            "`key_id` and `old_keys` belong to a secret: add `sign_key_env=VARIABLE` or `encrypt_key_env=VARIABLE`, or leave them out",
        )),
        (None, None) => Ok(builder),
        #[cfg(not(feature = "sign"))]
        (Some(_), _) => Err(featureless("sign_key_..", "sign")),
        #[cfg(not(feature = "encrypt"))]
        (_, Some(_)) => Err(featureless("encrypt_key_..", "encrypt")),
        #[cfg(any(feature = "sign", feature = "encrypt"))]
        #[allow(unreachable_patterns)]
        (Some(_), _) | (_, Some(_)) => keyed::add(
            builder,
            keyed::Given {
                sign_key,
                encrypt_key,
                sign,
                id,
                old,
            },
        ),
    }
}

#[cfg(any(feature = "sign", feature = "encrypt"))]
mod keyed {
    use super::super::seal::SealKey;
    use super::{CodecBuilder, bad};
    use crate::error::Result;
    use crate::store::Secret;

    /// What an address says of seals.
    #[cfg_attr(not(all(feature = "sign", feature = "encrypt")), allow(dead_code))]
    pub(super) struct Given {
        pub(super) sign_key: Option<Secret>,
        pub(super) encrypt_key: Option<Secret>,
        pub(super) sign: Option<&'static str>,
        pub(super) id: Option<String>,
        pub(super) old: Option<String>,
    }

    pub(super) fn add(mut builder: CodecBuilder, given: Given) -> Result<CodecBuilder> {
        let named = |secret| match &given.id {
            Some(id) => SealKey::new(secret).id(id),
            None => SealKey::new(secret),
        };
        #[cfg(feature = "sign")]
        if let Some(secret) = given.sign_key {
            use super::super::seal::Signature;
            let signature = match given.sign {
                Some("hmac-sha256") => Signature::HmacSha256,
                _ => Signature::Blake3,
            };
            builder = builder.sign(signature, named(secret));
        }
        #[cfg(feature = "encrypt")]
        if let Some(secret) = given.encrypt_key {
            builder = builder.encrypt(named(secret));
        }
        for reference in given.old.iter().flat_map(|old| old.split(',')) {
            builder = builder.old_key(old_key(reference.trim())?);
        }
        Ok(builder)
    }

    fn old_key(text: &str) -> Result<SealKey> {
        let (id, reference) = match text.split_once('=') {
            Some((id, reference)) => (Some(id), reference),
            None => (None, text),
        };
        let secret = match reference.split_once(':') {
            Some(("env", variable)) => Secret::from_env(variable)?,
            Some(("file", path)) => Secret::from_file(path)?,
            // The text is not repeated: somebody may have written the secret itself.
            _ => {
                return Err(bad(
                    "`old_keys` says where each secret is: `env:VARIABLE` or `file:PATH`, with its name before it if it has one: `2025=env:OLD_KEY`",
                ));
            }
        };
        Ok(match id {
            Some(id) => SealKey::new(secret).id(id),
            None => SealKey::new(secret),
        })
    }
}
