//! `#[invalidates(..)]`: what is forgotten once the function has succeeded.

mod expand;
mod parse;

use proc_macro2::TokenStream;
use syn::ItemFn;

use crate::args::Args;
use crate::diagnose::Errors;
use crate::model::Function;

pub(crate) use expand::RETURNED;
pub(crate) use parse::{Edge, Edges, Said};

pub(crate) fn expand(attribute: TokenStream, item: ItemFn) -> syn::Result<TokenStream> {
    let edges = Edges::parse(attribute)?;
    let mut function = Function::new(
        item,
        &Args {
            library: edges.library.clone(),
            ..Args::default()
        },
    );
    if let Some((_, shape)) = &edges.shape {
        function.shape = *shape;
        function.shape_is_read = false;
    }
    let mut errors = Errors::default();
    crate::validate::edges(&edges, &function, &mut errors);
    errors.finish()?;
    Ok(expand::function(&edges, &function))
}
