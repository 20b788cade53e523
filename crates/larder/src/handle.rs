//! Handles of cached methods: typed by the method's arguments.
//!
//! A free function's handle is a type of its name, written by the macro. A method has no place for such a
//! type, so its handle is one of these, with the arguments as a tuple.

use std::fmt;
use std::future::Future;

use crate::cache::Cache;
use crate::codec::Wire;
use crate::engine::{Cacheable, Mode, Shape, Site};
use crate::error::Result;
use crate::explain::{Explain, explain};
use crate::inspect::{Cached, inspect, inspect_sync};
use crate::key::{Key, KeyBuf};
use crate::loaded::{unoffered, unoffered_sync};
use crate::ops::{OneByOne, Step, Together, Warm};
use crate::runtime::{BoxFuture, block_on};
use crate::stats::FunctionStats;

type KeyAsync<'h, A> = Box<dyn Fn(&A) -> KeyBuf + Send + Sync + 'h>;
type KeySync<'h, A> = Box<dyn Fn(&A) -> KeyBuf + 'h>;
type PutAsync<'h, A, V> =
    Box<dyn Fn(&A, KeyBuf, V) -> BoxFuture<'h, Result<()>> + Send + Sync + 'h>;
type PutSync<'h, A, V> = Box<dyn Fn(&A, KeyBuf, V) -> Result<()> + 'h>;
type FillAsync<'h, A, R> = Box<dyn Fn(KeyBuf, Mode, A) -> BoxFuture<'h, R> + Send + Sync + 'h>;
type CallAsync<'h, A, R> = Box<dyn Fn(A) -> BoxFuture<'h, R> + Send + Sync + 'h>;
type FillSync<'h, A, R> = Box<dyn Fn(KeyBuf, Mode, A) -> R + 'h>;
type CallSync<'h, A, R> = Box<dyn Fn(A) -> R + 'h>;

/// The ways in which a handle runs its method.
struct Source<F, C> {
    fill: F,
    uncached: C,
    /// As its callers do; without it, by what fills.
    call: Option<C>,
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, [$key:ident, $put:ident, $fill:ident, $call:ident], $filled:ty, $stored:ty, ($($bound:tt)*)) => {
        $(#[$doc])*
        pub struct $name<'h, A, R, S: Shape<R>> {
            cache: Cache,
            site: &'static Site,
            wire: Wire,
            key: $key<'h, A>,
            put: $put<'h, A, S::Value>,
            source: Option<Source<$fill<'h, A, R>, $call<'h, A, R>>>,
        }

        impl<'h, A, R, S> $name<'h, A, R, S>
        where
            S: Shape<R>,
            S::Value: Cacheable,
        {
            #[doc(hidden)]
            #[allow(clippy::too_many_arguments)]
            pub fn new(
                cache: &Cache,
                site: &'static Site,
                wire: Wire,
                key: impl Fn(&A) -> KeyBuf $($bound)* + 'h,
                put: impl Fn(&A, KeyBuf, S::Value) -> $stored $($bound)* + 'h,
                fill: impl Fn(KeyBuf, Mode, A) -> $filled $($bound)* + 'h,
                uncached: impl Fn(A) -> $filled $($bound)* + 'h,
                call: impl Fn(A) -> $filled $($bound)* + 'h,
            ) -> Self {
                Self {
                    source: Some(Source {
                        fill: Box::new(fill),
                        uncached: Box::new(uncached),
                        call: Some(Box::new(call)),
                    }),
                    ..Self::keyed(cache, site, wire, key, put)
                }
            }

            /// Of a method whose callers get something else than what is kept under one key.
            #[doc(hidden)]
            pub fn filled(
                cache: &Cache,
                site: &'static Site,
                wire: Wire,
                key: impl Fn(&A) -> KeyBuf $($bound)* + 'h,
                put: impl Fn(&A, KeyBuf, S::Value) -> $stored $($bound)* + 'h,
                fill: impl Fn(KeyBuf, Mode, A) -> $filled $($bound)* + 'h,
                uncached: impl Fn(A) -> $filled $($bound)* + 'h,
            ) -> Self {
                Self {
                    source: Some(Source {
                        fill: Box::new(fill),
                        uncached: Box::new(uncached),
                        call: None,
                    }),
                    ..Self::keyed(cache, site, wire, key, put)
                }
            }

            fn call(&self, args: A) -> $filled {
                let source = self.source();
                match &source.call {
                    Some(call) => call(args),
                    None => (source.fill)((self.key)(&args), Mode::Foreground, args),
                }
            }

            #[doc(hidden)]
            pub fn keyed(
                cache: &Cache,
                site: &'static Site,
                wire: Wire,
                key: impl Fn(&A) -> KeyBuf $($bound)* + 'h,
                put: impl Fn(&A, KeyBuf, S::Value) -> $stored $($bound)* + 'h,
            ) -> Self {
                Self {
                    cache: cache.clone(),
                    site,
                    wire,
                    key: Box::new(key),
                    put: Box::new(put),
                    source: None,
                }
            }

            /// Counts of all calls of the method, over all its caches.
            #[must_use]
            pub fn stats(&self) -> FunctionStats {
                self.site.stats()
            }

            async fn peek_key(&self, key: KeyBuf) -> Result<Option<S::Value>> {
                self.cache.inner.open("peek")?;
                crate::ops::peek::<S, R>(&self.cache, &key, &self.wire).await
            }

            async fn invalidate_key(&self, key: KeyBuf) -> Result<bool> {
                self.cache.inner.open("invalidate")?;
                self.cache.inner.forget_key(&key).await
            }

            async fn invalidate_keys(&self, keys: Vec<KeyBuf>) -> Result<usize> {
                self.cache.inner.open("invalidate_many")?;
                let keys = keys.iter().map(KeyBuf::to_key);
                self.cache.inner.forget_full(keys.collect()).await
            }

            async fn explain_key(&self, key: KeyBuf) -> Result<Explain> {
                self.cache.inner.open("explain")?;
                explain(&self.cache, &key).await
            }

            fn source(&self) -> &Source<$fill<'h, A, R>, $call<'h, A, R>> {
                self.source.as_ref().expect(
                    "larder: the method takes `self` by value or by `&mut`, so its handle cannot call it: call the method itself",
                )
            }
        }

        impl<A, R, S: Shape<R>> fmt::Debug for $name<'_, A, R, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("function", &self.site.path)
                    .field("cache", &self.cache)
                    .finish_non_exhaustive()
            }
        }
    };
}

