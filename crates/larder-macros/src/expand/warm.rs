//! `warm`: loads many keys ahead of their readers.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Generics, Lifetime};

use super::{Unit, local};
use crate::generics;
use crate::key::View;
use crate::model::{Argument, Held};
use crate::tokens;

/// Output, for `#[cached] async fn user(org: &str, id: u64) -> R`:
///
/// ```text
/// fn warm<'w>(items: impl IntoIterator<Item = (impl Borrow<str> + 'w, u64), IntoIter: 'w>)
///     -> Warm<impl Iterator<Item = impl Future<Output = Step> + 'w> + 'w, Together>
/// {
///     let items = items.into_iter().map(move |(org, id)| async move {
///         let org: &str = org.borrow();
///         ..
///         let mode = match Step::before(cache, &key) { Ok(mode) => mode, Err(step) => return step };
///         Step::by(cache, Self::__site(), &key, async { Self::__fill(cache, key.clone(), mode, org, id).await }).await
///     });
///     Warm::new(Self::__site(), items, None)
/// }
/// ```
///
/// `None` for functions with arguments that an item cannot be.
pub(super) fn function(unit: &Unit<'_>) -> Option<TokenStream> {
    let arguments = &unit.function.arguments;
    let is_an_item = |argument: &Argument| {
        !matches!(argument.held, Held::Unique(_)) && tokens::impl_trait(&argument.ty).is_none()
    };
    if arguments.is_empty() || !arguments.iter().all(is_an_item) {
        return None;
    }
    let library = &unit.function.library;
    let visibility = &unit.function.item.vis;
    let lifetime = lifetime();
    let types = arguments.iter().map(|argument| item_type(unit, argument));
    let names = unit.function.names();
    let (item, pattern) = match &names[..] {
        [name] => (quote!(#(#types)*), quote!(#name)),
        _ => (quote!((#(#types),*)), quote!((#(#names),*))),
    };
    let lent = arguments.iter().map(|argument| {
        let ident = &argument.ident;
        is_lent(argument).then(|| quote!(let #ident = ::core::borrow::Borrow::borrow(&#ident);))
    });
    let (kind, concurrency) = match unit.function.is_async() {
        true => (quote!(Together), quote!(::core::option::Option::None)),
        false => (quote!(OneByOne), quote!(::core::option::Option::Some(1))),
    };
    let generics = generics_for(unit);
    let (parameters, clause) = (&generics.params, &generics.where_clause);
    let name = format_ident!("warm", span = unit.function.name().span());
    let (items, site, job) = (local("items"), unit.hidden("site"), job(unit));
    Some(quote! {
        #[doc = "Loads many keys ahead of their readers: what is fresh is skipped, errors are counted. An item is the argument, or a tuple of them; what the function takes by reference, an item may own."]
        #visibility fn #name<#parameters>(
            #items: impl ::core::iter::IntoIterator<Item = #item, IntoIter: #lifetime>,
        ) -> #library::Warm<
            impl ::core::iter::Iterator<Item = impl ::core::future::Future<Output = #library::__private::Step> + #lifetime> + #lifetime,
            #library::__private::#kind,
        >
        #clause
        {
            let #items = ::core::iter::Iterator::map(
                ::core::iter::IntoIterator::into_iter(#items),
                move |#pattern| async move {
                    #(#lent)*
                    #job
                },
            );
            #library::Warm::new(Self::#site(), #items, #concurrency)
        }
    })
}

/// Whether an item may own what the function only borrows.
fn is_lent(argument: &Argument) -> bool {
    matches!(argument.held, Held::Shared(_)) && !argument.is_static()
}

fn lifetime() -> Lifetime {
    Lifetime::new("'__larder", proc_macro2::Span::call_site())
}

/// The function's types, all of which live as long as the warming.
fn generics_for(unit: &Unit<'_>) -> Generics {
    let declared = &unit.function.item.sig.generics;
    let lifetime = lifetime();
    let types: TokenStream = declared.type_params().map(|ty| quote!(#ty)).collect();
    let constants = declared.const_params().map(|constant| quote!(#constant));
    let mut generics = generics::needed_by(declared, &quote!(#types #(#constants)*));
    for ty in generics.type_params_mut() {
        ty.bounds.push(syn::parse_quote!(#lifetime));
    }
    generics.params.insert(0, syn::parse_quote!(#lifetime));
    let predicates = &mut generics.make_where_clause().predicates;
    predicates.push(unit.keepable());
    generics
}

fn item_type(unit: &Unit<'_>, argument: &Argument) -> TokenStream {
    let lifetime = lifetime();
    let named = generics::lifetimes(&unit.function.item.sig.generics);
    let mut ty = match is_lent(argument) {
        true => argument.pointee().clone(),
        false => argument.ty.clone(),
    };
    tokens::bind_lifetimes(&mut ty, &named, &lifetime);
    match is_lent(argument) {
        true => quote!(impl ::core::borrow::Borrow<#ty> + #lifetime),
        false => ty.to_token_stream(),
    }
}

/// What is done with one item.
fn job(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let [cache, key, mode, step] = ["__cache", "__key", "__mode", "__step"].map(local);
    let bind_cache = unit.bind_cache(View::Signature);
    let (render, fill, site) = (unit.key_call(), unit.hidden("fill"), unit.hidden("site"));
    let first = [
        quote!(#cache),
        quote!(::core::clone::Clone::clone(&#key)),
        quote!(#mode),
    ];
    let call = unit.call(&quote!(Self::#fill), None, &first);
    let await_ = unit.function.await_();
    let before = quote!(#library::__private::Step::before(#cache, &#key));
    quote! {
        #bind_cache
        let #key = #render;
        let #mode = match #before {
            ::core::result::Result::Ok(#mode) => #mode,
            ::core::result::Result::Err(#step) => return #step,
        };
        let __load = async { #call #await_ };
        #library::__private::Step::by(#cache, Self::#site(), &#key, __load).await
    }
}
