//! Value <-> bytes: format, then compress, then seal.

use crate::entry::{Kind, Value};
use crate::error::{BoxError, Result};
use crate::store::{Head, Tag};

mod wire;

pub use wire::{Portable, Wire};

/// How the values of a cache become bytes. Built once, from configuration; the algorithms are fixed here and never read from data.
#[derive(Clone, Debug, Default)]
pub struct Codec {}

/// How a value of a serde type is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// MessagePack with the names of fields, so that fields may come and go with serde's defaults.
    #[default]
    MessagePack,
}

/// What stands in an entry's head besides what the codec itself puts there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stamps {
    /// Milliseconds since 1970-01-01 UTC, as in [`Head`].
    pub(crate) written: u64,
    pub(crate) refresh_at: u64,
    pub(crate) stale_until: u64,
    pub(crate) keep_until: u64,
    pub(crate) hits: u32,
    pub(crate) refresh_hits: u32,
    /// Microseconds.
    pub(crate) cost: u64,
    pub(crate) tags: Vec<Tag>,
}

/// An entry that was read.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// `None` for an entry without an envelope (`envelope = "none"`, or a counter): it has no times of its own.
    pub(crate) head: Option<Head>,
    pub(crate) value: (Kind, Value),
}

/// Why bytes cannot be read as an entry: a miss and an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// Not written by this library, or not under this configuration.
    Foreign,
}

impl Codec {
    /// An entry as bytes: the head and its length, and the body.
    pub(crate) fn encode(
        &self,
        key: &str,
        wire: &Wire,
        value: (Kind, &Value),
        stamps: Stamps,
    ) -> Result<Vec<u8>> {
        let _ = (key, wire, value, stamps);
        unimplemented!()
    }

    /// An entry of these bytes.
    pub(crate) fn decode(
        &self,
        key: &str,
        wire: &Wire,
        bytes: &[u8],
    ) -> Result<Decoded, Unreadable> {
        let _ = (key, wire, bytes);
        unimplemented!()
    }
}

/// What an encoder or a decoder of one type gives.
pub(crate) type Coded<T> = std::result::Result<T, BoxError>;