handle!(
    /// The handle of a cached async method: `svc.user_cache().invalidate(7).await?`.
    AsyncHandle, [KeyAsync, PutAsync, FillAsync, CallAsync], BoxFuture<'h, R>, BoxFuture<'h, Result<()>>, (+ Send + Sync)
);

handle!(
    /// The handle of a cached sync method: `svc.user_cache().invalidate(7)?`.
    SyncHandle, [KeySync, PutSync, FillSync, CallSync], R, Result<()>, ()
);

macro_rules! awaited {
    ($future:expr) => {
        $future.await
    };
}

macro_rules! blocked {
    ($future:expr) => {
        block_on($future)
    };
}

macro_rules! inspected {
    ($path:expr, $call:expr) => {
        inspect($path, $call).await
    };
}

macro_rules! inspected_sync {
    ($path:expr, $call:expr) => {
        inspect_sync($path, || $call)
    };
}

macro_rules! past {
    ($call:expr) => {
        unoffered($call).await
    };
}

macro_rules! past_sync {
    ($call:expr) => {
        unoffered_sync(|| $call)
    };
}

macro_rules! methods {
    ($name:ident, ($($async:tt)?), ($($await:tt)*), $drive:ident, $inspect:ident, $past:ident, [$($arg:ident: $type:ident),*]) => {
        #[allow(clippy::too_many_arguments, clippy::unused_unit)]
        impl<'h, $($type,)* R, S> $name<'h, ($($type,)*), R, S>
        where
            S: Shape<R>,
            S::Value: Cacheable,
        {
            /// The key of a call with these arguments.
            #[must_use]
            pub fn key(&self, $($arg: $type),*) -> Key {
                (self.key)(&($($arg,)*)).to_key()
            }

            /// What is stored and servable, without a load and without counting as a use.
            ///
            /// # Errors
            /// [`ErrorKind::Closed`](crate::ErrorKind); what a store says.
            pub $($async)? fn peek(&self, $($arg: $type),*) -> Result<Option<S::Value>> {
                $drive!(self.peek_key((self.key)(&($($arg,)*))))
            }

            /// Stores a value as if the method had given it.
            ///
            /// # Errors
            /// [`ErrorKind::InvalidPolicy`](crate::ErrorKind) when the ttl of the attribute is computed and wrong; [`ErrorKind::Closed`](crate::ErrorKind); what a store says.
            pub $($async)? fn put(&self, $($arg: $type,)* value: S::Value) -> Result<()> {
                let args = ($($arg,)*);
                let key = (self.key)(&args);
                (self.put)(&args, key, value) $($await)*
            }

            /// Runs the method and stores what it gives, whatever is stored.
            ///
            /// # Panics
            /// When the method takes `self` by value or by `&mut`: a handle cannot call it. Call the method itself.
            pub $($async)? fn refresh(&self, $($arg: $type),*) -> R {
                let args = ($($arg,)*);
                let key = (self.key)(&args);
                (self.source().fill)(key, Mode::Refresh, args) $($await)*
            }

            /// Runs the method past the cache.
            ///
            /// # Panics
            /// When the method takes `self` by value or by `&mut`: a handle cannot call it. Call the method itself.
            pub $($async)? fn uncached(&self, $($arg: $type),*) -> R {
                $past!((self.source().uncached)(($($arg,)*)))
            }

            /// Calls the method, and tells how its value came.
            ///
            /// # Panics
            /// When the method takes `self` by value or by `&mut`: a handle cannot call it. Call the method itself.
            pub $($async)? fn inspect(&self, $($arg: $type),*) -> Cached<R> {
                $inspect!(self.site.path, self.call(($($arg,)*)))
            }

            /// Forgets the entry; whether a live one was there.
            ///
            /// # Errors
            /// [`ErrorKind::Closed`](crate::ErrorKind); what a store says.
            pub $($async)? fn invalidate(&self, $($arg: $type),*) -> Result<bool> {
                $drive!(self.invalidate_key((self.key)(&($($arg,)*))))
            }

            /// Forgets the entries of several calls at once, each given by its arguments as a tuple; how many live ones were there.
            ///
            /// # Errors
            /// [`ErrorKind::Closed`](crate::ErrorKind); what a store says.
            pub $($async)? fn invalidate_many(
                &self,
                calls: impl IntoIterator<Item = ($($type,)*)>,
            ) -> Result<usize> {
                let keys = calls.into_iter().map(|args| (self.key)(&args)).collect();
                $drive!(self.invalidate_keys(keys))
            }

            /// What is stored, and what the next call would do.
            ///
            /// # Errors
            /// [`ErrorKind::Closed`](crate::ErrorKind); what a store says.
            pub $($async)? fn explain(&self, $($arg: $type),*) -> Result<Explain> {
                $drive!(self.explain_key((self.key)(&($($arg,)*))))
            }
        }
    };
}

