//! From an attribute to tokens, and what is left of the function when something is wrong.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemFn, ItemImpl, ItemTrait, TraitItemFn};

use crate::args::Args;
use crate::batch;
use crate::edges;
use crate::expand::{self, Does, Unit};
use crate::guards;
use crate::key::KeyModel;
use crate::model::{Attributes, Function};
use crate::schedule;
use crate::stream;
use crate::validate;

pub(crate) fn cached(attribute: TokenStream, item: TokenStream) -> TokenStream {
    with_handle("cached", attribute, &item, |attribute, function| {
        entry(Args::parse(attribute)?, function, Does::Read)
    })
}

pub(crate) fn background(attribute: TokenStream, item: TokenStream) -> TokenStream {
    with_handle("background", attribute, &item, |attribute, function| {
        let args = schedule::parse(attribute)?;
        schedule::validate(&args, function)?;
        entry(args, function, Does::Read)
    })
}

pub(crate) fn cached_batch(attribute: TokenStream, item: TokenStream) -> TokenStream {
    with_handle("cached_batch", attribute, &item, |attribute, function| {
        batch::expand(attribute, function.clone())
    })
}

pub(crate) fn cached_stream(attribute: TokenStream, item: TokenStream) -> TokenStream {
    with_handle("cached_stream", attribute, &item, |attribute, function| {
        stream::expand(attribute, function.clone())
    })
}

/// An attribute that makes a handle: also where something is wrong there is one, or each use of it would be an error too.
fn with_handle(
    name: &str,
    attribute: TokenStream,
    item: &TokenStream,
    expand: impl FnOnce(TokenStream, &ItemFn) -> syn::Result<TokenStream>,
) -> TokenStream {
    let function = match function(name, item) {
        Ok(function) => function,
        Err(error) => return beside(&error, item),
    };
    let is_free = !crate::tokens::names(attribute.clone(), "associated");
    match expand(attribute, &function) {
        Ok(expanded) => expanded,
        Err(error) => {
            let handle = is_free.then(|| bare_handle(&function));
            let function = plain(&function);
            beside(&error, &quote!(#function #handle))
        }
    }
}

pub(crate) fn cache_put(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = function("cache_put", &item)
        .and_then(|function| entry(Args::parse(attribute)?, &function, Does::Put));
    expanded.unwrap_or_else(|error| beside(&error, &item))
}

pub(crate) fn invalidates(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let expanded =
        function("invalidates", &item).and_then(|function| edges::expand(attribute, function));
    expanded.unwrap_or_else(|error| beside(&error, &item))
}

pub(crate) fn guard(name: &str, attribute: TokenStream, item: TokenStream) -> TokenStream {
    let expanded =
        function(name, &item).and_then(|function| guards::expand(name, attribute, function));
    expanded.unwrap_or_else(|error| beside(&error, &item))
}

pub(crate) fn transactional(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = function(crate::transactional::NAME, &item)
        .and_then(|function| crate::transactional::expand(attribute, function));
    expanded.unwrap_or_else(|error| beside(&error, &item))
}

fn entry(mut args: Args, item: &ItemFn, does: Does) -> syn::Result<TokenStream> {
    args.run_apart_if_sync(item.sig.asyncness.is_some());
    let function = Function::new(item.clone(), &args);
    validate::entry(&args, &function, does)?;
    let key = KeyModel::new(&args, &function)?;
    let attributes = Attributes::sort(&function.item.attrs);
    Ok(expand::expand(&Unit {
        args: &args,
        function: &function,
        key: &key,
        attributes,
        does,
    }))
}

/// The function under the attribute, or what to do instead.
fn function(attribute: &str, item: &TokenStream) -> syn::Result<ItemFn> {
    let error = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => return Ok(function),
        Err(error) => error,
    };
    if let Ok(declared) = syn::parse2::<TraitItemFn>(item.clone()) {
        let message = format!(
            "`{}` has no body: put `#[{attribute}]` on the method in the `impl`, with `no_handle`",
            declared.sig.ident
        );
        return Err(syn::Error::new_spanned(declared.sig, message));
    }
    let (what, where_) = if syn::parse2::<ItemImpl>(item.clone()).is_ok() {
        ("an `impl`", "on each method")
    } else if syn::parse2::<ItemTrait>(item.clone()).is_ok() {
        ("a trait", "on the methods of an `impl`")
    } else {
        ("this item", "on a function")
    };
    let message = format!("`#[{attribute}]` does nothing for {what}: put it {where_}");
    match syn::parse2::<syn::Item>(item.clone()) {
        Ok(_) => Err(syn::Error::new(proc_macro2::Span::call_site(), message)),
        Err(_) => Err(error),
    }
}

fn beside(error: &syn::Error, item: &TokenStream) -> TokenStream {
    let errors = error.to_compile_error();
    quote!(#errors #item)
}

/// The function as it was, so that calls of it are no errors of their own.
fn plain(function: &ItemFn) -> TokenStream {
    let mut function = function.clone();
    function.attrs.retain(|attribute| {
        let name = attribute
            .path()
            .segments
            .last()
            .map(|last| last.ident.to_string());
        !name.is_some_and(|name| {
            crate::model::is_inner(&name) || name.starts_with("cached") || name == "background"
        })
    });
    quote!(#[allow(dead_code)] #function)
}

/// An empty handle, if the function is certainly a free one.
fn bare_handle(function: &ItemFn) -> Option<TokenStream> {
    if function.sig.receiver().is_some() || crate::tokens::self_type(function).is_some() {
        return None;
    }
    let (visibility, name) = (&function.vis, &function.sig.ident);
    Some(quote!(#[doc(hidden)] #[allow(dead_code, non_camel_case_types)] #visibility enum #name {}))
}
