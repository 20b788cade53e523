//! How a macro, which sees no traits, learns whether values of a type can be written.

use std::marker::PhantomData;

use super::wire::{Portable, Wire};

/// Finds out whether values of a type can be written: the inherent method wins over the trait's.
#[derive(Debug)]
pub struct WireOf<V>(PhantomData<V>);

impl<V> WireOf<V> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<V: Portable> WireOf<V> {
    #[doc(hidden)]
    #[must_use]
    pub fn wire(&self) -> Wire {
        V::wire()
    }
}

/// The answer for types that nobody knows how to write.
pub trait NotPortable<V> {
    #[doc(hidden)]
    fn wire(&self) -> Wire {
        Wire::local::<V>()
    }
}

impl<V> NotPortable<V> for &WireOf<V> {}

/// How values of this type are written, or that they stay in this process.
#[doc(hidden)]
#[macro_export]
macro_rules! __larder_wire {
    ($value:ty) => {{
        #[allow(unused_imports)]
        use $crate::__private::NotPortable as _;
        // By one reference, at which the inherent method is found first; one more, and the trait's would be.
        let wire = &$crate::__private::WireOf::<$value>::new();
        wire.wire()
    }};
}
