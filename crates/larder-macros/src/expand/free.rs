//! The handle of a free function: an empty type with the function's name.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::{FnArg, Pat, Signature, Stmt};

use super::{Unit, background, local, plain_name, schedule, warm};
use crate::generics;
use crate::key::View;
use crate::model::Argument;
use crate::tokens::mention;

/// Output:
///
/// ```text
/// /// Handle of the cached function `user`. ..
/// enum user {}
/// impl user { async fn __uncached(id: u64) -> io::Result<User> { load(id).await } }
/// impl user { fn __site(); fn __key(); fn __fill(); fn uncached(); fn key(); fn peek(); fn put(); .. }
/// ```
pub(super) fn handle(unit: &Unit<'_>) -> TokenStream {
    let (name, visibility) = (unit.function.name(), &unit.function.item.vis);
    let conditions = &unit.attributes.conditions;
    let body = unit.uncached_function(&syn::Visibility::Inherited);
    let uncached = uncached(unit);
    let hidden = [
        unit.site_function(),
        unit.policy_function(),
        unit.key_function(),
        unit.fill_function(),
        unit.parts(),
    ];
    let (key, peek, put) = (key(unit), peek(unit), put(unit));
    let (refresh, invalidate, explain) = (refresh(unit), invalidate(unit), explain(unit));
    let (inspect, stats) = (inspect(unit), stats(unit));
    let title = format!(
        "Handle of the cached function `{0}`: `{0}::invalidate(..)` and its siblings take the arguments of the function.",
        plain_name(unit.function)
    );
    let lints = super::all_lints();
    let reload = background::reload_function(unit);
    let (warm, scheduled) = (warm::function(unit), schedule::functions(unit));
    quote! {
        #(#conditions)*
        #[doc = #title]
        #[allow(dead_code, non_camel_case_types, unreachable_pub, missing_debug_implementations, missing_copy_implementations, clippy::all, clippy::pedantic, clippy::restriction)]
        #visibility enum #name {}

        #(#conditions)*
        impl #name { #body }

        #(#conditions)*
        #lints
        impl #name { #(#hidden)* #reload #uncached #key #peek #put #refresh #inspect #invalidate #explain #stats #warm #scheduled }
    }
}

