//! The filter of a method: typed by those of its arguments that the key uses.

use std::fmt;

use crate::cache::Cache;
use crate::error::Result;
use crate::guard::Bloom;
use crate::key::KeyBuf;

type KeyAsync<'h, A> = Box<dyn Fn(&A) -> KeyBuf + Send + Sync + 'h>;
type KeySync<'h, A> = Box<dyn Fn(&A) -> KeyBuf + 'h>;

macro_rules! awaited {
    ($call:expr) => {
        $call.await
    };
}

macro_rules! blocked {
    ($call:expr) => {
        $call.wait()
    };
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $key:ident, ($($async:tt)?), $drive:ident, ($($bound:tt)*)) => {
        $(#[$doc])*
        pub struct $name<'h, A> {
            cache: Cache,
            bloom: &'static Bloom,
            name: KeyBuf,
            key: $key<'h, A>,
        }

        impl<'h, A> $name<'h, A> {
            #[doc(hidden)]
            pub fn new(
                cache: &Cache,
                bloom: &'static Bloom,
                name: KeyBuf,
                key: impl Fn(&A) -> KeyBuf $($bound)* + 'h,
            ) -> Self {
                Self {
                    cache: cache.clone(),
                    bloom,
                    name,
                    key: Box::new(key),
                }
            }

            /// Adds many keys, a thousand in each round trip: each is a tuple of arguments.
            ///
            /// # Errors
            /// As [`Bloom::add_many`].
            pub $($async)? fn add_many(&self, keys: impl IntoIterator<Item = A>) -> Result<()> {
                let keys = keys.into_iter().map(|arguments| (self.key)(&arguments)).collect();
                $drive!(self.bloom.add_many_to(&self.cache, self.name.clone(), keys))
            }

            /// Says that all keys there are have been added: from now on others are ruled out.
            ///
            /// # Errors
            /// As [`Bloom::ready`].
            pub $($async)? fn ready(&self) -> Result<()> {
                $drive!(self.bloom.ready_in(&self.cache, self.name.clone()))
            }

            /// Forgets all keys; the filter is not ready then. Whether there was anything to forget.
            ///
            /// # Errors
            /// As [`Bloom::reset`].
            pub $($async)? fn reset(&self) -> Result<bool> {
                $drive!(self.bloom.reset_in(&self.cache, self.name.clone()))
            }
        }

        impl<A> fmt::Debug for $name<'_, A> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("bloom", &self.bloom)
                    .field("cache", &self.cache)
                    .finish_non_exhaustive()
            }
        }
    };
}

handle!(
    /// The filter of an async method under [`bloom`](crate::bloom): `svc.user_exists_bloom().add(7).await?`.
    AsyncBloom, KeyAsync, (async), awaited, (+ Send + Sync)
);

handle!(
    /// The filter of a sync method under [`bloom`](crate::bloom): `svc.user_exists_bloom().add(7)?`.
    SyncBloom, KeySync, (), blocked, ()
);

macro_rules! methods {
    ($name:ident, ($($async:tt)?), $drive:ident, [$($arg:ident: $type:ident),*]) => {
        #[allow(clippy::too_many_arguments)]
        impl<$($type),*> $name<'_, ($($type,)*)> {
            /// Adds the key of these arguments; whether the filter has changed by it.
            ///
            /// # Errors
            /// As [`Bloom::add`].
            pub $($async)? fn add(&self, $($arg: $type),*) -> Result<bool> {
                let key = (self.key)(&($($arg,)*));
                $drive!(self.bloom.add_to(&self.cache, self.name.clone(), key))
            }

            /// Whether the key of these arguments may have been added: `false` is certain.
            ///
            /// # Errors
            /// As [`Bloom::may_contain`].
            pub $($async)? fn may_contain(&self, $($arg: $type),*) -> Result<bool> {
                let key = (self.key)(&($($arg,)*));
                $drive!(self.bloom.may_contain_in(&self.cache, self.name.clone(), key))
            }
        }
    };
}

macro_rules! arities {
    ($([$($arg:ident: $type:ident),*])*) => {$(
        methods!(AsyncBloom, (async), awaited, [$($arg: $type),*]);
        methods!(SyncBloom, (), blocked, [$($arg: $type),*]);
    )*};
}

arities! {
    []
    [a: A]
    [a: A, b: B]
    [a: A, b: B, c: C]
    [a: A, b: B, c: C, d: D]
    [a: A, b: B, c: C, d: D, e: E]
    [a: A, b: B, c: C, d: D, e: E, f: F]
    [a: A, b: B, c: C, d: D, e: E, f: F, g: G]
    [a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H]
}
