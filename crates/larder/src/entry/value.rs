//! Values of any type in two words.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What can be kept: owned, shareable between threads, and cloned for each who reads it.
///
/// Implemented for all such types. `Arc<T>` is shared, not copied.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in a cache",
    note = "a cached value must be `Clone + Send + Sync + 'static`; wrap what is dear to clone in an `Arc`"
)]
pub trait Cacheable: Any + Clone + Send + Sync {}

impl<T: Any + Clone + Send + Sync> Cacheable for T {}

/// A value without its type: small plain numbers in place, all others behind a shared pointer.
///
/// Two words, thanks to the pointer's niche. Cloning one never runs user code, so it may happen under the tier's own lock.
#[derive(Clone)]
pub enum Value {
    #[doc(hidden)]
    Scalar(u64),
    #[doc(hidden)]
    Shared(Arc<dyn Any + Send + Sync>),
}

/// Of which type a [`Value::Scalar`] is; kept beside it, in bits that cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(u8);

impl Kind {
    pub(crate) const SHARED: Self = Self(0);
    /// What is shared is a [`Failure`].
    const FAILURE: Self = Self(14);
    /// What is shared is the value that an `Arc` points to, and the value that was kept is the `Arc`.
    pub(crate) const ARC: Self = Self(15);

    #[inline]
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn is_failure(self) -> bool {
        self == Self::FAILURE
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
            Self::Shared(value) if kind == Kind::ARC => arcs::read(value),
            Self::Shared(value) => value.downcast_ref::<V>().cloned(),
        }
    }

    /// Keeps an error of a source.
    pub(crate) fn failure<E: Any + Send + Sync>(failure: Failure<E>) -> (Kind, Self) {
        (Kind::FAILURE, Self::Shared(Arc::new(failure)))
    }

    /// Keeps an `Arc` as what it points to: one count for the map and its readers instead of two.
    pub(crate) fn from_arc<T: Any + Send + Sync>(arc: Arc<T>) -> (Kind, Self) {
        arcs::know::<T>();
        (Kind::ARC, Self::Shared(arc))
    }

    /// The `Arc` that was kept with [`from_arc`](Self::from_arc), or by itself.
    #[inline]
    pub(crate) fn into_arc<T: Any + Send + Sync>(self, kind: Kind) -> Option<Arc<T>> {
        match self {
            Self::Shared(value) if kind == Kind::ARC => value.downcast().ok(),
            other => other.read(kind),
        }
    }

    pub(crate) fn is<V: Any>(&self, kind: Kind) -> bool {
        match self {
            Self::Scalar(bits) => Self::read_scalar::<V>(kind, *bits).is_some(),
            Self::Shared(value) if kind == Kind::ARC => arcs::read::<V>(value).is_some(),
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

    #[cfg(feature = "memory")]
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

mod arcs {
    //! How code that knows only "some `V`" reads an `Arc` that was kept as what it points to.

    use std::any::{Any, TypeId};
    use std::collections::HashMap;
    use std::sync::Arc;

    use parking_lot::RwLock;

    type Shared = Arc<dyn Any + Send + Sync>;
    /// Boxes the `Arc<T>`, if that is what is shared.
    type Reader = fn(&Shared) -> Option<Box<dyn Any>>;

    /// By the type of the `Arc`.
    static READERS: RwLock<Option<HashMap<TypeId, Reader>>> = RwLock::new(None);

    pub(super) fn know<T: Any + Send + Sync>() {
        let arc = TypeId::of::<Arc<T>>();
        let known = READERS
            .read()
            .as_ref()
            .is_some_and(|r| r.contains_key(&arc));
        if !known {
            let read: Reader = |shared| {
                let arc: Arc<T> = Arc::clone(shared).downcast().ok()?;
                Some(Box::new(arc))
            };
            READERS.write().get_or_insert_default().insert(arc, read);
        }
    }

    #[cold]
    pub(super) fn read<V: Any>(shared: &Shared) -> Option<V> {
        let reader = *READERS.read().as_ref()?.get(&TypeId::of::<V>())?;
        let arc = reader(shared)?.downcast::<V>().ok()?;
        Some(*arc)
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
    fn an_arc_is_read_by_who_knows_it_and_by_who_does_not() {
        let arc = Arc::new(String::from("text"));
        let (kind, value) = Value::from_arc(Arc::clone(&arc));
        let back: Arc<String> = value.read(kind).expect("by its type alone");
        assert!(Arc::ptr_eq(&arc, &back));
        assert!(value.is::<Arc<String>>(kind) && !value.is::<String>(kind));
        assert_eq!(
            value.read::<String>(kind),
            None,
            "what was kept is the `Arc`"
        );
        assert_eq!(value.read::<Arc<u64>>(kind), None);
        let back: Arc<String> = value.into_arc(kind).expect("as what it is");
        assert!(Arc::ptr_eq(&arc, &back));
        let (kind, value) = Value::new(Arc::clone(&arc));
        assert!(Arc::ptr_eq(
            &arc,
            &value.into_arc::<String>(kind).expect("kept by itself")
        ));
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
