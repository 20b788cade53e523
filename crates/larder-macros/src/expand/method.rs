//! The handle of a method: hidden functions beside it, and `user_cache()`, which binds them to `self`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{Generics, Lifetime, Type};

use super::{Unit, background, local, plain_name};
use crate::generics;
use crate::key::View;
use crate::model::{Argument, Held, Taken};
use crate::tokens;

/// Output, for `#[cached(..)] async fn user(&self, id: u64) -> R`:
///
/// ```text
/// async fn __larder_user_uncached(&self, id: u64) -> R { BODY }
/// fn __larder_user_site(); fn __larder_user_policy(); fn __larder_user_key(&self, ..);
/// async fn __larder_user_fill(&self, ..); fn __larder_user_parts(&self, ..); ..
/// fn user_cache<'h>(&'h self) -> AsyncHandle<'h, (u64,), R, AsResult> { .. }
/// ```
pub(super) fn handle(unit: &Unit<'_>) -> TokenStream {
    let private = syn::Visibility::Inherited;
    let hidden = [
        hint(unit),
        unit.uncached_function(&private),
        unit.site_function(),
        unit.policy_function(),
        unit.key_function(),
        unit.fill_function(),
        unit.parts(),
    ];
    let output = unit.function.output.to_token_stream();
    let shape = unit.function.shape_type();
    let bound = bound(unit, &output, &shape, Callers::Same);
    let reload = background::reload_function(unit);
    quote!(#(#hidden)* #reload #bound)
}

/// In the `impl` of a trait the compiler refuses every name that the trait does not have. It names this
/// one first.
pub(crate) fn hint(unit: &Unit<'_>) -> TokenStream {
    let name = unit
        .function
        .hidden("needs_no_handle_in_the_impl_of_a_trait");
    let (conditions, lints) = (&unit.attributes.conditions, super::all_lints());
    quote! {
        #(#conditions)*
        #lints
        #[doc(hidden)]
        fn #name() {}
    }
}

/// What callers of the method get.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Callers {
    /// What is kept under one key.
    Same,
    /// Something made of it.
    Other,
}

