//! The function that callers see.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;

use super::{Unit, background, local, without_attributes};
use crate::key::View;
use crate::tokens::{placed, spanned};

/// Input:
///
/// ```text
/// #[cached(key = "user:{id}", ttl = "10m")]
/// async fn user(id: u64) -> io::Result<User> { load(id).await }
/// ```
///
/// Output:
///
/// ```text
/// async fn user(id: u64) -> io::Result<User> {
///     let __place = ::larder::__private::default_cache();
///     let __cache: &::larder::Cache = &__place;
///     let __key = user::__key(__cache, &id);
///     match ::larder::__private::hit::<AsResult, io::Result<User>>(__cache, user::__site(), &__key) {
///         Hit::Value(value) => return value,
///         Hit::Refresh(value, _) => return value,
///         Hit::Miss => {}
///     }
///     Box::pin(user::__fill(__cache, __key, Mode::Foreground, id)).await
/// }
/// ```
pub(super) fn function(unit: &Unit<'_>) -> TokenStream {
    let function = unit.function;
    let library = &function.library;
    let (attributes, visibility) = (&unit.attributes.outer, &function.item.vis);
    let signature = without_attributes(&function.item.sig);
    let (cache, key) = (local("__cache"), local("__key"));
    let bind_cache = unit.bind_cache(View::Signature);
    let bypass = unit.bypass();
    let render = unit.key_call();
    let hit = unit.hit(&background::arm(unit));
    let (owner, fill) = (unit.owner(), unit.hidden("fill"));
    let mode = quote!(#library::__private::Mode::Foreground);
    let span = placed(function.output.span());
    let load = unit.call(
        &spanned(quote!(#owner::#fill), span),
        function.self_token().as_ref(),
        &[quote!(#cache), quote!(#key), mode],
    );
    let load = unit.boxed(load);
    quote! {
        #(#attributes)*
        #[allow(clippy::needless_return, clippy::used_underscore_binding)]
        #visibility #signature {
            #bind_cache
            #bypass
            let #key = #render;
            #hit
            #load
        }
    }
}

impl Unit<'_> {
    /// `if BYPASS { return unoffered(user::__uncached(id)).await; }`
    pub(crate) fn bypass(&self) -> Option<TokenStream> {
        let condition = self.args.bypass.as_ref()?;
        let (owner, uncached) = (self.owner(), self.uncached());
        let call = self.call(
            &quote!(#owner::#uncached),
            self.function.self_token().as_ref(),
            &[],
        );
        let call = self.unoffered(&call);
        Some(quote!(if #condition { return #call; }))
    }

    /// A call of the body past the cache, to which nothing is offered of what a source around it may see.
    pub(crate) fn unoffered(&self, call: &TokenStream) -> TokenStream {
        let library = &self.function.library;
        match self.function.is_async() {
            true => {
                quote!(#library::__private::unoffered(::std::boxed::Box::pin(#call)).await)
            }
            false => quote!(#library::__private::unoffered_sync(move || #call)),
        }
    }

    /// Returns what the cache has.
    fn hit(&self, refresh: &TokenStream) -> TokenStream {
        let library = &self.function.library;
        let (owner, site) = (self.owner(), self.hidden("site"));
        self.hit_at(
            &quote!(#owner::#site()),
            &quote!(#library::__private::Hit),
            refresh,
        )
    }

    pub(super) fn hit_at(
        &self,
        site: &TokenStream,
        hit: &TokenStream,
        refresh: &TokenStream,
    ) -> TokenStream {
        let (cache, key, value) = (local("__cache"), local("__key"), local("__value"));
        let ask = self.typed_call("hit", &TokenStream::new(), &quote!(#cache, #site, &#key));
        quote! {
            match #ask {
                #hit::Value(#value) => return #value,
                #refresh
                #hit::Miss => {}
            }
        }
    }

    /// A future on the heap, so that a hit carries only a pointer for it; a sync call as it is.
    pub(crate) fn boxed(&self, call: TokenStream) -> TokenStream {
        if self.function.is_async() {
            quote!(::std::boxed::Box::pin(#call).await)
        } else {
            call
        }
    }
}
