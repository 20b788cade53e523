//! How values of one type become bytes, without the type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;

use parking_lot::RwLock;

use crate::entry::Cacheable;
use crate::entry::{Kind, Value};
use crate::error::BoxError;

use super::counter::Number;
use super::format::Format;
use super::limited::Limited;
use super::shape::Shape;

/// How values of one type become bytes and come back; or that they stay in this process.
///
/// Cheap to copy. [`Portable::wire`] gives the one of a type.
#[derive(Clone, Copy)]
pub struct Wire {
    type_name: fn() -> &'static str,
    pub(super) coder: Option<&'static dyn Coder>,
}

/// What an encoder or a decoder of one type gives.
pub(super) type Coded<T> = Result<T, BoxError>;

/// A [`Wire`] with its type forgotten.
pub(super) trait Coder: Send + Sync + 'static {
    /// The name of a codec of the type's own; `None`: the codec's format is asked.
    fn own_shape(&self) -> Option<&'static str>;

    /// What marks the type in entries.
    fn shape(&self, is_text: bool) -> Shape;

    /// Appends a value of this type.
    fn encode(&self, format: Format, kind: Kind, value: &Value, out: &mut Limited) -> Coded<()>;

    /// A value of this type; all bytes belong to it.
    fn decode(&self, format: Format, bytes: &[u8]) -> Coded<(Kind, Value)>;

    /// A number that a store counted, as a value of this type.
    fn number(&self, number: Number) -> Coded<(Kind, Value)>;
}

impl Wire {
    /// Values of this type are written by serde, in the format of the cache's [`Codec`](crate::Codec).
    #[cfg(feature = "serde")]
    #[must_use]
    pub const fn of<V>() -> Self
    where
        V: Cacheable + serde::Serialize + serde::de::DeserializeOwned,
    {
        Self {
            type_name: type_name::<V>,
            coder: Some(&super::by_serde::BySerde::<V>::NEW),
        }
    }

    /// Values of this type stay in this process.
    #[must_use]
    pub const fn local<T>() -> Self {
        Self {
            type_name: type_name::<T>,
            coder: None,
        }
    }

    /// Values of this type are written by functions of its own, whatever the cache's format; compression and sealing apply as to all.
    ///
    /// `shape` names the layout of these bytes. Change it (`"point 2"`) when the layout changes: entries of another shape are not read.
    /// `decode` gets bytes that may be anything, unless the cache seals its entries: it must give an error for what `encode` did not make, and must not panic.
    ///
    /// Each distinct triple of arguments is kept as long as the process lives.
    ///
    /// ```
    /// use larder::{BoxError, Portable, Wire};
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Point { x: u32, y: u32 }
    ///
    /// # #[cfg(feature = "serde")]
    /// impl Portable for Point {
    ///     fn wire() -> Wire {
    ///         fn encode(point: &Point) -> Result<Vec<u8>, BoxError> {
    ///             Ok([point.x.to_be_bytes(), point.y.to_be_bytes()].concat())
    ///         }
    ///         fn decode(bytes: &[u8]) -> Result<Point, BoxError> {
    ///             let (x, y) = bytes.split_first_chunk().ok_or("too short")?;
    ///             Ok(Point { x: u32::from_be_bytes(*x), y: u32::from_be_bytes(y.try_into()?) })
    ///         }
    ///         Wire::custom("point 1", encode, decode)
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn custom<T: Cacheable>(
        shape: &'static str,
        encode: fn(&T) -> Result<Vec<u8>, BoxError>,
        decode: fn(&[u8]) -> Result<T, BoxError>,
    ) -> Self {
        Self {
            type_name: type_name::<T>,
            coder: Some(
                Custom {
                    shape,
                    encode,
                    decode,
                }
                .kept(),
            ),
        }
    }

    /// Whether values stay in this process.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        self.coder.is_none()
    }

    /// The name of the type, for messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        (self.type_name)()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("type", &self.type_name())
            .field("is_local", &self.is_local())
            .finish()
    }
}

/// A type whose values can be written by direct operations.
///
/// With the feature `serde`, which every store brings, all serde types are; write [`local!`](crate::local) for a type that stays in this process, or
/// implement it with [`Wire::custom`] for a type that has bytes of its own. Without that feature there is nowhere to write to, all types are,
/// and an implementation of your own would be a second one.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` cannot leave this process: there is no way to write them as bytes",
    label = "is not `larder::Portable`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it (without borrowed fields), and `Clone`",
    note = "or say `larder::local!({Self})`: its values stay in this process, whatever the store",
    note = "or implement `larder::Portable` with `Wire::custom`",
    note = "`#[cached(.., local)]` does the same for one function"
)]
pub trait Portable: Cacheable {
    /// How.
    fn wire() -> Wire;
}

