//! Values of any type in two words.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A value without its type: small plain numbers in place, all others behind a shared pointer.
///
/// Two words, thanks to the pointer's niche. Cloning one never runs user code, so it may happen under the tier's own lock.
#[derive(Clone)]
pub(crate) enum Value {
    Scalar(u64),
    Shared(Arc<dyn Any + Send + Sync>),
}

/// Of which type a [`Value::Scalar`] is; kept beside it, in bits that cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(u8);

impl Kind {
    pub(crate) const SHARED: Self = Self(0);

    #[inline]
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn bits(self) -> u8 {
        self.0
    }
}

macro_rules! scalars {
    ($($kind:literal $scalar:ty: $to:expr, $from:expr;)*) => {
        impl Value {
            /// Keeps `value`; a number in place.
            #[inline]
            pub(crate) fn new<V: Any + Send + Sync>(value: V) -> (Kind, Self) {
                // The comparisons of types are decided when this is compiled for one `V`.
                $(if let Some(scalar) = (&value as &dyn Any).downcast_ref::<$scalar>() {
                    let to: fn($scalar) -> u64 = $to;
                    return (Kind($kind), Self::Scalar(to(*scalar)));
                })*
                (Kind::SHARED, Self::Shared(Arc::new(value)))
            }

            #[inline]
            fn read_scalar<V: Any>(kind: Kind, bits: u64) -> Option<V> {
                let mut out: Option<V> = None;
                $(if let Some(out) = (&mut out as &mut dyn Any).downcast_mut::<Option<$scalar>>() {
                    if kind == Kind($kind) {
                        let from: fn(u64) -> $scalar = $from;
                        *out = Some(from(bits));
                    }
                })*
                out
            }
        }
    };
}

scalars! {
    1 u64: |v| v, |b| b;
    2 i64: |v| v as u64, |b| b as i64;
    3 u32: u64::from, |b| b as u32;
    4 i32: |v| v as u32 as u64, |b| b as u32 as i32;
    5 usize: |v| v as u64, |b| b as usize;
    6 isize: |v| v as u64, |b| b as isize;
    7 f64: f64::to_bits, f64::from_bits;
    8 f32: |v| u64::from(v.to_bits()), |b| f32::from_bits(b as u32);
    9 bool: u64::from, |b| b != 0;
    10 u8: u64::from, |b| b as u8;
    11 u16: u64::from, |b| b as u16;
    12 i16: |v| v as u16 as u64, |b| b as u16 as i16;
    13 (): |()| 0, |_| ();
}

impl Value {
    /// The value as a `V`, if it is one. Clones a `V`, so never call it under a lock.
    #[inline]
    pub(crate) fn read<V: Any + Clone>(&self, kind: Kind) -> Option<V> {
        match self {
            Self::Scalar(bits) => Self::read_scalar(kind, *bits),
            Self::Shared(value) => value.downcast_ref::<V>().cloned(),
        }
    }

    pub(crate) fn is<V: Any>(&self, kind: Kind) -> bool {
        match self {
            Self::Scalar(bits) => Self::read_scalar::<V>(kind, *bits).is_some(),
            Self::Shared(value) => value.is::<V>(),
        }
    }

    /// The shared value by reference, if it is a `V`.
    pub(crate) fn as_shared<V: Any>(&self) -> Option<&V> {
        match self {
            Self::Scalar(_) => None,
            Self::Shared(value) => value.downcast_ref(),
        }
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Scalar(a), Self::Scalar(b)) => a == b,
            (Self::Shared(a), Self::Shared(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

/// A kept error of a source (negative caching). A type of its own, so that it is never taken for a value.
pub(crate) struct Failure<E> {
    pub(crate) error: E,
    pub(crate) clone: fn(&E) -> E,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_value_is_two_words() {
        assert_eq!(size_of::<Value>(), 16);
        assert_eq!(size_of::<super::super::Slot>(), 40);
    }

    #[test]
    fn scalars_come_back_as_they_went_in_and_only_as_their_own_type() {
        fn back<V: Any + Clone + Send + Sync + PartialEq + fmt::Debug>(v: V) {
            let (kind, value) = Value::new(v.clone());
            assert_eq!(value.read::<V>(kind), Some(v));
            assert_eq!(value.read::<String>(kind), None);
        }
        back(u64::MAX);
        back(i64::MIN);
        back(u32::MAX);
        back(i32::MIN);
        back(usize::MAX);
        back(isize::MIN);
        back(-0.5_f64);
        back(f32::MAX);
        back(true);
        back(7_u8);
        back(u16::MAX);
        back(i16::MIN);
        back(());
        let (kind, value) = Value::new(7_u64);
        assert_eq!(value.read::<i64>(kind), None);
        assert_eq!(value.read::<u32>(kind), None);
        let (kind, value) = Value::new(String::from("text"));
        assert_eq!(value.read::<u64>(kind), None);
        assert_eq!(value.read::<String>(kind).as_deref(), Some("text"));
    }
}
