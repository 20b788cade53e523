//! Guards: what stands before the body of a function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Expr, ItemFn, LitStr, Meta, Visibility};

use crate::args::Shape;
use crate::diagnose::Errors;
use crate::expand::{Does, Unit, body, local, local_at};
use crate::key::{KeyModel, View};
use crate::model::{Attributes, Function};
use crate::tokens::placed;
use crate::transactional;
use crate::validate;

mod args;
mod bloom;

pub(crate) use args::{FUNCTION, GuardArgs, VISIBLE};
pub(crate) use bloom::Home;

/// The attributes of guards, and the type of the library that each stands for.
pub(crate) const GUARDS: &[(&str, &str)] = &[
    ("locked", "Locked"),
    ("rate_limit", "RateLimit"),
    ("circuit_breaker", "CircuitBreaker"),
    ("slow_call", "SlowCall"),
    ("bloom", "Bloom"),
];

/// Whether an attribute of this name is a guard.
pub(crate) fn is_guard(name: &str) -> bool {
    GUARDS.iter().any(|(guard, _)| *guard == name)
}

/// One guard and what its attribute says.
struct Guard {
    name: Ident,
    args: GuardArgs,
}

/// `#[rate_limit(..)]` and its siblings: all guards of the function at once, so that the first is asked first.
///
/// Input: `#[rate_limit(limit = 10, per = "1m", key = "ip:{ip}")]`. Output:
///
/// ```text
/// async fn login(ip: &str) -> Result<Session, LoginError> {
///     static __LARDER_GUARD: LazyLock<RateLimit> = LazyLock::new(|| {
///         let __knobs = {
///             const LARDER_KNOBS: RateLimit = { let __knobs = RateLimitKnobs::new(); .. __knobs.finish() };
///             LARDER_KNOBS
///         };
///         __knobs
///     });
///     let __place = ::larder::__private::default_cache();
///     let __cache: &::larder::Cache = &__place;
///     let __key = { .. };
///     Box::pin(guarded::<AsResult, Result<Session, LoginError>, _, _>(
///         __cache, &*__LARDER_GUARD, __key, |_| true, move || async move { BODY },
///     )).await
/// }
/// ```
pub(crate) fn expand(
    first: &str,
    attribute: TokenStream,
    mut item: ItemFn,
) -> syn::Result<TokenStream> {
    let mut errors = Errors::default();
    let mut guards = Vec::new();
    let name = Ident::new(first, Span::call_site());
    guards.extend(errors.keep(Guard::new(name, attribute.clone())));
    let library = guards
        .first()
        .and_then(|guard| guard.args.common.library.as_ref());
    if let Some(reordered) = transactional::ordered(first, &attribute, library, &item) {
        // A guard that holds something holds it until the commit.
        return errors.finish().map(|()| reordered);
    }
    let mut others = Vec::new();
    for other in std::mem::take(&mut item.attrs) {
        match name_of(&other).filter(|name| is_guard(&name.to_string())) {
            Some(name) => guards
                .extend(errors.keep(arguments(&other).and_then(|tokens| Guard::new(name, tokens)))),
            None => others.push(other),
        }
    }
    item.attrs = others;
    errors.finish()?;
    let fillers = fillers(&guards, &item)?;
    // The last one first: it stands next to the body.
    for guard in guards.iter().rev() {
        let wrapped = guard.wrap(&item)?;
        item.block = syn::parse_quote!({ #wrapped });
    }
    Ok(quote!(#[allow(clippy::used_underscore_binding)] #item #fillers))
}

/// What the filter among the guards is filled by.
fn fillers(guards: &[Guard], item: &ItemFn) -> syn::Result<TokenStream> {
    let mut all = guards
        .iter()
        .filter(|guard| guard.name == "bloom" && guard.args.common.no_handle.is_none());
    let Some(first) = all.next() else {
        return Ok(TokenStream::new());
    };
    if let Some(second) = all.next() {
        let message = "two filters of one function cannot both be filled by its name: add `no_handle` to one of them, and fill that by a `larder::guard::Bloom` of the same `filter = \"..\"`";
        return Err(syn::Error::new(second.name.span(), message));
    }
    first.fills(item, &item.attrs)
}

fn name_of(attribute: &Attribute) -> Option<Ident> {
    Some(attribute.path().segments.last()?.ident.clone())
}

fn arguments(attribute: &Attribute) -> syn::Result<TokenStream> {
    match &attribute.meta {
        Meta::Path(_) => Ok(TokenStream::new()),
        meta => Ok(meta.require_list()?.tokens.clone()),
    }
}

/// The attribute of a guard as it stands on the function that holds the body of a cached one: that has another name.
pub(crate) fn for_body(
    attribute: &Attribute,
    function: &str,
    visibility: &Visibility,
    is_associated: bool,
) -> Attribute {
    let path = attribute.path();
    let said = arguments(attribute).unwrap_or_default();
    let comma =
        (!said.is_empty() && !said.to_string().trim_end().ends_with(',')).then(|| quote!(,));
    let name = LitStr::new(function, path.span());
    let word = Ident::new(FUNCTION, path.span());
    let associated = is_associated.then(|| quote_spanned!(path.span()=> , associated));
    // A filter is filled by whoever may call the function.
    let visible = path.segments.last().filter(|last| last.ident == "bloom");
    let visible = visible.map(|last| {
        let (word, text) = (
            Ident::new(VISIBLE, last.ident.span()),
            LitStr::new(&visibility.to_token_stream().to_string(), visibility.span()),
        );
        quote!(, #word = #text)
    });
    syn::parse_quote_spanned!(attribute.span()=> #[#path(#said #comma #word = #name #visible #associated)])
}

impl Guard {
    fn new(name: Ident, tokens: TokenStream) -> syn::Result<Self> {
        let args = GuardArgs::parse(&name.to_string(), tokens)?;
        Ok(Self { name, args })
    }

    fn wrap(&self, item: &ItemFn) -> syn::Result<TokenStream> {
        let args = &self.args.common;
        let function = Function::new(item.clone(), args);
        let mut errors = Errors::default();
        validate::guarded(&self.name, args, &function, &mut errors);
        errors.finish()?;
        if self.name == "bloom" {
            return self.filters(&function);
        }
        let key = KeyModel::new(args, &function)?;
        let unit = Unit {
            args,
            function: &function,
            key: &key,
            attributes: Attributes::sort(&[]),
            does: Does::Put,
        };
        let [cache, place, load] = ["__cache", "__key", "__load"].map(local);
        let bind_cache = unit.bind_cache(View::Signature);
        let render = match args.key {
            Some(_) => key.render_bare(&function, View::Signature),
            None => self.path(&function),
        };
        let (statics, guard) = self.guard(&function);
        let body = body(&function, &quote!(move));
        let counts = self.counts();
        let call = match function.is_async() {
            true => "guarded",
            false => "guarded_sync",
        };
        let inferred = match function.is_async() {
            true => quote!(, _, _),
            false => quote!(, _),
        };
        let arguments = quote!(#cache, #guard, #place, #counts, #load);
        let call = unit.typed_call(call, &inferred, &arguments);
        let call = unit.boxed(call);
        Ok(quote! {
            #statics
            #bind_cache
            let #place = #render;
            let #load = #body;
            #call
        })
    }

    /// The key of a guard that has none: all calls of the function together.
    fn path(&self, function: &Function) -> TokenStream {
        let library = &function.library;
        let buf = local("__buf");
        let steps = self.path_steps(function, &buf);
        quote! {{
            let mut #buf = #library::__private::KeyBuf::new();
            #steps
            #buf
        }}
    }

    /// Statements that append the function's path to the buffer.
    fn path_steps(&self, function: &Function, buf: &Ident) -> TokenStream {
        let name = match &self.args.function {
            Some(name) => name.value(),
            None => crate::expand::plain_name(function),
        };
        let name = format!("::{name}");
        let of_type = function.receiver.is_some() || self.args.common.associated.is_some();
        let home = match of_type {
            true => quote!(::core::any::type_name::<Self>()),
            false => quote!(::core::module_path!()),
        };
        quote! {
            #buf.literal(#home);
            #buf.literal(#name);
        }
    }

    /// The guard, made before the call, and an expression that is a reference to it.
    ///
    /// Of literals it is made once. With an expression it is made for each call, so that it may depend on the arguments: a guard is plain data.
    fn guard(&self, function: &Function) -> (TokenStream, TokenStream) {
        let library = &function.library;
        let (_, ty) = GUARDS
            .iter()
            .find(|(name, _)| self.name == name)
            .expect("the name of a guard");
        let span = placed(self.name.span());
        let ty = Ident::new(ty, span);
        let start = format_ident!("{}Knobs", ty, span = span);
        let knobs = local("__knobs");
        let constants = self.args.common.constant.iter().map(|(knob, value)| {
            let start = local_at("__knobs", knob.span());
            let knob = method(knob, knob.span());
            let lit = function.private_at(value.span(), "Lit");
            let call = quote_spanned!(placed(value.span())=> #start.#knob(#lit::#value));
            quote!(let #knobs = #call;)
        });
        let opens = self.args.common.open.iter().map(|(knob, value)| {
            let start = local_at("__knobs", knob.span());
            let knob = method(knob, placed(knob.span()));
            quote_spanned!(placed(value.span())=> let #knobs = #start.#knob(#value);)
        });
        let is_open = !self.args.common.open.is_empty();
        let finish = if is_open { "finish_open" } else { "finish" };
        let finish = Ident::new(finish, span);
        let at = local_at("__knobs", self.name.span());
        let finish = quote_spanned!(span=> #at.#finish());
        // In a block of its own: what follows is the user's, who may have a constant of that name.
        let made = quote! {
            let #knobs = {
                const LARDER_KNOBS: #library::guard::#ty = {
                    let #knobs = #library::guard::#start::new();
                    #(#constants)*
                    #finish
                };
                LARDER_KNOBS
            };
            #(#opens)*
            #knobs
        };
        // A filter is one for all calls: what fills it has no arguments to ask.
        if is_open && self.name != "bloom" {
            let guard = local("__guard");
            return (quote!(let #guard = { #made };), quote!(&#guard));
        }
        let name = Ident::new("__LARDER_GUARD", Span::mixed_site());
        let statics = quote! {
            static #name: ::std::sync::LazyLock<#library::guard::#ty> = ::std::sync::LazyLock::new(|| {
                #made
            });
        };
        (statics, quote!(&*#name))
    }

    /// Whether an error of the function is a failure to the guard.
    fn counts(&self) -> TokenStream {
        match &self.args.exceptions {
            Some(closure) => closure.to_token_stream(),
            None => quote!(|_| true),
        }
    }
}

/// The answer to a guard on a function that cannot tell of a refusal.
pub(crate) fn cannot_refuse(name: &Ident, function: &Function, errors: &mut Errors) {
    if function.shape == Shape::Result {
        return;
    }
    let ty = function.output.to_token_stream();
    let message = match function.shape_is_read {
        true => format!(
            "`{name}` refuses calls with an error, and `{ty}` does not look like a `Result`: return one, or add `result` if it is an alias of one"
        ),
        false => format!("`{name}` refuses calls with an error: return a `Result`"),
    };
    errors.add(&function.output, message);
}

/// The method of a knob: a knob that is a keyword, like `for`, is called by its raw name.
fn method(knob: &Ident, span: Span) -> Ident {
    let name = knob.to_string();
    match syn::parse_str::<Ident>(&name) {
        Err(_) if !matches!(&*name, "self" | "Self" | "super" | "crate" | "_") => {
            Ident::new_raw(&name, span)
        }
        _ => Ident::new(&name, span),
    }
}

/// What may stand behind `exceptions =`.
pub(crate) fn is_closure(value: &Expr) -> bool {
    matches!(value, Expr::Closure(_) | Expr::Path(_))
}
