//! `#[cached_stream]`: a function that returns a stream or an iterator, recorded and replayed.
//!
//! The function is read twice: as it is (`source`), and as if it returned all items at once (`all`). Keys, tags, policy, handle
//! and reloads come from `all`, by the code of `#[cached]`.

mod args;
mod expand;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ItemFn;
use syn::spanned::Spanned;

use crate::args::{Args, Decision, Shape};
use crate::expand::{Does, Unit};
use crate::key::KeyModel;
use crate::model::{Attributes, Function, shape_of};
use crate::tokens;
use crate::validate;

use args::{StreamArgs, Yields};

/// What both readings are made from.
struct Stream<'a> {
    source: Unit<'a>,
    all: Unit<'a>,
    said: &'a StreamArgs,
    yields: &'a Yields,
    /// How an item is read.
    item: TokenStream,
}

pub(crate) fn expand(attribute: TokenStream, item: ItemFn) -> syn::Result<TokenStream> {
    let (said, mut args) = StreamArgs::parse(attribute)?;
    let source = Function::new(item, &args);
    let yields = Yields::of(&source)?;
    let shape = match &args.shape {
        Some((_, shape)) => *shape,
        None => shape_of(&yields.item),
    };
    let span = tokens::placed(yields.item.span());
    let item = source.private_at(
        span,
        match shape {
            Shape::Result => "AsResult",
            _ => "AsPlain",
        },
    );
    let all = of_all(&source, &yields, shape, &item, &args);
    validate::stream(&args, &source, &all, &yields.item)?;
    let key = KeyModel::new(&args, &all)?;
    // What comes all at once, of a reload, is held against the same bounds as what is recorded.
    let limits = said.limits(&source.library);
    args.decisions.push(Decision {
        method: Ident::new("within", Span::call_site()),
        argument: quote!(&#limits),
    });
    let unit = |function, does| Unit {
        args: &args,
        function,
        key: &key,
        attributes: Attributes::sort(&source.item.attrs),
        does,
    };
    Ok(expand::expand(&Stream {
        source: unit(&source, Does::Yield),
        all: unit(&all, Does::Collect),
        said: &said,
        yields: &yields,
        item,
    }))
}

/// The function as if it returned all items at once: `Arc<Vec<T>>`, or a `Result` of it.
fn of_all(
    source: &Function,
    yields: &Yields,
    shape: Shape,
    item: &TokenStream,
    args: &Args,
) -> Function {
    let mut function = source.item.clone();
    let yielded = &yields.item;
    let span = tokens::placed(yielded.span());
    let reader = source.private_at(span, "Shape");
    let (value, error) = match shape {
        Shape::Result => (
            quote_spanned!(span=> <#item as #reader<#yielded>>::Value),
            Some(quote_spanned!(span=> <#item as #reader<#yielded>>::Error)),
        ),
        _ => (quote!(#yielded), None),
    };
    let items = quote_spanned!(span=> ::std::sync::Arc<::std::vec::Vec<#value>>);
    function.sig.output = match &error {
        Some(error) => {
            let output = quote_spanned!(span=> ::core::result::Result<#items, #error>);
            syn::parse_quote!(-> #output)
        }
        None => syn::parse_quote!(-> #items),
    };
    if yields.is_stream() {
        function.sig.asyncness = Some(syn::token::Async { span });
    }
    let mut all = Function::new(function, args);
    all.shape = match error {
        Some(_) => Shape::Result,
        None => Shape::Plain,
    };
    all.shape_is_read = false;
    all
}
