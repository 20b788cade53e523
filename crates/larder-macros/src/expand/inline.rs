//! Functions without a handle: everything stands in the function itself.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::fill::Load;
use super::{Does, Unit, local};
use crate::key::View;
use crate::model::Function;

/// Output, for `#[cache_put(key = "user:{id}", ttl = "10m")]`:
///
/// ```text
/// async fn rename(id: u64, name: &str) -> Result<User, DbError> {
///     let __place = ::larder::__private::default_cache();
///     let __cache: &::larder::Cache = &__place;
///     let __key = { .. };
///     let __load = typed(move || async move { BODY });
///     fill::<AsResult, Result<User, DbError>, _, _, _, _>(
///         __cache, .., __key, Mode::Put, move |__plan| { .. }, __load, move |__settle| { .. },
///     ).await
/// }
/// ```
pub(super) fn function(unit: &Unit<'_>) -> TokenStream {
    let function = unit.function;
    let library = &function.library;
    let (attributes, visibility, signature) =
        (&function.item.attrs, &function.item.vis, &function.item.sig);
    let (cache, key, site) = (local("__cache"), local("__key"), local("__site"));
    let bind_cache = unit.bind_cache(View::Signature);
    let render = unit.key.render(function, View::Signature, &quote!(#cache));
    let static_site = unit.site();
    let bypass = Bypass::new(unit);
    let ask = &bypass.ask;
    let (read, mode) = match unit.does {
        Does::Read => (bypass.unless(hit(unit)), quote!(Foreground)),
        _ => (TokenStream::new(), quote!(Put)),
    };
    let mode = quote!(#library::__private::Mode::#mode);
    let load = bypass.load(function);
    let load = Load {
        before: load,
        closure: local("__load").into_token_stream(),
        behind: None,
    };
    let fill = unit.fill(&site.to_token_stream(), &mode, &load);
    let assertion = unit.assert_plain();
    quote! {
        #(#attributes)*
        #visibility #signature {
            #assertion
            #ask
            #bind_cache
            let #key = #render;
            let #site = #static_site;
            #read
            #fill
        }
    }
}

fn hit(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let hit = quote!(#library::__private::Hit);
    let (value, site) = (local("__value"), local("__site"));
    let arm = quote!(#hit::Refresh(#value, _) => return #value,);
    unit.hit_at(&site.to_token_stream(), &hit, &arm)
}

/// The body as a closure that is called once, so that `return` and `?` end the body and not the function
/// around it, and so that what a `&mut` argument lends may leave it.
pub(crate) fn body(function: &Function, capture: &TokenStream) -> TokenStream {
    let (output, block) = (&function.item.sig.output, &function.item.block);
    let result = &function.output;
    if function.is_async() {
        quote! {{
            fn typed<R, F: ::core::future::Future<Output = R>, L: ::core::ops::FnOnce() -> F>(load: L) -> L { load }
            typed::<#result, _, _>(#capture || async #capture #block)
        }}
    } else {
        quote! {{
            fn typed<R, L: ::core::ops::FnOnce() -> R>(load: L) -> L { load }
            typed::<_, _>(#capture || #output #block)
        }}
    }
}

/// `bypass = ..`, asked before the arguments may move.
struct Bypass {
    ask: TokenStream,
    is_given: bool,
}

impl Bypass {
    fn new(unit: &Unit<'_>) -> Self {
        let bypass = local("__bypass");
        match &unit.args.bypass {
            Some(condition) => Self {
                ask: quote!(let #bypass: bool = #condition;),
                is_given: true,
            },
            None => Self {
                ask: TokenStream::new(),
                is_given: false,
            },
        }
    }

    fn unless(&self, step: TokenStream) -> TokenStream {
        let bypass = local("__bypass");
        if self.is_given {
            quote!(if !#bypass { #step })
        } else {
            step
        }
    }

    fn load(&self, function: &Function) -> TokenStream {
        let (load, bypass, await_) = (local("__load"), local("__bypass"), function.await_());
        let closure = body(function, &quote!(move));
        let turn_back = self
            .is_given
            .then(|| quote!(if #bypass { return #load() #await_; }));
        quote! {
            let #load = #closure;
            #turn_back
        }
    }
}
