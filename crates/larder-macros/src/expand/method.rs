//! placeholder
use proc_macro2::TokenStream;
use super::Unit;
pub(super) fn handle(_: &Unit<'_>) -> TokenStream { TokenStream::new() }
