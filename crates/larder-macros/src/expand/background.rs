//! Loads behind a hit, which outlive the call and therefore own their arguments.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::{Unit, local};
use crate::model::{Argument, Held, Taken};

/// The arm for a hit that asks to be refreshed.
///
/// Output, for `stale = "1h"` on `async fn user(org: &str, id: u64)`:
///
/// ```text
/// Hit::Refresh(__value, __ticket) => {
///     let org = ToOwned::to_owned(org);
///     __ticket.run(move |__cache, __mode| async move {
///         let _ = user::__fill(&__cache, __key, __mode, &org, id).await;
///     });
///     return __value;
/// }
/// ```
pub(super) fn refresh(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (value, ticket) = (local("__value"), local("__ticket"));
    let Some(knob) = &unit.args.background else {
        return quote!(#library::__private::Hit::Refresh(#value, _) => return #value,);
    };
    let (cache, key, mode) = (local("__cache"), local("__key"), local("__mode"));
    let (owner, fill) = (unit.owner(), unit.hidden("fill"));
    let this = local("__this");
    let own_this = unit.function.receiver.map(|taken| own_self(unit, taken, knob));
    let own = unit.function.arguments.iter().filter_map(|argument| own(argument, knob));
    let arguments = unit.function.arguments.iter().map(lend);
    let receiver = unit.function.receiver.map(|taken| match taken {
        Taken::Shared | Taken::SharedPointer => quote!(&#this,),
        _ => quote!(#this,),
    });
    let turbofish = crate::generics::turbofish(&unit.function.item.sig.generics);
    let call = quote! {
        #owner::#fill #turbofish(
            #receiver &#cache, #key, #mode, #(#arguments),*
        )
    };
    let run = if unit.function.is_async() {
        quote!(#ticket.run(move |#cache, #mode| async move { let _ = #call.await; }))
    } else {
        quote!(#ticket.run_blocking(move |#cache, #mode| { let _ = #call; }))
    };
    quote! {
        #library::__private::Hit::Refresh(#value, #ticket) => {
            #own_this
            #(#own)*
            #run;
            return #value;
        }
    }
}

fn own_self(unit: &Unit<'_>, taken: Taken, knob: &Ident) -> TokenStream {
    let (this, token) = (local("__this"), unit.function.self_token());
    match taken {
        Taken::Shared | Taken::SharedPointer => {
            let own = quote_spanned!(knob.span()=> ::std::borrow::ToOwned::to_owned);
            quote!(let #this = #own(#token);)
        }
        _ => quote!(let #this = #token;),
    }
}

fn own(argument: &Argument, knob: &Ident) -> Option<TokenStream> {
    let ident = &argument.ident;
    match argument.held {
        Held::Shared(_) => {
            let own = quote_spanned!(knob.span()=> ::std::borrow::ToOwned::to_owned);
            Some(quote!(let #ident = #own(#ident);))
        }
        Held::Value | Held::Unique(_) => None,
    }
}

fn lend(argument: &Argument) -> TokenStream {
    let ident = &argument.ident;
    match &argument.held {
        Held::Shared(_) => quote!(&#ident),
        Held::Value | Held::Unique(_) => quote!(#ident),
    }
}
