//! Loads behind a hit, which outlive the call and therefore own their arguments.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;

use super::{Unit, local, local_at};
use crate::model::{Argument, Held, Taken};
use crate::tokens;

/// The arm for a hit that asks to be refreshed.
pub(super) fn arm(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (value, ticket, key) = (local("__value"), local("__ticket"), local("__key"));
    if unit.args.background.is_none() {
        return quote!(#library::__private::Hit::Refresh(#value, _) => return #value,);
    }
    let (owner, reload) = (unit.owner(), unit.hidden("reload"));
    let receiver = unit.function.self_token();
    let first = [quote!(#ticket), quote!(#key)];
    let call = unit.call(&quote!(#owner::#reload), receiver.as_ref(), &first);
    quote! {
        #library::__private::Hit::Refresh(#value, #ticket) => {
            #call;
            return #value;
        }
    }
}

/// `__reload`: starts the load. A function of its own, because an async function that calls itself cannot
/// be asked within itself whether its future is `Send`.
///
/// Output, for `stale = "1h"` on `async fn user(org: &str, id: u64)`:
///
/// ```text
/// fn __reload(__ticket: Ticket, __key: KeyBuf, org: &str, id: u64) {
///     let org = ToOwned::to_owned(org);
///     __ticket.run(move |__cache, __mode| async move {
///         Self::__fill(&__cache, __key, __mode, &org, id).await
///     });
/// }
/// ```
pub(crate) fn reload_function(unit: &Unit<'_>) -> Option<TokenStream> {
    let knob = unit.args.background.as_ref()?;
    let library = &unit.function.library;
    let (ticket, key) = (local("__ticket"), local("__key"));
    let first = [
        quote!(#ticket: #library::__private::Ticket),
        quote!(#key: #library::__private::KeyBuf),
    ];
    let mut signature = unit.signature(&unit.hidden("reload"), &first);
    signature.asyncness = None;
    signature.output = syn::ReturnType::Default;
    let (lints, conditions) = (super::all_lints(), &unit.attributes.conditions);
    let own_this = unit.function.receiver.map(|taken| own_self(unit, taken));
    let own = unit.function.arguments.iter().filter_map(own);
    let copier = clones(unit).then(|| copier(knob));
    let run = run(unit, knob);
    Some(quote! {
        #(#conditions)*
        #lints
        #[doc(hidden)]
        #[cold]
        #signature {
            #copier
            #own_this
            #(#own)*
            #run
        }
    })
}

/// Whether something is copied by `Clone`.
pub(crate) fn clones(unit: &Unit<'_>) -> bool {
    let of_self = matches!(
        unit.function.receiver,
        Some(Taken::Shared | Taken::SharedPointer)
    );
    let clones = |argument: &Argument| matches!(&argument.held, Held::Shared(pointee) if !is_unsized(pointee));
    of_self || unit.function.arguments.iter().any(clones)
}

/// The start of the load; a body that cannot run elsewhere is an error at the knob.
fn run(unit: &Unit<'_>, knob: &Ident) -> TokenStream {
    let span = tokens::placed(knob.span());
    let [ticket, cache, key, mode, this] =
        ["__ticket", "__cache", "__key", "__mode", "__this"].map(|name| local_at(name, span));
    let fill = unit.hidden("fill");
    let receiver = unit.function.receiver.map(|taken| match taken {
        Taken::Shared | Taken::SharedPointer => quote!(&#this,),
        _ => quote!(#this,),
    });
    let turbofish = crate::generics::turbofish(&unit.function.item.sig.generics);
    let arguments = unit.function.arguments.iter().map(lend);
    let call = quote_spanned! {span=>
        Self::#fill #turbofish(#receiver &#cache, #key, #mode, #(#arguments),*)
    };
    if unit.function.is_async() {
        quote_spanned!(span=> #ticket.run(move |#cache, #mode| async move { #call.await });)
    } else {
        quote_spanned!(span=> #ticket.run_blocking(move |#cache, #mode| #call);)
    }
}

/// What copies the arguments; the message is for those that cannot be copied.
pub(crate) fn copier(knob: &Ident) -> TokenStream {
    let message = format!(
        "`{knob}` loads in the background and needs its own copy of `{{Self}}`, which is not `Clone`"
    );
    let note = format!("derive or implement `Clone`, pass it in an `Arc`, or leave `{knob}` out");
    quote! {
        #[diagnostic::on_unimplemented(message = #message, label = "this outlives the call", note = #note)]
        trait __Lent: ::core::marker::Sized {
            fn own(&self) -> Self;
        }
        #[diagnostic::do_not_recommend]
        impl<T: ::core::clone::Clone> __Lent for T {
            fn own(&self) -> T { ::core::clone::Clone::clone(self) }
        }
        fn __own<T: __Lent>(lent: &T) -> T { lent.own() }
    }
}

pub(crate) fn own_self(unit: &Unit<'_>, taken: Taken) -> TokenStream {
    let (this, token) = (local("__this"), unit.function.self_token());
    match taken {
        Taken::Shared | Taken::SharedPointer => quote!(let #this = __own(#token);),
        _ => quote!(let #this = #token;),
    }
}

pub(crate) fn own(argument: &Argument) -> Option<TokenStream> {
    let ident = &argument.ident;
    match &argument.held {
        _ if argument.is_static() => None,
        Held::Shared(pointee) if is_unsized(pointee) => {
            Some(quote!(let #ident = ::std::borrow::ToOwned::to_owned(#ident);))
        }
        Held::Shared(_) => Some(quote!(let #ident = __own(#ident);)),
        Held::Value | Held::Unique(_) => None,
    }
}

/// Whether a copy of it has another type, like `String` for `str`.
pub(super) fn is_unsized(pointee: &Type) -> bool {
    let named = |name: &str| tokens::last_segment(pointee).is_some_and(|last| last.ident == name);
    matches!(pointee, Type::Slice(_)) || ["str", "Path", "OsStr", "CStr"].into_iter().any(named)
}

pub(crate) fn lend(argument: &Argument) -> TokenStream {
    let ident = &argument.ident;
    match &argument.held {
        Held::Shared(_) if !argument.is_static() => quote!(&#ident),
        _ => quote!(#ident),
    }
}