#[cfg(feature = "serde")]
impl<T: Cacheable + serde::Serialize + serde::de::DeserializeOwned> Portable for T {
    fn wire() -> Wire {
        Wire::of::<T>()
    }
}

#[cfg(not(feature = "serde"))]
impl<T: Cacheable> Portable for T {
    fn wire() -> Wire {
        Wire::local::<T>()
    }
}

/// Says that values of these types stay in this process, whatever the store, so that direct operations take them.
///
/// ```
/// #[derive(Clone)]
/// struct Connection;
///
/// larder::local!(Connection);
///
/// # larder::__private::wait(async {
/// larder::cache().set("connection", &Connection).ttl("1m").await?;
/// # Ok::<_, larder::Error>(()) })?;
/// # Ok::<_, larder::Error>(())
/// ```
#[cfg(feature = "serde")]
#[macro_export]
macro_rules! local {
    ($($local:ty),+ $(,)?) => {$(
        impl $crate::Portable for $local {
            fn wire() -> $crate::Wire {
                $crate::Wire::local::<Self>()
            }
        }
    )+};
}

/// Says that values of these types stay in this process, whatever the store, so that direct operations take them.
///
/// Without the feature `serde` all values do, and this is nothing.
#[cfg(not(feature = "serde"))]
#[macro_export]
macro_rules! local {
    ($($local:ty),+ $(,)?) => {};
}

struct Custom<T> {
    shape: &'static str,
    encode: fn(&T) -> Result<Vec<u8>, BoxError>,
    decode: fn(&[u8]) -> Result<T, BoxError>,
}

/// The custom coders of each type, as `Vec<&'static Custom<T>>`.
static CUSTOM: RwLock<Option<HashMap<TypeId, Kept>>> = RwLock::new(None);

type Kept = Box<dyn Any + Send + Sync>;

impl<T: Cacheable> Custom<T> {
    /// This one, for ever. A [`Wire`] is `Copy` and knows no type, so what it points to is never freed; functions and names of shapes are finite in number.
    fn kept(self) -> &'static Self {
        let of_type = TypeId::of::<T>();
        if let Some(kept) = CUSTOM
            .read()
            .as_ref()
            .and_then(|all| self.find(all.get(&of_type)?))
        {
            return kept;
        }
        let mut all = CUSTOM.write();
        let list = all
            .get_or_insert_default()
            .entry(of_type)
            .or_insert_with(|| Box::new(Vec::<&'static Self>::new()));
        if let Some(kept) = self.find(list) {
            return kept;
        }
        let kept: &'static Self = Box::leak(Box::new(self));
        if let Some(list) = list.downcast_mut::<Vec<&'static Self>>() {
            list.push(kept);
        }
        kept
    }

    fn find(&self, list: &Kept) -> Option<&'static Self> {
        let list = list.downcast_ref::<Vec<&'static Self>>()?;
        // Functions that the compiler gave one address do the same.
        let same = |kept: &&&'static Self| {
            kept.shape == self.shape
                && std::ptr::fn_addr_eq(kept.encode, self.encode)
                && std::ptr::fn_addr_eq(kept.decode, self.decode)
        };
        list.iter().find(same).copied()
    }
}

impl<T: Cacheable> Coder for Custom<T> {
    fn own_shape(&self) -> Option<&'static str> {
        Some(self.shape)
    }

    fn shape(&self, _: bool) -> Shape {
        Shape::custom(self.shape)
    }

    fn encode(&self, _: Format, kind: Kind, value: &Value, out: &mut Limited) -> Coded<()> {
        with(kind, value, |value: &T| out.append(&(self.encode)(value)?))
    }

    fn decode(&self, _: Format, bytes: &[u8]) -> Coded<(Kind, Value)> {
        (self.decode)(bytes).map(Value::new)
    }

    fn number(&self, _: Number) -> Coded<(Kind, Value)> {
        Err("a counter has no bytes of this type's own".into())
    }
}

/// Gives the kept value by reference: what is shared is not cloned.
pub(super) fn with<V: Cacheable>(
    kind: Kind,
    value: &Value,
    take: impl FnOnce(&V) -> Coded<()>,
) -> Coded<()> {
    if kind == Kind::SHARED
        && let Some(value) = value.as_shared::<V>()
    {
        return take(value);
    }
    match value.read::<V>(kind) {
        Some(value) => take(&value),
        None => Err(format!("what is kept is no {}", type_name::<V>()).into()),
    }
}
