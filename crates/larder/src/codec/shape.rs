//! Whether two releases mean the same by a type.

#[cfg(feature = "serde")]
mod asked;
#[cfg(feature = "serde")]
mod dummy;
#[cfg(feature = "serde")]
mod look;

#[cfg(feature = "serde")]
pub(super) use asked::of;

use super::format::Format;

/// What distinguishes a type from others and from its former self.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// For formats with names: fields that may be missing do not count, nor does their order.
    named: u64,
    /// For formats without: all counts.
    ordered: u64,
    /// It has an `Option` straight inside an `Option`.
    pub(super) is_lossy: bool,
}

impl Shape {
    pub(super) fn of(self, format: Format) -> u64 {
        match format.is_named() {
            true => self.named,
            false => self.ordered,
        }
    }

    /// Of a codec of a type's own: what its author calls it.
    pub(super) fn custom(name: &str) -> Self {
        let mark = mark(&["custom", name].join("\0"));
        Self {
            named: mark,
            ordered: mark,
            is_lossy: false,
        }
    }
}

/// Never 0, which stands for none.
fn mark(text: &str) -> u64 {
    let hash = hmac_sha256::Hash::hash(text.as_bytes());
    let (first, _) = hash.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*first).max(1)
}
