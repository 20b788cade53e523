//! `#[transactional(..)]`: the body in a transaction.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Attribute, ItemFn};

use crate::args::{Args, Knob, Shape, list};
use crate::diagnose::Errors;
use crate::expand::{Does, Unit, body, local, local_at};
use crate::guards;
use crate::key::{KeyModel, View};
use crate::model::{self, Attributes, Function};
use crate::tokens::placed;
use crate::validate;

/// The attribute's name.
pub(crate) const NAME: &str = "transactional";

/// What happens within a transaction, wherever the attributes stand.
const WITHIN: &[&str] = &["invalidates", "cache_put"];

/// Input: `#[transactional(mode = "locked", timeout = "5s")]`. Output:
///
/// ```text
/// async fn book(seat: u64) -> Result<Booking, BookError> {
///     let __place = ::larder::__private::default_cache();
///     let __cache: &::larder::Cache = &__place;
///     let __terms = {
///         let __knobs = {
///             const LARDER_KNOBS: TransactionTerms = { let __knobs = TransactionKnobs::new(); .. __knobs.finish() };
///             LARDER_KNOBS
///         };
///         __knobs
///     };
///     let __load = move || async move { BODY };
///     Box::pin(transactional::<AsResult, Result<Booking, BookError>, _, _>(__cache, __terms, __load)).await
/// }
/// ```
pub(crate) fn expand(attribute: TokenStream, item: ItemFn) -> syn::Result<TokenStream> {
    let args = parse(attribute.clone())?;
    if let Some(reordered) = ordered(NAME, &attribute, args.library.as_ref(), &item) {
        return Ok(reordered);
    }
    let function = Function::new(item.clone(), &args);
    let mut errors = Errors::default();
    validate::transactional(&args, &function, &mut errors);
    errors.finish()?;
    let key = KeyModel::new(&args, &function)?;
    let unit = Unit {
        args: &args,
        function: &function,
        key: &key,
        attributes: Attributes::sort(&[]),
        does: Does::Put,
    };
    let [cache, terms, load] = ["__cache", "__terms", "__load"].map(local);
    let bind_cache = unit.bind_cache(View::Signature);
    let say = say(&args, &function);
    let body = body(&function, &quote!(move));
    let call = call(&unit, &cache, &terms, &load);
    let mut item = item;
    item.block = syn::parse_quote!({
        #bind_cache
        let #terms = #say;
        let #load = #body;
        #call
    });
    Ok(quote!(#[allow(clippy::used_underscore_binding)] #item))
}

fn parse(tokens: TokenStream) -> syn::Result<Args> {
    let mut args = Args::default();
    let mut errors = Errors::default();
    let mut seen: Vec<Ident> = Vec::new();
    for Knob { name, value } in list.parse2(tokens)? {
        if seen.contains(&name) {
            errors.add(&name, format!("`{name}` is given twice: keep one"));
            continue;
        }
        seen.push(name.clone());
        errors.keep(match name.to_string().as_str() {
            "cache" | "crate" | "result" | "option" | "plain" => args.read(Knob { name, value }),
            _ => args.hand_on(name, value),
        });
    }
    errors.finish().map(|()| args)
}

/// The mode and the time limit, as far as the compiler knows them evaluated by it.
fn say(args: &Args, function: &Function) -> TokenStream {
    let library = &function.library;
    let knobs = local("__knobs");
    let constants = args.constant.iter().map(|(knob, value)| {
        let start = local_at("__knobs", knob.span());
        let lit = function.private_at(value.span(), "Lit");
        let call = quote_spanned!(placed(value.span())=> #start.#knob(#lit::#value));
        quote!(let #knobs = #call;)
    });
    let opens = args.open.iter().map(|(knob, value)| {
        let start = local_at("__knobs", knob.span());
        let knob = Ident::new(&knob.to_string(), placed(knob.span()));
        quote_spanned!(placed(value.span())=> let #knobs = #start.#knob(#value);)
    });
    // In a block of its own: what follows is the user's, who may have a constant of that name.
    quote! {{
        let #knobs = {
            const LARDER_KNOBS: #library::__private::TransactionTerms = {
                let #knobs = #library::__private::TransactionKnobs::new();
                #(#constants)*
                #knobs.finish()
            };
            LARDER_KNOBS
        };
        #(#opens)*
        #knobs
    }}
}

fn call(unit: &Unit<'_>, cache: &Ident, terms: &Ident, load: &Ident) -> TokenStream {
    let function = unit.function;
    let (sync, inferred) = match function.is_async() {
        true => ("", quote!(, _, _)),
        false => ("_sync", quote!(, _)),
    };
    if function.shape == Shape::Result {
        let name = format!("transactional{sync}");
        let call = unit.typed_call(&name, &inferred, &quote!(#cache, #terms, #load));
        return unit.boxed(call);
    }
    let output = &function.output;
    let name = Ident::new(&format!("transactional_always{sync}"), Span::call_site());
    let library = &function.library;
    // Nothing can be said of it: such a function has no terms of its own.
    unit.boxed(quote!(#library::__private::#name::<#output #inferred>(#cache, #terms, #load)))
}

/// The function with its attributes in the order in which they have to be expanded, `attribute` among them again; `None` when that is at hand already.
///
/// What stands last on the function stands next to the body: invalidations and puts are a part of the transaction, and guards let it begin and hold until it is
/// committed.
pub(crate) fn ordered(
    name: &str,
    attribute: &TokenStream,
    library: Option<&syn::Path>,
    item: &ItemFn,
) -> Option<TokenStream> {
    let place = |name: &str| match name {
        name if WITHIN.contains(&name) => 0,
        NAME => 1,
        name if guards::is_guard(name) => 2,
        _ => 3,
    };
    let of = |attribute: &Attribute| {
        let last = attribute.path().segments.last();
        place(&last.map(|last| last.ident.to_string()).unwrap_or_default())
    };
    let own = place(name);
    if !item.attrs.iter().any(|other| of(other) < own) {
        return None;
    }
    let (library, name) = (model::library(library), Ident::new(name, Span::call_site()));
    let again: Attribute = syn::parse_quote!(#[#library::#name(#attribute)]);
    let mut item = item.clone();
    // A stable sort: guards stay in their order, and this one was the first of them.
    item.attrs.insert(0, again);
    item.attrs.sort_by_key(of);
    Some(item.to_token_stream())
}
