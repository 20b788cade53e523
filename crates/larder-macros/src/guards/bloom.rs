//! `#[bloom]`: a guard that answers for the function, and what it is filled by.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, ItemFn};

use super::Guard;
use crate::args::Shape;
use crate::expand::{Does, Unit, body, filter_handle, local};
use crate::key::{KeyModel, View};
use crate::model::{Attributes, Function};
use crate::tokens::{names, placed};

/// Where the functions that fill the filter go.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Home {
    /// Into a type of the function's name, which is made for them.
    OwnType,
    /// Into the handle of the cached function, which `#[cached]` makes.
    HandleBeside,
    /// Into the handle of the cached function, in which this stands.
    HandleAround,
    /// Into the `impl` in which this stands.
    Impl,
}

impl Home {
    fn of(guard: &Guard, function: &Function, others: &[Attribute]) -> Self {
        if function.receiver.is_some() || guard.args.common.associated.is_some() {
            return Self::Impl;
        }
        if guard.args.function.is_some() {
            return Self::HandleAround;
        }
        let has_handle = |attribute: &&Attribute| {
            let last = attribute.path().segments.last();
            last.is_some_and(|last| last.ident == "cached")
                && !names(attribute.meta.to_token_stream(), "no_handle")
        };
        match others.iter().find(has_handle) {
            Some(_) => Self::HandleBeside,
            None => Self::OwnType,
        }
    }
}