impl Unit<'_> {
    /// The function with the body, as it was written.
    pub(crate) fn uncached_function(&self, visibility: &syn::Visibility) -> TokenStream {
        let mut signature = self.function.item.sig.clone();
        signature.ident = self.uncached();
        let attributes = self.attributes_of_body();
        let mut block = self.function.item.block.clone();
        // An argument that the attribute names is used, whatever the body does.
        let said = self.args.said();
        let used = self
            .function
            .arguments
            .iter()
            .filter(|argument| mention(&said, &argument.ident));
        let used: Vec<Stmt> = used
            .map(|Argument { ident, .. }| syn::parse_quote!(let _ = &#ident;))
            .collect();
        block.stmts.splice(0..0, used);
        let lints = super::signature_lints();
        let doc = format!(
            "Runs the body of `{}`, without reading or writing the cache.",
            plain_name(self.function)
        );
        quote! {
            #[doc = #doc]
            #lints
            #(#attributes)*
            #visibility #signature #block
        }
    }

    /// The signature of a handle's method: the function's arguments, and then `last`.
    pub(crate) fn method(
        &self,
        name: &str,
        last: Option<TokenStream>,
        output: &TokenStream,
    ) -> Signature {
        let ident = format_ident!("{name}", span = self.function.name().span());
        let mut signature = self.signature(&ident, &[]);
        signature.output = syn::parse_quote!(-> #output);
        if let Some(last) = last {
            let last: FnArg = syn::parse_quote!(#last);
            signature.inputs.push(last);
        }
        signature
    }

    /// A method that ends in a call of the library with the cache and the key.
    pub(crate) fn asks(&self, doc: &str, signature: &Signature, call: TokenStream) -> TokenStream {
        let visibility = &self.function.item.vis;
        let bind_cache = self.bind_cache(View::Signature);
        let (key, render) = (local("__key"), self.key_call());
        let call = self.drive(call);
        quote! {
            #[doc = #doc]
            #visibility #signature {
                #bind_cache
                let #key = #render;
                #call
            }
        }
    }
}

/// `async fn uncached(id: u64) -> io::Result<User> { unoffered(Self::__uncached(id)).await }`
fn uncached(unit: &Unit<'_>) -> TokenStream {
    let body = unit.uncached();
    let call = unit.unoffered(&unit.call(&quote!(Self::#body), None, &[]));
    let name = format_ident!("uncached", span = unit.function.name().span());
    let (signature, visibility) = (unit.signature(&name, &[]), &unit.function.item.vis);
    let doc = format!(
        "Runs the body of `{}`, without reading or writing the cache.",
        plain_name(unit.function)
    );
    quote! {
        #[doc = #doc]
        #visibility #signature { #call }
    }
}

pub(crate) fn key(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let mut signature = unit.method("key", None, &quote!(#library::Key));
    signature.asyncness = None;
    let visibility = &unit.function.item.vis;
    let bind_cache = unit.bind_cache(View::Signature);
    let render = unit.key_call();
    quote! {
        #[doc = "The key of the entry for these arguments."]
        #[must_use]
        #visibility #signature {
            #bind_cache
            #render.to_key()
        }
    }
}

pub(crate) fn peek(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let value = unit.value_type();
    let wire = unit.wire();
    let (cache, key) = (local("__cache"), local("__key"));
    let result = quote!(#library::Result<::core::option::Option<#value>>);
    let mut signature = unit.method("peek", None, &result);
    signature
        .generics
        .make_where_clause()
        .predicates
        .push(unit.keepable());
    unit.asks(
        "The kept value, if there is one; the body does not run.",
        &signature,
        unit.typed_call("peek", &TokenStream::new(), &quote!(#cache, #key, #wire)),
    )
}

pub(crate) fn put(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let value = unit.value_type();
    let (cache, key, given) = (local("__cache"), local("__key"), local("value"));
    let (plan, settle) = (unit.plan(View::Signature), unit.settle());
    let (before_plan, before_settle) = (plan.before, settle.before);
    let (plan, settle) = (plan.closure, settle.closure);
    let site = unit.hidden("site");
    let mut signature = unit.method(
        "put",
        Some(quote!(#given: #value)),
        &quote!(#library::Result<()>),
    );
    signature
        .generics
        .make_where_clause()
        .predicates
        .push(unit.keepable());
    let arguments = quote!(#cache, Self::#site(), #key, #plan, #settle, #given);
    let call = unit.drive(unit.typed_call("put", &TokenStream::new(), &arguments));
    let visibility = &unit.function.item.vis;
    let bind_cache = unit.bind_cache(View::Signature);
    let render = unit.key_call();
    quote! {
        #[doc = "Keeps `value` for these arguments, as if the body had returned it now."]
        #visibility #signature {
            #bind_cache
            let #key = #render;
            #before_plan
            #before_settle
            #call
        }
    }
}

pub(crate) fn refresh(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let output = &unit.function.output;
    let (cache, key) = (local("__cache"), local("__key"));
    let signature = unit.method("refresh", None, &quote!(#output));
    let visibility = &unit.function.item.vis;
    let bind_cache = unit.bind_cache(View::Signature);
    let (render, fill) = (unit.key_call(), unit.hidden("fill"));
    let mode = quote!(#library::__private::Mode::Refresh);
    let call = unit.call(
        &quote!(Self::#fill),
        None,
        &[quote!(#cache), quote!(#key), mode],
    );
    let call = if unit.function.is_async() {
        quote!(::std::boxed::Box::pin(#call).await)
    } else {
        call
    };
    let turn = unit.args.schedule.as_ref().map(|_| schedule::turn(unit));
    quote! {
        #[doc = "Runs the body and keeps its value, whatever is kept now."]
        #visibility #signature {
            #bind_cache
            let #key = #render;
            #turn
            #call
        }
    }
}

fn inspect(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let output = &unit.function.output;
    let (visibility, site) = (&unit.function.item.vis, unit.hidden("site"));
    let signature = unit.method("inspect", None, &quote!(#library::Cached<#output>));
    let through = unit.hidden("through");
    let call = unit.call(&quote!(Self::#through), None, &[]);
    let path = quote!(Self::#site().path());
    let inspect = match unit.function.is_async() {
        true => quote!(#library::__private::inspect(#path, #call).await),
        false => quote!(#library::__private::inspect_sync(#path, || #call)),
    };
    let through = call_through(unit, &through);
    quote! {
        #[doc = "Calls the function, and tells how its value came."]
        #visibility #signature { #inspect }

        #through
    }
}

/// A call of the user's function, whose arguments have other names here: one of them may be called like the function itself.
fn call_through(unit: &Unit<'_>, through: &Ident) -> TokenStream {
    let name = unit.function.name();
    let mut signature = unit.signature(through, &[]);
    let mut given = Vec::new();
    for (at, input) in signature.inputs.iter_mut().enumerate() {
        if let FnArg::Typed(typed) = input
            && let Pat::Ident(pattern) = &mut *typed.pat
        {
            pattern.ident = local(&format!("__argument_{at}"));
            given.push(pattern.ident.clone());
        }
    }
    let turbofish = generics::turbofish(&unit.function.item.sig.generics);
    let await_ = unit.function.await_();
    quote! {
        #[doc(hidden)]
        #signature { #name #turbofish(#(#given),*) #await_ }
    }
}

pub(crate) fn invalidate(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (cache, key) = (local("__cache"), local("__key"));
    unit.asks(
        "Forgets the entry for these arguments; `true` if there was one.",
        &unit.method("invalidate", None, &quote!(#library::Result<bool>)),
        quote!(#library::__private::invalidate(#cache, #key)),
    )
}

pub(crate) fn explain(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (cache, key) = (local("__cache"), local("__key"));
    unit.asks(
        "What is kept for these arguments, and why the next call would hit or miss.",
        &unit.method(
            "explain",
            None,
            &quote!(#library::Result<#library::Explain>),
        ),
        quote!(#library::__private::explain(#cache, #key)),
    )
}

pub(crate) fn stats(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (visibility, site) = (&unit.function.item.vis, unit.hidden("site"));
    quote! {
        #[doc = "What has happened to the calls of this function."]
        #[must_use]
        #visibility fn stats() -> #library::FunctionStats {
            Self::#site().stats()
        }
    }
}
