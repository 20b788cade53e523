//! What a filter is filled by: `user_exists::add(7)`, or `svc.user_exists_bloom().add(7)`.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{FnArg, Generics, Signature, Type, Visibility};

use super::method::{generics_for, lifetime};
use super::{Unit, local};
use crate::generics;
use crate::guards::Home;
use crate::key::View;
use crate::model::{Argument, Held};
use crate::tokens;

/// What the filter of a method is called in its type.
pub(crate) fn hidden(name: &Ident) -> Ident {
    format_ident!("__larder_{}_filter", name.unraw(), span = name.span())
}

/// What the functions are made of.
pub(crate) struct Filler<'a> {
    pub(crate) unit: &'a Unit<'a>,
    /// What callers call the function.
    pub(crate) name: Ident,
    pub(crate) visibility: &'a Visibility,
    /// The filter as a static, and a reference to it.
    pub(crate) statics: TokenStream,
    pub(crate) bloom: TokenStream,
    /// An expression that is the filter's name.
    pub(crate) filter: TokenStream,
}

impl Unit<'_> {
    /// An expression that renders what the filter holds of these arguments.
    pub(crate) fn element(&self, view: View) -> TokenStream {
        self.key.render_bare(self.function, view)
    }
}

impl Filler<'_> {
    /// Output, for a free function:
    ///
    /// ```text
    /// enum user_exists {}
    /// impl user_exists {
    ///     async fn add(id: u64) -> larder::Result<bool> { .. }
    ///     async fn add_many(keys: impl IntoIterator<Item = u64>) -> larder::Result<()> { .. }
    ///     async fn may_contain(id: u64) -> larder::Result<bool> { .. }
    ///     async fn ready() -> larder::Result<()> { .. }
    ///     async fn reset() -> larder::Result<bool> { .. }
    /// }
    /// ```
    pub(crate) fn expand(&self, home: Home) -> TokenStream {
        if home == Home::Impl {
            return self.bound();
        }
        let functions = self.functions();
        if home == Home::HandleAround {
            return functions;
        }
        let (name, visibility) = (&self.name, self.visibility);
        let conditions = &self.unit.attributes.conditions;
        let title = format!(
            "The filter of `{0}`: `{0}::add(..)` takes the arguments that its key uses.",
            name.unraw()
        );
        let own = (home == Home::OwnType).then(|| {
            quote! {
                #(#conditions)*
                #[doc = #title]
                #[allow(dead_code, non_camel_case_types, unreachable_pub, missing_debug_implementations, missing_copy_implementations, clippy::all, clippy::pedantic, clippy::restriction)]
                #visibility enum #name {}
            }
        });
        quote! {
            #own
            #(#conditions)*
            impl #name { #functions }
        }
    }

    /// The filter itself: `filter` is what it is called.
    fn holder(&self, filter: &Ident) -> TokenStream {
        let library = &self.unit.function.library;
        let (lints, visibility) = (super::all_lints(), self.visibility);
        let conditions = &self.unit.attributes.conditions;
        let (statics, bloom) = (&self.statics, &self.bloom);
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #visibility fn #filter() -> &'static #library::guard::Bloom {
                #statics
                #bloom
            }
        }
    }

    fn functions(&self) -> TokenStream {
        let holder = self.holder(&format_ident!("__filter"));
        let library = &self.unit.function.library;
        let result = |ty: TokenStream| quote!(#library::Result<#ty>);
        let used: Vec<&Argument> = self.unit.used().collect();
        let chosen: Vec<&Argument> = used.iter().copied().filter(|of| self.chooses(of)).collect();
        let [key, keys, cache, name] = ["__key", "__keys", "__cache", "__name"].map(local);
        let element = self.unit.element(View::Signature);
        let one = quote!(let #key = #element;);
        let many = self.many(&keys, &element);
        [
            holder,
            self.function(
                "Adds the key of these arguments to the filter; whether that has changed it.",
                self.signature("add", &used, &result(quote!(bool))),
                &one,
                quote!(add_to(#cache, #name, #key)),
            ),
            self.function(
                "Adds many keys to the filter, a thousand in each round trip.",
                many.1,
                &many.0,
                quote!(add_many_to(#cache, #name, #keys)),
            ),
            self.function(
                "Whether the key of these arguments may have been added to the filter: `false` is certain. A filter that is not ready may contain everything.",
                self.signature("may_contain", &used, &result(quote!(bool))),
                &one,
                quote!(may_contain_in(#cache, #name, #key)),
            ),
            self.function(
                "Says that all keys there are have been added to the filter: from now on others are ruled out.",
                self.signature("ready", &chosen, &result(quote!(()))),
                &TokenStream::new(),
                quote!(ready_in(#cache, #name)),
            ),
            self.function(
                "Forgets all keys of the filter, which then is not ready; whether there was anything to forget.",
                self.signature("reset", &chosen, &result(quote!(bool))),
                &TokenStream::new(),
                quote!(reset_in(#cache, #name)),
            ),
        ]
        .into_iter()
        .collect()
    }

    /// Whether the argument says which cache.
    fn chooses(&self, argument: &Argument) -> bool {
        let cache = self.unit.args.cache.as_ref();
        cache.is_some_and(|cache| tokens::mention(cache, &argument.ident))
    }

    fn signature(&self, name: &str, arguments: &[&Argument], output: &TokenStream) -> Signature {
        let function = self.unit.function;
        let mut signature = function.item.sig.clone();
        signature.ident = format_ident!("{name}", span = function.name().span());
        let types = arguments.iter().map(|argument| &argument.ty);
        signature.generics = generics::needed_by(&signature.generics, &quote!(#(#types)*));
        signature.inputs = arguments
            .iter()
            .map(|Argument { ident, ty, .. }| -> FnArg { syn::parse_quote!(#ident: #ty) })
            .collect();
        signature.output = syn::parse_quote!(-> #output);
        signature
    }

    /// `add_many`: how the keys are made, and the signature.
    fn many(&self, keys: &Ident, element: &TokenStream) -> (TokenStream, Signature) {
        let library = &self.unit.function.library;
        let (chosen, listed): (Vec<_>, Vec<_>) = self
            .unit
            .used()
            .partition(|argument| self.chooses(argument));
        let declared = &self.unit.function.item.sig.generics;
        let named = generics::lifetimes(declared);
        let types: Vec<Type> = listed
            .iter()
            .map(|argument| {
                let mut ty = argument.ty.clone();
                tokens::bind_lifetimes(&mut ty, &named, &lifetime());
                ty
            })
            .collect();
        let names: Vec<&Ident> = listed.iter().map(|argument| &argument.ident).collect();
        let (pattern, item) = match (&names[..], &types[..]) {
            ([name], [ty]) => (quote!(#name), quote!(#ty)),
            _ => (quote!((#(#names,)*)), quote!((#(#types,)*))),
        };
        let mut signature = self.signature("add_many", &chosen, &quote!(#library::Result<()>));
        let of_chosen = chosen.iter().map(|argument| &argument.ty);
        let mut generics: Generics =
            generics::needed_by(declared, &quote!(#(#of_chosen)* #(#types)*));
        let lifetime = lifetime();
        generics.params.insert(0, syn::parse_quote!(#lifetime));
        signature.generics = generics;
        let given = local("keys");
        signature
            .inputs
            .push(syn::parse_quote!(#given: impl ::core::iter::IntoIterator<Item = #item>));
        let make = quote! {
            let #keys: ::std::vec::Vec<_> = ::core::iter::IntoIterator::into_iter(#given).map(|#pattern| #element).collect();
        };
        (make, signature)
    }

    fn function(
        &self,
        doc: &str,
        signature: Signature,
        before: &TokenStream,
        call: TokenStream,
    ) -> TokenStream {
        let filter = &self.filter;
        let bind_cache = self.unit.bind_cache(View::Signature);
        let (visibility, lints) = (self.visibility, super::all_lints());
        let (end, name) = (self.end(), local("__name"));
        quote! {
            #[doc = #doc]
            #lints
            #visibility #signature {
                #bind_cache
                let #name = #filter;
                #before
                Self::__filter().#call #end
            }
        }
    }

    /// Ends an operation in the way of the function.
    fn end(&self) -> TokenStream {
        match self.unit.function.is_async() {
            true => quote!(.await),
            false => quote!(.wait()),
        }
    }

    /// `user_exists_bloom()`
    fn bound(&self) -> TokenStream {
        let unit = self.unit;
        let function = unit.function;
        let library = &function.library;
        let name = format_ident!("{}_bloom", self.name.unraw(), span = self.name.span());
        let doc = format!(
            "The filter of the method `{0}`: `.{1}().add(..)` takes the arguments that its key uses.",
            self.name.unraw(),
            name
        );
        let kind = match function.is_async() {
            true => quote!(AsyncBloom),
            false => quote!(SyncBloom),
        };
        let (conditions, visibility) = (&unit.attributes.conditions, self.visibility);
        let (lints, lifetime) = (super::all_lints(), lifetime());
        let generics = generics_for(&function.item.sig.generics);
        let (parameters, clause) = (&generics.params, &generics.where_clause);
        let receiver = function.self_token().map(|token| quote!(&#lifetime #token));
        let (filter, hidden) = (&self.filter, hidden(&self.name));
        let holder = self.holder(&hidden);
        let (types, key) = (self.tuple(), self.key());
        let bind_cache = unit.bind_cache(View::Signature);
        let cache = local("__cache");
        // In the `impl` of a trait the compiler refuses every name that the trait does not have. It names this one first.
        let hint = format_ident!(
            "__larder_{}_bloom_needs_no_handle_in_the_impl_of_a_trait",
            self.name.unraw(),
            span = self.name.span()
        );
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            fn #hint() {}

            #holder

            #(#conditions)*
            #lints
            #[doc = #doc]
            #[must_use]
            #visibility fn #name<#parameters>(#receiver) -> #library::#kind<#lifetime, #types>
            #clause
            {
                #bind_cache
                #library::#kind::new(#cache, Self::#hidden(), #filter, #key)
            }
        }
    }

    /// `(&'h str, u64)`
    fn tuple(&self) -> TokenStream {
        let named = generics::lifetimes(&self.unit.function.item.sig.generics);
        let types = self.unit.used().map(|argument| {
            let mut ty = argument.ty.clone();
            tokens::bind_lifetimes(&mut ty, &named, &lifetime());
            ty
        });
        quote!((#(#types,)*))
    }

    fn key(&self) -> TokenStream {
        let args = local("__args");
        let names = self.unit.used().map(|argument| &argument.ident);
        let lent = self.unit.used().filter_map(|argument| {
            let ident = &argument.ident;
            match argument.held {
                Held::Value => None,
                Held::Shared(_) => Some(quote!(let #ident = *#ident;)),
                Held::Unique(_) => Some(quote!(let #ident = &**#ident;)),
            }
        });
        let element = self.unit.element(View::References);
        let types = self.tuple();
        quote! {
            move |#args: &#types| {
                let (#(#names,)*) = #args;
                #(#lent)*
                #element
            }
        }
    }
}
