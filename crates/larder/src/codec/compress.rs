//! Smaller bodies, and no larger ones than are allowed when they are read.

use super::unreadable::Unreadable;

/// How bodies are compressed.
///
/// A body that does not shrink is written as it is. An entry that was compressed in another way than is configured is a miss; one that is not compressed is always read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// [Zstandard](https://www.rfc-editor.org/rfc/rfc8878): small.
    #[cfg(feature = "zstd")]
    Zstd,
    /// [LZ4](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md) blocks: fast.
    #[cfg(feature = "lz4")]
    Lz4,
    /// [gzip](https://www.rfc-editor.org/rfc/rfc1952): known everywhere.
    #[cfg(feature = "gzip")]
    Gzip,
}

/// Compression with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compressing {
    pub(super) how: Compression,
    /// A smaller body is not compressed.
    pub(super) above: usize,
    pub(super) level: i32,
}

impl Compression {
    /// As it stands in a head; 0 is none.
    pub(super) fn id(self) -> u8 {
        match self {
            Self::None => 0,
            #[cfg(feature = "zstd")]
            Self::Zstd => 1,
            #[cfg(feature = "lz4")]
            Self::Lz4 => 2,
            #[cfg(feature = "gzip")]
            Self::Gzip => 3,
        }
    }

    /// The levels there are, and the one by default.
    pub(super) fn levels(self) -> Option<(std::ops::RangeInclusive<i32>, i32)> {
        match self {
            #[cfg(feature = "zstd")]
            Self::Zstd => Some((-7..=19, 3)),
            #[cfg(feature = "gzip")]
            Self::Gzip => Some((1..=9, 6)),
            _ => None,
        }
    }
}

impl Compressing {
    /// The body compressed, if that is due and makes it smaller.
    pub(super) fn compress(self, body: &[u8]) -> Option<Vec<u8>> {
        if body.len() < self.above {
            return None;
        }
        let small: Option<Vec<u8>> = match self.how {
            Compression::None => None,
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd::bulk::compress(body, self.level).ok(),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => lz4::compress(body),
            #[cfg(feature = "gzip")]
            Compression::Gzip => gzip::compress(body, self.level),
        };
        small.filter(|small| small.len() < body.len())
    }

    /// What was compressed, if it is not more than `limit` bytes.
    ///
    /// Room is taken in proportion to the bytes that are there and to what has really come out of them, not to what they claim.
    #[cfg_attr(
        not(any(feature = "zstd", feature = "lz4", feature = "gzip")),
        allow(unused_variables)
    )]
    pub(super) fn decompress(self, body: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
        match self.how {
            Compression::None => Err(Unreadable::OtherCompression),
            #[cfg(feature = "zstd")]
            Compression::Zstd => zstd_frame::decompress(body, limit),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => lz4::decompress(body, limit),
            #[cfg(feature = "gzip")]
            Compression::Gzip => gzip::decompress(body, limit),
        }
    }
}

#[cfg(feature = "zstd")]
mod zstd_frame {
    use zstd::zstd_safe;

    use super::Unreadable;

    /// How much larger than its bytes the first room is at most.
    const FIRST: usize = 32;
    /// How much larger each room is than the one before, which the frame has really filled.
    const GROWTH: usize = 8;

    pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
        let claimed = zstd_safe::get_frame_content_size(body).map_err(|_| Unreadable::Broken)?;
        let claimed = match claimed.map(usize::try_from) {
            Some(Ok(claimed)) if claimed <= limit => claimed,
            Some(_) => return Err(Unreadable::TooLarge),
            None => limit,
        };
        let mut room = claimed.min(body.len().saturating_mul(FIRST));
        loop {
            // One step into a buffer of a known size: the decoder takes no window of its own, whatever the frame asks for.
            let mut out = Vec::with_capacity(room);
            match zstd_safe::decompress(&mut out, body) {
                Ok(_) if out.len() <= claimed => return Ok(out),
                Ok(_) => return Err(Unreadable::Broken),
                Err(code) if !is_too_small(code) => return Err(Unreadable::Broken),
                Err(_) if room >= limit => return Err(Unreadable::TooLarge),
                Err(_) if room >= claimed => return Err(Unreadable::Broken),
                Err(_) => room = room.saturating_mul(GROWTH).clamp(1, claimed),
            }
        }
    }

    fn is_too_small(code: usize) -> bool {
        zstd_safe::get_error_name(code) == "Destination buffer is too small"
    }
}

#[cfg(feature = "lz4")]
mod lz4 {
    //! Blocks, after their decompressed length in four bytes: a frame would add a window and checksums that a seal does better.

    use lz4_flex::block;

    use super::Unreadable;

    /// A byte of a block makes at most this many: the format's own limit.
    const RATIO: usize = 255;

    pub(super) fn compress(body: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(body.len()).ok()?;
        let mut out = vec![0; 4 + block::get_maximum_output_size(body.len())];
        out[..4].copy_from_slice(&length.to_be_bytes());
        let written = block::compress_into(body, &mut out[4..]).ok()?;
        out.truncate(4 + written);
        Some(out)
    }

    pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
        let (length, block) = body.split_first_chunk::<4>().ok_or(Unreadable::Truncated)?;
        let length = u32::from_be_bytes(*length) as usize;
        if length > limit {
            return Err(Unreadable::TooLarge);
        }
        if length > block.len().saturating_mul(RATIO) {
            return Err(Unreadable::Broken);
        }
        let mut out = vec![0; length];
        match block::decompress_into(block, &mut out) {
            Ok(written) if written == length => Ok(out),
            _ => Err(Unreadable::Broken),
        }
    }
}

#[cfg(feature = "gzip")]
mod gzip {
    use std::io::{ErrorKind, Read, Write};

    use flate2::bufread::GzDecoder;
    use flate2::write::GzEncoder;

    use super::Unreadable;

    pub(super) fn compress(body: &[u8], level: i32) -> Option<Vec<u8>> {
        let level = flate2::Compression::new(u32::try_from(level).ok()?);
        let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 2), level);
        out.write_all(body).ok()?;
        out.finish().ok()
    }

    pub(super) fn decompress(body: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
        let mut source = GzDecoder::new(body);
        let mut out = Vec::new();
        let bounded = source.by_ref().take(limit as u64 + 1);
        match { bounded }.read_to_end(&mut out) {
            Ok(_) if out.len() > limit => Err(Unreadable::TooLarge),
            Ok(_) if source.into_inner().is_empty() => Ok(out),
            Ok(_) => Err(Unreadable::Broken),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(Unreadable::Truncated),
            Err(_) => Err(Unreadable::Broken),
        }
    }
}
