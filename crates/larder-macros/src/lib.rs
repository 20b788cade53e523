//! The attributes of Larder. Use the `larder` crate, which documents them.
//!
//! An attribute is read (`args`, `model`), answered for (`validate`, `key`) and expanded (`expand`). Knobs
//! that do not shape the expansion are handed on to the library as calls with the user's spans.

mod args;
mod attribute;
mod diagnose;
mod edges;
mod expand;
mod generics;
mod key;
mod knobs;
mod model;
mod tokens;
mod validate;

use proc_macro::TokenStream;

/// Keeps what a function returns. Documented in the `larder` crate.
#[proc_macro_attribute]
pub fn cached(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::cached(attribute.into(), item.into()).into()
}

/// Runs a function always and keeps what it returns. Documented in the `larder` crate.
#[proc_macro_attribute]
pub fn cache_put(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::cache_put(attribute.into(), item.into()).into()
}

/// Forgets entries when a function has succeeded. Documented in the `larder` crate.
#[proc_macro_attribute]
pub fn invalidates(attribute: TokenStream, item: TokenStream) -> TokenStream {
    attribute::invalidates(attribute.into(), item.into()).into()
}
