//! How values of one type become bytes, without the type.

use std::any::type_name;
use std::fmt;

use crate::entry::{Kind, Value};
use crate::error::BoxError;

use super::{Coded, Format};

/// How values of one type become bytes and come back; or that they stay in this process.
#[derive(Clone, Copy)]
pub struct Wire {
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) coder: Option<Coder>,
}

#[derive(Clone, Copy)]
pub(crate) struct Coder {
    /// Differs for types of different shape; 0: not checked.
    pub(crate) fingerprint: fn() -> u64,
    pub(crate) encode: fn(Format, Kind, &Value) -> Coded<Vec<u8>>,
    pub(crate) decode: fn(Format, &[u8]) -> Coded<(Kind, Value)>,
}

impl Wire {
    /// Values of this type stay in this process.
    #[must_use]
    pub const fn local<T>() -> Self {
        Self {
            type_name: type_name::<T>,
            coder: None,
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("type", &(self.type_name)())
            .field("is_local", &self.coder.is_none())
            .finish()
    }
}

/// A type whose values can be written by direct operations.
pub trait Portable {
    /// How.
    fn wire() -> Wire;
}

fn _unused(_: BoxError) {}
