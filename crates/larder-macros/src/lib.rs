//! The attributes of Larder. Use the `larder` crate, which has them under its own name.
//!
//! An attribute is read (`args`, `model`), answered for (`validate`, `key`) and expanded (`expand`). Knobs
//! that do not shape the expansion are handed on to the library as calls with the user's spans.
//!
//! The attributes are documented where `larder` re-exports them, because the docs of both places are joined.

mod args;
mod attribute;
mod batch;
mod diagnose;
mod edges;
mod expand;
mod generics;
mod guards;
mod key;
mod knobs;
mod model;
mod schedule;
mod stream;
mod tokens;
mod transactional;
mod validate;

use proc_macro::TokenStream;

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cached(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::cached(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn background(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::background(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cache_put(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::cache_put(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cached_batch(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::cached_batch(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn cached_stream(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::cached_stream(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn invalidates(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::invalidates(attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn locked(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::guard("locked", attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn rate_limit(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::guard("rate_limit", attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn circuit_breaker(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::guard("circuit_breaker", attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn slow_call(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::guard("slow_call", attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn bloom(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::guard("bloom", attribute.into(), item.into()).into()
}

#[allow(missing_docs)]
#[proc_macro_attribute]
pub fn transactional(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::transactional(attribute.into(), item.into()).into()
}