/// `user_cache()`: a handle whose calls return `output`, read as `shape`.
pub(crate) fn bound(
    unit: &Unit<'_>,
    output: &TokenStream,
    shape: &TokenStream,
    callers: Callers,
) -> TokenStream {
    let function = unit.function;
    let library = &function.library;
    let name = format_ident!(
        "{}_cache",
        function.name().unraw(),
        span = function.name().span()
    );
    let doc = format!(
        "Handle of the cached method `{0}`: `.{1}().invalidate(..)` and its siblings take the arguments of the method.",
        plain_name(function),
        name
    );
    let (conditions, visibility) = (&unit.attributes.conditions, &function.item.vis);
    let (lints, lifetime) = (super::all_lints(), lifetime());
    let kind = if function.is_async() {
        quote!(AsyncHandle)
    } else {
        quote!(SyncHandle)
    };
    let mut generics = generics_for(&function.item.sig.generics);
    generics
        .make_where_clause()
        .predicates
        .push(unit.keepable());
    let arguments = tuple(unit);
    let receiver = receiver(unit);
    let bind_cache = unit.bind_cache(View::Signature);
    let (cache, site) = (local("__cache"), unit.hidden("site"));
    let (key, put, wire) = (key(unit), put(unit), unit.wire());
    let source = can_call(unit).then(|| {
        let uncached = calls(unit, &function.hidden("uncached"));
        let fill = fill(unit);
        let call = (callers == Callers::Same).then(|| calls(unit, function.name()));
        quote!(#fill, #uncached, #call)
    });
    let new = match (&source, callers) {
        (None, _) => quote!(keyed),
        (Some(_), Callers::Same) => quote!(new),
        (Some(_), Callers::Other) => quote!(filled),
    };
    let (parameters, clause) = (&generics.params, &generics.where_clause);
    quote! {
        #(#conditions)*
        #lints
        #[doc = #doc]
        #[must_use]
        #visibility fn #name<#parameters>(#receiver)
            -> #library::#kind<#lifetime, #arguments, #output, #shape>
        #clause
        {
            #bind_cache
            #library::#kind::<#lifetime, #arguments, #output, #shape>::#new(#cache, Self::#site(), #wire, #key, #put, #source)
        }
    }
}

pub(super) fn lifetime() -> Lifetime {
    Lifetime::new("'__larder", proc_macro2::Span::call_site())
}

/// The method's types, all of which live as long as the handle; its lifetimes become the handle's.
pub(super) fn generics_for(declared: &Generics) -> Generics {
    let lifetime = lifetime();
    let types: TokenStream = declared.type_params().map(|ty| quote!(#ty)).collect();
    let constants = declared.const_params().map(|constant| quote!(#constant));
    let mut generics = generics::needed_by(declared, &quote!(#types #(#constants)*));
    for ty in generics.type_params_mut() {
        ty.bounds.push(syn::parse_quote!(#lifetime));
    }
    generics.params.insert(0, syn::parse_quote!(#lifetime));
    generics
}

fn receiver(unit: &Unit<'_>) -> Option<TokenStream> {
    let (lifetime, token) = (lifetime(), unit.function.self_token()?);
    Some(match unit.function.receiver? {
        Taken::Pointer | Taken::SharedPointer => {
            let pointer = pointer(unit);
            quote!(#token: &#lifetime #pointer)
        }
        _ => quote!(&#lifetime #token),
    })
}

/// The `Arc<Self>` of a method that takes `self: Arc<Self>` or `self: &Arc<Self>`.
fn pointer(unit: &Unit<'_>) -> TokenStream {
    let receiver = unit.function.item.sig.receiver();
    let ty = receiver.and_then(|receiver| match &receiver.kind {
        syn::ReceiverKind::Typed(_, ty) => Some(&**ty),
        _ => None,
    });
    match ty {
        Some(Type::Reference(reference)) => {
            let elem = &reference.elem;
            quote!(#elem)
        }
        ty => quote!(#ty),
    }
}

/// Whether a handle made from `&self` can call the method.
fn can_call(unit: &Unit<'_>) -> bool {
    !matches!(
        unit.function.receiver,
        Some(Taken::Unique | Taken::Owned | Taken::Other)
    )
}

/// `(&'h str, u64)`
fn tuple(unit: &Unit<'_>) -> TokenStream {
    let named = generics::lifetimes(&unit.function.item.sig.generics);
    let types = unit.function.arguments.iter().map(|argument| {
        let mut ty = argument.ty.clone();
        tokens::bind_lifetimes(&mut ty, &named, &lifetime());
        ty
    });
    quote!((#(#types,)*))
}

/// `(org, id)`
fn pattern(unit: &Unit<'_>) -> TokenStream {
    let names = unit.function.names();
    quote!((#(#names,)*))
}

/// A clone of the cache that a closure takes with it.
fn own_cache() -> TokenStream {
    let cache = local("__cache");
    quote!(let #cache = ::core::clone::Clone::clone(#cache);)
}

fn key(unit: &Unit<'_>) -> TokenStream {
    let (cache, args, pattern, own_cache) = (
        local("__cache"),
        local("__args"),
        pattern(unit),
        own_cache(),
    );
    let key = unit.hidden("key");
    let turbofish = generics::turbofish(&unit.key_generics());
    let receiver = shared_self(unit).map(|receiver| quote!(#receiver,));
    let arguments = unit.used().map(|argument| {
        let ident = &argument.ident;
        match argument.held {
            Held::Value => quote!(#ident),
            Held::Shared(_) => quote!(*#ident),
            Held::Unique(_) => quote!(&**#ident),
        }
    });
    quote! {{
        #own_cache
        move |#args| {
            let #pattern = #args;
            Self::#key #turbofish(#receiver &#cache, #(#arguments),*)
        }
    }}
}

/// `&Self`, in a method of the handle.
fn shared_self(unit: &Unit<'_>) -> Option<TokenStream> {
    let token = unit.function.self_token()?;
    Some(match unit.function.receiver? {
        Taken::Pointer | Taken::SharedPointer => quote!(&**#token),
        _ => token,
    })
}

fn put(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (cache, args, key, value) = (
        local("__cache"),
        local("__args"),
        local("__key"),
        local("__value"),
    );
    let (pattern, site, own_cache) = (pattern(unit), unit.hidden("site"), own_cache());
    let lent =
        unit.function
            .arguments
            .iter()
            .filter_map(|Argument { ident, held, .. }| match held {
                Held::Value => None,
                Held::Shared(_) => Some(quote!(let #ident = *#ident;)),
                Held::Unique(_) => Some(quote!(let #ident = &**#ident;)),
            });
    let (plan, settle) = (unit.plan(View::References), unit.settle());
    let (before_plan, before_settle) = (plan.before, settle.before);
    let (plan, settle) = (plan.closure, settle.closure);
    let arguments = quote!(&#cache, Self::#site(), #key, #plan, #settle, #value);
    let call = unit.typed_call("put", &TokenStream::new(), &arguments);
    let again = quote!(let #cache = ::core::clone::Clone::clone(&#cache););
    let run = match unit.function.is_async() {
        true => quote!(#again ::std::boxed::Box::pin(async move { #call.await })),
        false => quote!(#library::__private::wait(#call)),
    };
    quote! {{
        #own_cache
        move |#args, #key, #value| {
            let #pattern = #args;
            #(#lent)*
            #before_plan
            #before_settle
            #run
        }
    }}
}

fn fill(unit: &Unit<'_>) -> TokenStream {
    let (cache, args, key, mode) = (
        local("__cache"),
        local("__args"),
        local("__key"),
        local("__mode"),
    );
    let (pattern, fill, own_cache) = (pattern(unit), unit.hidden("fill"), own_cache());
    let first = [quote!(&#cache), quote!(#key), quote!(#mode)];
    let call = unit.call(&quote!(Self::#fill), owned_self(unit).as_ref(), &first);
    let again = quote!(let #cache = ::core::clone::Clone::clone(&#cache););
    let run = match unit.function.is_async() {
        true => quote!(#again ::std::boxed::Box::pin(async move { #call.await })),
        false => call,
    };
    quote! {{
        #own_cache
        move |#key, #mode, #args| {
            let #pattern = #args;
            #run
        }
    }}
}

/// A call of a method with the user's signature: the one with the body, or the user's own.
fn calls(unit: &Unit<'_>, method: &Ident) -> TokenStream {
    let (args, pattern) = (local("__args"), pattern(unit));
    let call = unit.call(&quote!(Self::#method), owned_self(unit).as_ref(), &[]);
    let run = match unit.function.is_async() {
        true => quote!(::std::boxed::Box::pin(#call)),
        false => call,
    };
    quote! {
        move |#args| {
            let #pattern = #args;
            #run
        }
    }
}

/// `self` as the method takes it.
fn owned_self(unit: &Unit<'_>) -> Option<TokenStream> {
    let token = unit.function.self_token()?;
    Some(match unit.function.receiver? {
        Taken::Pointer => quote!(::core::clone::Clone::clone(#token)),
        _ => token,
    })
}
