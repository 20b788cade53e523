//! What the user's function, and every method of its handle, begin with: the cache and the key.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Unit, local, local_at};
use crate::generics;
use crate::key::View;
use crate::model::{Held, Taken};
use crate::tokens::{mention, names, placed};

impl Unit<'_> {
    /// Statements that bind `__cache` to a reference to the cache.
    ///
    /// Input: `cache = self.cache`. Output:
    ///
    /// ```text
    /// let __place = &(self.cache);
    /// let __cache: &::larder::Cache = ::larder::__private::as_cache(__place);
    /// ```
    pub(crate) fn bind_cache(&self, view: View) -> TokenStream {
        let library = &self.function.library;
        let (place, cache) = (local("__place"), local("__cache"));
        let Some(expression) = &self.args.cache else {
            return quote! {
                let #place = #library::__private::default_cache();
                let #cache: &#library::Cache = &#place;
            };
        };
        // An argument of `__target` is behind a reference, and the user's expression expects it as it was.
        let values = self.function.arguments.iter().filter_map(|argument| {
            let ident = &argument.ident;
            let value = view == View::References
                && matches!(argument.held, Held::Value)
                && mention(expression, ident);
            value.then(|| quote!(let #ident = ::core::clone::Clone::clone(#ident);))
        });
        let copy = self
            .cache_may_move()
            .then(|| quote!(let #cache = &::core::clone::Clone::clone(#cache);));
        let span = placed(expression.span());
        let as_cache = self.function.private_at(span, "as_cache");
        let named = local_at("__place", span);
        let as_cache = quote_spanned!(span=> #as_cache(#named));
        quote! {
            #(#values)*
            let #place = &(#expression);
            let #cache: &#library::Cache = #as_cache;
            #copy
        }
    }

    /// Whether the cache is borrowed from something that the call of the body moves.
    fn cache_may_move(&self) -> bool {
        let Some(expression) = &self.args.cache else {
            return false;
        };
        let of_self = !matches!(
            self.function.receiver,
            None | Some(Taken::Shared | Taken::SharedPointer)
        ) && names(quote!(#expression), "self");
        let of_argument = |argument: &crate::model::Argument| {
            !matches!(argument.held, Held::Shared(_)) && mention(expression, &argument.ident)
        };
        of_self || self.function.arguments.iter().any(of_argument)
    }

    /// The call of `__key`, where the arguments have the types of the signature.
    pub(crate) fn key_call(&self) -> TokenStream {
        let (owner, key) = (self.owner(), self.hidden("key"));
        let turbofish = generics::turbofish(&self.key_generics());
        let receiver = self.self_reference().map(|receiver| quote!(#receiver,));
        let arguments = self.used().map(crate::model::Argument::by_reference);
        let cache = local("__cache");
        quote!(#owner::#key #turbofish(#receiver #cache, #(#arguments),*))
    }

    /// `__key`: the used arguments by reference, in.
    pub(crate) fn key_function(&self) -> TokenStream {
        let library = &self.function.library;
        let (name, lints, cache) = (self.hidden("key"), super::all_lints(), local("__cache"));
        let conditions = &self.attributes.conditions;
        let generics = self.key_generics();
        let (_, _, clause) = generics.split_for_impl();
        let receiver = self.function.receiver.map(|_| {
            let token = self.function.self_token();
            quote!(&#token,)
        });
        let arguments = self.used().map(|argument| {
            let (ident, pointee) = (&argument.ident, argument.pointee());
            quote!(#ident: &#pointee)
        });
        let render = self
            .key
            .render(self.function, View::References, &quote!(#cache));
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #[inline]
            fn #name #generics(
                #receiver
                #cache: &#library::Cache,
                #(#arguments),*
            ) -> #library::__private::KeyBuf
            #clause
            {
                #render
            }
        }
    }

    /// `__site`: the place where statistics of the function are counted.
    pub(crate) fn site_function(&self) -> TokenStream {
        let (name, lints) = (self.hidden("site"), super::all_lints());
        let conditions = &self.attributes.conditions;
        let site = self.site();
        let library = &self.function.library;
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #[inline]
            fn #name() -> &'static #library::__private::Site {
                #site
            }
        }
    }

    pub(crate) fn site(&self) -> TokenStream {
        let library = &self.function.library;
        let name = super::plain_name(self.function);
        let template = self.key.template_text();
        quote! {{
            static SITE: #library::__private::Site = #library::__private::Site::new(
                ::core::concat!(::core::module_path!(), "::", #name),
                #template,
            );
            &SITE
        }}
    }
}