impl Guard {
    /// Asks the filter before the body.
    ///
    /// Output, for `#[bloom(capacity = 100_000, false_positives = "1%", key = "{id}")] async fn user_exists(id: u64) -> bool`:
    ///
    /// ```text
    /// let __place = ::larder::__private::default_cache();
    /// let __cache: &::larder::Cache = &__place;
    /// let __names = ({ .. "::user_exists" }, { .. id });
    /// let __load = move || async move { BODY };
    /// Box::pin(filtered::<bool, _, _>(__cache, user_exists::__filter(), __names, answers_of_value::<bool>(), __load)).await
    /// ```
    pub(super) fn filters(&self, function: &Function) -> syn::Result<TokenStream> {
        let key = KeyModel::of_elements(&self.args.common, function)?;
        let unit = self.unit(function, &key);
        let [cache, pair, load] = ["__cache", "__names", "__load"].map(local);
        let bind_cache = unit.bind_cache(View::Signature);
        let (name, element) = (self.name_of_filter(function), unit.element(View::Signature));
        let (statics, bloom) = self.filter(function);
        let body = body(function, &quote!(move));
        let (call, inferred) = match function.is_async() {
            true => ("filtered", quote!(_, _)),
            false => ("filtered_sync", quote!(_)),
        };
        let span = placed(function.output.span());
        let (output, call) = (&function.output, function.private_at(span, call));
        let (answers, promises) = (answers(function), self.promises(function)?);
        let arguments = quote!(#cache, #bloom, #pair, #answers, #load);
        let call = unit.boxed(quote_spanned!(span=> #call::<#output, #inferred>(#arguments)));
        Ok(quote! {
            #statics
            #promises
            #bind_cache
            let #pair = (#name, #element);
            let #load = #body;
            #call
        })
    }

    /// What the filter is filled by, beside the function.
    pub(super) fn fills(&self, item: &ItemFn, others: &[Attribute]) -> syn::Result<TokenStream> {
        let args = &self.args.common;
        if args.no_handle.is_some() {
            return Ok(TokenStream::new());
        }
        let function = Function::new(item.clone(), args);
        let key = KeyModel::of_elements(args, &function)?;
        let unit = self.unit(&function, &key);
        let visibility = match &self.args.visible {
            Some(text) => text.parse()?,
            None => item.vis.clone(),
        };
        let (statics, bloom) = self.guard(&function);
        let filler = filter_handle::Filler {
            unit: &unit,
            name: self.function_name(&function),
            visibility: &visibility,
            statics,
            bloom,
            filter: self.name_of_filter(&function),
        };
        Ok(filler.expand(Home::of(self, &function, others)))
    }

    /// The filter: in the function itself, or where what fills it has it too, so that what is wrong with it is said once.
    fn filter(&self, function: &Function) -> (TokenStream, TokenStream) {
        if self.args.common.no_handle.is_some() {
            return self.guard(function);
        }
        let name = self.function_name(function);
        let filter = match function.receiver.is_some() || self.args.common.associated.is_some() {
            true => {
                let filter = filter_handle::hidden(&name);
                quote!(Self::#filter())
            }
            false => quote!(#name::__filter()),
        };
        (TokenStream::new(), filter)
    }

    /// What callers call the function.
    fn function_name(&self, function: &Function) -> Ident {
        match &self.args.function {
            Some(name) => {
                let at = function.name().span();
                let name = name.value();
                syn::parse_str::<Ident>(&name)
                    .map_or_else(|_| Ident::new_raw(&name, at), |_| Ident::new(&name, at))
            }
            None => function.name().clone(),
        }
    }

    fn unit<'a>(&'a self, function: &'a Function, key: &'a KeyModel) -> Unit<'a> {
        Unit {
            args: &self.args.common,
            function,
            key,
            attributes: Attributes::sort(&function.item.attrs),
            does: Does::Put,
        }
    }

    /// The filter's name, without the cache's prefix: what the attribute says, or the function's path. Another version is another filter.
    fn name_of_filter(&self, function: &Function) -> TokenStream {
        let library = &function.library;
        let buf = local("__buf");
        let version = self.args.common.version.as_ref().map(|version| {
            let text = format!(":v{version}");
            quote!(#buf.literal(#text);)
        });
        let path = match &self.args.filter {
            Some(name) => quote!(#buf.literal(#name);),
            None => self.path_steps(function, &buf),
        };
        quote! {{
            let mut #buf = #library::__private::KeyBuf::new();
            #path
            #version
            #buf
        }}
    }

    /// What the knobs need of the return type; if it does not hold, the compiler says so at the knob.
    fn promises(&self, function: &Function) -> syn::Result<TokenStream> {
        let (shape, output) = (function.shape_type(), &function.output);
        let part = |knob: &Ident, part: &str, check: &str| {
            let span = placed(knob.span());
            let (check, reader) = (
                function.private_at(span, check),
                function.private_at(span, "Shape"),
            );
            let part = Ident::new(part, span);
            quote_spanned!(span=> let _: fn() = #check::<<#shape as #reader<#output>>::#part>;)
        };
        let mut promises = TokenStream::new();
        for (knob, _) in &self.args.common.constant {
            match knob.to_string().as_str() {
                "unchecked" => promises.extend(part(knob, "Value", "says_yes")),
                "pair" => promises.extend(part(knob, "Value", "says_no")),
                _ => {}
            }
        }
        if let Some(knob) = self.may_refuse() {
            if function.shape != Shape::Result {
                let message = format!(
                    "a closed filter refuses calls with an error, and `{}` has none: return a `Result`, or remove `{knob}`: then the function is called",
                    output.to_token_stream()
                );
                return Err(syn::Error::new(knob.span(), message));
            }
            promises.extend(part(knob, "Error", "carries"));
        }
        Ok(promises)
    }

    /// `on_outage`, unless it certainly is `"open"`.
    fn may_refuse(&self) -> Option<&Ident> {
        let common = &self.args.common;
        let literal = common.constant.iter().find(|(knob, _)| knob == "on_outage");
        let closed = literal.filter(|(_, lit)| !lit.to_string().contains("\"open\""));
        let open = common.open.iter().find(|(knob, _)| knob == "on_outage");
        closed.map(|(knob, _)| knob).or(open.map(|(knob, _)| knob))
    }
}

/// How the function answers without a call.
fn answers(function: &Function) -> TokenStream {
    let span = placed(function.output.span());
    let output = &function.output;
    if function.shape == Shape::Result {
        let answers = function.private_at(span, "answers");
        return quote_spanned!(span=> #answers!(#output));
    }
    let answers = function.private_at(span, "answers_of_value");
    quote_spanned!(span=> #answers::<#output>())
}
