//! From the model to tokens. Sync and async come from the same code.

pub(crate) mod background;
mod fill;
pub(crate) mod filter_handle;
pub(crate) mod free;
mod inline;
pub(crate) mod method;
mod parts;
mod schedule;
mod start;
mod warm;
mod wrapper;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{FnArg, Pat, Signature};

use crate::args::Args;
use crate::generics;
use crate::guards;
use crate::key::KeyModel;
use crate::model::{Attributes, Function, Taken};
use crate::tokens;

/// Everything an expansion is made from.
pub(crate) struct Unit<'a> {
    pub(crate) args: &'a Args,
    pub(crate) function: &'a Function,
    pub(crate) key: &'a KeyModel,
    pub(crate) attributes: Attributes,
    pub(crate) does: Does,
}

/// What the attribute makes of the function.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Does {
    /// `#[cached]`
    Read,
    /// `#[cache_put]`
    Put,
    /// `#[cached_batch]`
    Batch,
    /// `#[cached_stream]`: the function as it is.
    Yield,
    /// `#[cached_stream]`: as if it returned all items at once.
    Collect,
}

/// `#[cached]` and `#[cache_put]`
pub(crate) fn expand(unit: &Unit<'_>) -> TokenStream {
    if unit.is_inline() {
        return inline::function(unit);
    }
    let function = wrapper::function(unit);
    let handle = if unit.in_type() {
        method::handle(unit)
    } else {
        free::handle(unit)
    };
    quote!(#function #handle)
}

impl Unit<'_> {
    /// Whether everything stands in the function itself.
    pub(crate) fn is_inline(&self) -> bool {
        self.args.no_handle.is_some() || self.does == Does::Put
    }

    /// Whether the function stands in an `impl`.
    pub(crate) fn in_type(&self) -> bool {
        self.function.receiver.is_some() || self.args.associated.is_some()
    }

    /// What the generated functions belong to, as seen from the user's function.
    pub(crate) fn owner(&self) -> TokenStream {
        if self.in_type() {
            quote!(Self)
        } else {
            self.function.name().to_token_stream()
        }
    }

    /// The name of a generated function: `__key` in a handle, `__larder_user_key` in the user's type.
    pub(crate) fn hidden(&self, what: &str) -> Ident {
        if self.in_type() {
            self.function.hidden(what)
        } else {
            format_ident!("__{what}", span = self.function.name().span())
        }
    }

    /// The attributes of the function that holds the body. Guards among them are told what the function is called.
    fn attributes_of_body(&self) -> Vec<syn::Attribute> {
        let name = plain_name(self.function);
        let is_associated = self.args.associated.is_some();
        let body = self.attributes.body.iter().map(|attribute| {
            let last = attribute.path().segments.last();
            match last.is_some_and(|last| guards::is_guard(&last.ident.to_string())) {
                true => guards::for_body(attribute, &name, &self.function.item.vis, is_associated),
                false => attribute.clone(),
            }
        });
        body.collect()
    }

    /// The function that holds the body.
    pub(crate) fn uncached(&self) -> Ident {
        let name = match self.does {
            Does::Batch => "uncached_many",
            Does::Yield if self.in_type() => "source",
            Does::Collect if !self.in_type() => "__collected",
            Does::Read if !self.in_type() => "__uncached",
            _ => "uncached",
        };
        if self.in_type() {
            self.function.hidden(name)
        } else {
            format_ident!("{name}", span = self.function.name().span())
        }
    }

    /// The user's signature, with another name and with arguments in front of the user's own.
    pub(crate) fn signature(&self, name: &Ident, first: &[TokenStream]) -> Signature {
        let mut signature = without_attributes(&self.function.item.sig);
        signature.ident = name.clone();
        let at = usize::from(self.function.receiver.is_some());
        for (offset, argument) in first.iter().enumerate() {
            signature
                .inputs
                .insert(at + offset, syn::parse_quote!(#argument));
        }
        signature
    }

    /// A call of a function with the user's signature.
    pub(crate) fn call(
        &self,
        path: &TokenStream,
        receiver: Option<&TokenStream>,
        first: &[TokenStream],
    ) -> TokenStream {
        let names = self.function.names();
        let turbofish = generics::turbofish(&self.function.item.sig.generics);
        let receiver = receiver.map(|receiver| quote!(#receiver,));
        quote!(#path #turbofish(#receiver #(#first,)* #(#names),*))
    }

    /// A shared reference to `self`, in the user's function.
    pub(crate) fn self_reference(&self) -> Option<TokenStream> {
        let token = self.function.self_token()?;
        Some(match self.function.receiver? {
            Taken::Shared => token,
            Taken::Owned => quote!(&#token),
            Taken::SharedPointer => quote!(&**#token),
            Taken::Unique | Taken::Pointer | Taken::Other => quote!(&*#token),
        })
    }

    /// The generics that a function over the used arguments needs.
    pub(crate) fn key_generics(&self) -> syn::Generics {
        let types = self.used().map(|argument| &argument.ty);
        let cache = &self.args.cache;
        generics::needed_by(&self.function.item.sig.generics, &quote!(#(#types)* #cache))
    }

    pub(crate) fn used(&self) -> impl Iterator<Item = &crate::model::Argument> {
        self.key.used.iter().map(|at| &self.function.arguments[*at])
    }

    /// The type of what is kept.
    pub(crate) fn value_type(&self) -> TokenStream {
        let (shape, output) = (self.function.shape_type(), &self.function.output);
        let span = tokens::placed(output.span());
        let reader = self.function.private_at(span, "Shape");
        quote_spanned!(span=> <#shape as #reader<#output>>::Value)
    }

    /// `V: Cacheable`, for generated functions that need it. If it does not hold, the compiler says so once,
    /// at the return type, and not at each call in each of them.
    pub(crate) fn keepable(&self) -> syn::WherePredicate {
        let value = self.value_type();
        let span = tokens::placed(self.function.output.span());
        let cacheable = self.function.private_at(span, "Cacheable");
        syn::parse_quote_spanned!(span=> #value: #cacheable)
    }

    /// How the value becomes bytes: as its type can, or not at all.
    pub(crate) fn wire(&self) -> TokenStream {
        let library = &self.function.library;
        if self.args.local.is_some() {
            return quote!(#library::__private::Wire::local::<()>());
        }
        let span = tokens::placed(self.function.output.span());
        let (wire, value) = (self.function.private_at(span, "wire"), self.value_type());
        quote_spanned!(span=> #wire!(#value))
    }

    /// A call of the library with the shape and the return type; what it cannot keep is an error at the
    /// return type.
    pub(crate) fn typed_call(
        &self,
        name: &str,
        more: &TokenStream,
        arguments: &TokenStream,
    ) -> TokenStream {
        let (shape, output) = (self.function.shape_type(), &self.function.output);
        let span = tokens::placed(output.span());
        let name = self.function.private_at(span, name);
        quote_spanned!(span=> #name::<#shape, #output #more>(#arguments))
    }

    /// Ends a future of the library in the way of the function: awaited, or driven on this thread.
    pub(crate) fn drive(&self, future: TokenStream) -> TokenStream {
        let library = &self.function.library;
        if self.function.is_async() {
            quote!(#future.await)
        } else {
            quote!(#library::__private::wait(#future))
        }
    }
}

pub(crate) use inline::body;

/// A local name that no expression of the user can see.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The same, for errors that belong at `span`.
pub(crate) fn local_at(name: &str, span: Span) -> Ident {
    Ident::new(name, tokens::placed(span))
}

/// The function's name as its users write it.
pub(crate) fn plain_name(function: &Function) -> String {
    function.name().unraw().to_string()
}

pub(crate) fn without_attributes(signature: &Signature) -> Signature {
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        match input {
            FnArg::Receiver(receiver) => {
                receiver.attrs.clear();
                receiver.mutability = None;
            }
            FnArg::Typed(typed) => {
                typed.attrs.clear();
                if let Pat::Ident(pattern) = &mut *typed.pat {
                    pattern.mutability = None;
                }
            }
        }
    }
    signature
}

/// Lints that the signature of a generated function may trip, and that the user cannot mend there.
pub(crate) fn signature_lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            missing_docs,
            non_snake_case,
            private_bounds,
            private_interfaces,
            single_use_lifetimes,
            unreachable_pub,
            clippy::future_not_send,
            clippy::missing_errors_doc,
            clippy::missing_panics_doc,
            clippy::must_use_candidate,
            clippy::needless_lifetimes,
            clippy::needless_pass_by_value,
            clippy::needless_pass_by_ref_mut,
            clippy::ptr_arg,
            clippy::too_many_arguments,
            clippy::trivially_copy_pass_by_ref,
            clippy::type_complexity,
            clippy::unused_async,
            clippy::used_underscore_binding,
            clippy::wrong_self_convention
        )]
    }
}

/// Lints for functions that hold nothing of the user's.
pub(crate) fn all_lints() -> TokenStream {
    quote! {
        #[allow(
            dead_code,
            missing_docs,
            non_snake_case,
            private_bounds,
            private_interfaces,
            single_use_lifetimes,
            trivial_bounds,
            unreachable_pub,
            unused_mut,
            unused_variables,
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            clippy::restriction
        )]
    }
}
