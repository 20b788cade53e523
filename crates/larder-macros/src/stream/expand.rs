//! From both readings to tokens.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::Stream;
use super::args::Package;
use crate::args::Shape;
use crate::expand::{all_lints, background, free, local, method, plain_name, without_attributes};
use crate::key::View;
use crate::tokens;

pub(super) fn expand(stream: &Stream<'_>) -> TokenStream {
    let function = stream.function();
    let handle = match stream.source.in_type() {
        true => stream.method_handle(),
        false => stream.free_handle(),
    };
    quote!(#function #handle)
}

impl Stream<'_> {
    /// The function that callers see.
    ///
    /// Input:
    ///
    /// ```text
    /// #[cached_stream(key = "rows:{table}", ttl = "10m")]
    /// fn rows(table: &str) -> impl Stream<Item = Row> { read(table) }
    /// ```
    ///
    /// Output:
    ///
    /// ```text
    /// fn rows(table: &str) -> impl Stream<Item = Row> {
    ///     let __cache = ..;
    ///     let __key = rows::__key(__cache, table);
    ///     let __source = move |_| Some(Box::pin(rows::uncached(table)));
    ///     Taped::<AsPlain, Row, _, _, _>::new(__cache, rows::__site(), __key, |__plan| .., |__settle| .., __source)
    /// }
    /// ```
    fn function(&self) -> TokenStream {
        let function = self.source.function;
        let library = &function.library;
        let (attributes, visibility) = (&self.source.attributes.outer, &function.item.vis);
        let signature = without_attributes(&function.item.sig);
        let (bind_cache, key_call) = (self.source.bind_cache(View::Signature), self.all.key_call());
        let plan = self.all.plan(View::Signature);
        let settle = self.all.settle();
        let (before_plan, plan) = (plan.before, plan.closure);
        let (before_settle, settle) = (settle.before, settle.closure);
        let [cache, key, again, source, taped, settling] = [
            "__cache",
            "__key",
            "__again",
            "__source",
            "__taped",
            "__settling",
        ]
        .map(local);
        let (owner, site) = (self.all.owner(), self.all.hidden("site"));
        let (item, yielded) = (&self.item, &self.yields.item);
        let span = tokens::placed(yielded.span());
        let tape = function.private_at(span, "Taped");
        let tape = quote_spanned!(span=> #tape::<#item, #yielded, _, _, _>);
        let new = quote_spanned!(span=> #tape::new);
        let start = self.start();
        let ask_bypass = self.source.args.bypass.as_ref().map(|condition| {
            let bypass = local("__bypass");
            quote!(let #bypass: bool = #condition;)
        });
        let made = quote! {
            #new(#cache, #owner::#site(), #key, #plan, #settling, #source)
        };
        let made = match &self.source.args.bypass {
            Some(_) => {
                let bypass = local("__bypass");
                quote!(if #bypass { #tape::past(#settling, #source) } else { #made })
            }
            None => made,
        };
        let limits = self.said.limits(library);
        let packed = self.packed(&taped);
        quote! {
            #(#attributes)*
            #[allow(clippy::used_underscore_binding)]
            #visibility #signature {
                #ask_bypass
                #bind_cache
                let #key = #key_call;
                #before_plan
                #before_settle
                let #settling = #library::__private::settling::<#item, #yielded, _>(#settle);
                let #again = ::core::clone::Clone::clone(&#key);
                let #source = #start;
                let #taped = #made.within(#limits);
                #packed
            }
        }
    }

    /// Starts the source; or, with a ticket, the reload behind.
    fn start(&self) -> TokenStream {
        let owner = self.source.owner();
        let uncached = self.source.uncached();
        let receiver = self.source.function.self_token();
        let call = self
            .source
            .call(&quote!(#owner::#uncached), receiver.as_ref(), &[]);
        let source = match self.yields.is_stream() {
            true => quote!(::std::boxed::Box::pin(#call)),
            false => call,
        };
        let (ticket, again) = (local("__ticket"), local("__again"));
        let library = &self.source.function.library;
        let some = quote!(::core::option::Option::Some);
        let none = quote!(::core::option::Option::None);
        let reload = match self.all.args.background {
            Some(_) => {
                let reload = self.all.hidden("reload");
                let first = [quote!(#ticket), quote!(#again)];
                let reload = self
                    .all
                    .call(&quote!(#owner::#reload), receiver.as_ref(), &first);
                quote!(#reload;)
            }
            None => quote!(let _ = (#ticket, #again);),
        };
        quote! {
            move |#ticket: ::core::option::Option<#library::__private::Ticket>| match #ticket {
                #some(#ticket) => { #reload #none }
                #none => #some(#source),
            }
        }
    }

    /// The tape in the type that the function returns.
    fn packed(&self, taped: &syn::Ident) -> TokenStream {
        match self.yields.package {
            Package::Bare => quote!(#taped),
            Package::Boxed => quote!(::std::boxed::Box::new(#taped)),
            Package::Pinned => quote!(::std::boxed::Box::pin(#taped)),
        }
    }

    /// All items of the source at once, for reloads.
    fn collect_function(&self) -> TokenStream {
        let library = &self.all.function.library;
        let (name, lints) = (self.all.uncached(), all_lints());
        let conditions = &self.all.attributes.conditions;
        let signature = self.all.signature(&name, &[]);
        let uncached = self.source.uncached();
        let receiver = self.source.function.self_token();
        let call = self
            .source
            .call(&quote!(Self::#uncached), receiver.as_ref(), &[]);
        let (item, yielded) = (&self.item, &self.yields.item);
        let collected = match self.yields.is_stream() {
            true => {
                quote!(#library::__private::collected_stream::<#item, #yielded>(#call).await)
            }
            false => quote!(#library::__private::collected::<#item, #yielded>(#call)),
        };
        let collected = match self.all.function.shape {
            Shape::Result => collected,
            _ => quote! {
                match #collected {
                    ::core::result::Result::Ok(items) => items,
                    ::core::result::Result::Err(never) => match never {},
                }
            },
        };
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #signature { #collected }
        }
    }

    fn hidden(&self) -> TokenStream {
        let hidden = [
            self.all.site_function(),
            self.all.policy_function(),
            self.all.key_function(),
            self.all.fill_function(),
            self.all.parts(),
            self.collect_function(),
        ];
        let reload = background::reload_function(&self.all);
        quote!(#(#hidden)* #reload)
    }

    fn free_handle(&self) -> TokenStream {
        let (name, visibility) = (self.source.function.name(), &self.source.function.item.vis);
        let conditions = &self.source.attributes.conditions;
        let uncached = self.source.uncached_function(visibility);
        let hidden = self.hidden();
        let seen = [
            free::key(&self.all),
            free::peek(&self.all),
            free::put(&self.all),
            free::refresh(&self.all),
            free::invalidate(&self.all),
            free::explain(&self.all),
            free::stats(&self.all),
        ];
        let title = format!(
            "Handle of the cached stream `{0}`: `{0}::invalidate(..)` and its siblings take the arguments of the function.",
            plain_name(self.source.function)
        );
        let lints = all_lints();
        quote! {
            #(#conditions)*
            #[doc = #title]
            #[allow(dead_code, non_camel_case_types, unreachable_pub, missing_debug_implementations, missing_copy_implementations, clippy::all, clippy::pedantic, clippy::restriction)]
            #visibility enum #name {}

            #(#conditions)*
            impl #name { #uncached }

            #(#conditions)*
            #lints
            impl #name { #hidden #(#seen)* }
        }
    }

    fn method_handle(&self) -> TokenStream {
        let uncached = self.source.uncached_function(&syn::Visibility::Inherited);
        let all = self.all.function;
        let output = &all.output;
        let bound = method::bound(
            &self.all,
            &quote!(#output),
            &all.shape_type(),
            method::Callers::Other,
        );
        let (hint, hidden) = (method::hint(&self.source), self.hidden());
        quote!(#hint #uncached #hidden #bound)
    }
}