macro_rules! warm {
    ($name:ident, []) => {};
    ($name:ident, [$arg:ident: $type:ident]) => {
        warm!($name: $type, $arg, [$arg: $type]);
    };
    ($name:ident, [$($arg:ident: $type:ident),*]) => {
        warm!($name: ($($type),*), ($($arg),*), [$($arg: $type),*]);
    };
    (AsyncHandle: $item:ty, $pattern:pat, [$($arg:ident: $type:ident),*]) => {
        warm!(AsyncHandle, Together, (.await), None, $item, $pattern, [$($arg: $type),*]);
    };
    (SyncHandle: $item:ty, $pattern:pat, [$($arg:ident: $type:ident),*]) => {
        warm!(SyncHandle, OneByOne, (), Some(1), $item, $pattern, [$($arg: $type),*]);
    };
    ($name:ident, $kind:ident, ($($await:tt)*), $concurrency:expr, $item:ty, $pattern:pat, [$($arg:ident: $type:ident),*]) => {
        impl<'h, $($type,)* R, S> $name<'h, ($($type,)*), R, S>
        where
            S: Shape<R>,
            S::Value: Cacheable,
        {
            /// Loads many keys ahead of their readers: what is fresh is skipped, errors are counted. An item is the argument, or a tuple of them.
            ///
            /// # Panics
            /// When the method takes `self` by value or by `&mut`: a handle cannot call it. Call the method itself.
            pub fn warm(
                &self,
                items: impl IntoIterator<Item = $item>,
            ) -> Warm<impl Iterator<Item = impl Future<Output = Step>>, $kind> {
                let load = &self.source().fill;
                let jobs = items.into_iter().map(move |$pattern| async move {
                    let args = ($($arg,)*);
                    let key = (self.key)(&args);
                    let mode = match Step::before(&self.cache, &key) {
                        Ok(mode) => mode,
                        Err(step) => return step,
                    };
                    let load = async { load(key.clone(), mode, args) $($await)* };
                    Step::by(&self.cache, self.site, &key, load).await
                });
                Warm::new(self.site, jobs, $concurrency)
            }
        }
    };
}

macro_rules! arities {
    ($([$($arg:ident: $type:ident),*])*) => {$(
        warm!(AsyncHandle, [$($arg: $type),*]);
        warm!(SyncHandle, [$($arg: $type),*]);
        methods!(AsyncHandle, (async), (.await), awaited, inspected, past, [$($arg: $type),*]);
        methods!(SyncHandle, (), (), blocked, inspected_sync, past_sync, [$($arg: $type),*]);
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
