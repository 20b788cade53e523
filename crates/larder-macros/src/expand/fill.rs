//! The load: what is known before it (the plan), the body, and what is decided after it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Unit, local};
use crate::args::{Decision, Tag};
use crate::key::{Checked, View};
use crate::model::Held;
use crate::tokens::{mention, names};

/// The closure that fills in the plan, and what has to be evaluated before it because the body may
/// move the arguments.
pub(super) struct Plan {
    pub(super) before: TokenStream,
    pub(super) closure: TokenStream,
}

/// The closure that runs the body, and statements that make it.
pub(super) struct Load {
    pub(super) before: TokenStream,
    pub(super) closure: TokenStream,
}

/// The closure that decides about a value, with copies of the arguments that it names.
pub(super) struct Settle {
    pub(super) before: TokenStream,
    pub(super) closure: TokenStream,
}

impl Unit<'_> {
    /// `__fill`: the body under a lease.
    ///
    /// Output:
    ///
    /// ```text
    /// async fn __fill(__cache: &Cache, __key: KeyBuf, __mode: Mode, id: u64) -> R {
    ///     let __value_0 = ttl_for(id);
    ///     fill::<AsResult, R, _, _, _>(__cache, user::__site(), __key, __mode,
    ///         move |__plan| { __plan.policy(user::__policy()); __plan.ttl(__value_0); },
    ///         move || user::uncached(id),
    ///         move |__settle| { __settle.when(|user| user.is_active); },
    ///     ).await
    /// }
    /// ```
    pub(super) fn fill_function(&self) -> TokenStream {
        let library = &self.function.library;
        let lints = super::all_lints();
        let conditions = &self.attributes.conditions;
        let (cache, key, mode) = (local("__cache"), local("__key"), local("__mode"));
        let first = [
            quote!(#cache: &#library::Cache),
            quote!(#key: #library::__private::KeyBuf),
            quote!(#mode: #library::__private::Mode),
        ];
        let signature = self.signature(&self.hidden("fill"), &first);
        let (uncached, site) = (self.uncached(), self.hidden("site"));
        let this = self.function.self_token();
        let call = self.call(&quote!(Self::#uncached), this.as_ref(), &[]);
        let load = Load { before: TokenStream::new(), closure: quote!(move || #call) };
        let fill = self.fill(&quote!(Self::#site()), &quote!(#mode), &load);
        let assertion = self.assert_plain();
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #signature {
                #assertion
                #fill
            }
        }
    }

    /// The call of the library's `fill`. `load` are statements and the closure that they end in.
    pub(super) fn fill(&self, site: &TokenStream, mode: &TokenStream, load: &Load) -> TokenStream {
        let library = &self.function.library;
        let (shape, output) = (self.function.shape_type(), &self.function.output);
        let (cache, key) = (local("__cache"), local("__key"));
        let Load { before: before_load, closure: load } = load;
        let Plan { before: before_plan, closure: plan } = self.plan();
        let Settle { before: before_settle, closure: settle } = self.settle();
        let (fill, inferred) = match self.function.is_async() {
            true => (quote!(fill), quote!(_, _, _, _)),
            false => (quote!(fill_sync), quote!(_, _, _)),
        };
        let await_ = self.function.await_();
        quote! {
            #before_plan
            #before_settle
            #before_load
            #library::__private::#fill::<#shape, #output, #inferred>(
                #cache, #site, #key, #mode, #plan, #load, #settle,
            ) #await_
        }
    }

    pub(super) fn plan(&self) -> Plan {
        let plan = local("__plan");
        let mut before = TokenStream::new();
        let mut steps = TokenStream::new();
        let policy = self.policy_call();
        steps.extend(quote!(#plan.policy(#policy);));
        for (at, (knob, value)) in self.args.open.iter().enumerate() {
            let kept = format_ident!("__knob_{at}", span = Span::mixed_site().located_at(value.span()));
            before.extend(quote!(let #kept = #value;));
            steps.extend(quote!(#plan.#knob(#kept);));
        }
        for (at, tag) in self.args.tags.iter().enumerate() {
            let kept = format_ident!("__tag_{at}", span = Span::mixed_site());
            let text = self.tag(tag);
            before.extend(quote!(let #kept = #text;));
            steps.extend(quote!(#plan.tag(#kept.to_key());));
        }
        let library = &self.function.library;
        let (shape, output) = (self.function.shape_type(), &self.function.output);
        steps.extend(quote! {
            #plan.share_errors(#library::__private::error_cloner!(#shape, #output));
        });
        if let Some(local) = &self.args.local {
            steps.extend(quote!(#plan.#local();));
        }
        Plan { before, closure: quote!(move |#plan| { #steps }) }
    }

    fn tag(&self, tag: &Tag) -> TokenStream {
        let library = &self.function.library;
        let buf = local("__buf");
        let steps = match tag {
            Tag::Template(literal) => match Checked::new(literal, self.function, &[]) {
                Ok(template) => template.render(self.function, View::Signature, &buf),
                Err(error) => error.to_compile_error(),
            },
            Tag::Text(text) => quote_spanned! {text.span()=>
                #buf.literal(::core::convert::AsRef::<str>::as_ref(&#text));
            },
        };
        quote! {{
            let mut #buf = #library::__private::KeyBuf::new();
            #steps
            #buf
        }}
    }

    pub(super) fn settle(&self) -> Settle {
        self.settle_with(&self.args.decisions.iter().collect::<Vec<_>>())
    }

    /// For a value that is put: no time was spent on it.
    pub(super) fn settle_put(&self) -> Settle {
        let timeless = |decision: &&Decision| decision.method != "slower_than";
        self.settle_with(&self.args.decisions.iter().filter(timeless).collect::<Vec<_>>())
    }

    fn settle_with(&self, decisions: &[&Decision]) -> Settle {
        let settle = local("__settle");
        let steps = decisions.iter().map(|Decision { method, argument }| {
            quote!(#settle.#method(#argument);)
        });
        let said: TokenStream = decisions.iter().map(|decision| decision.argument.clone()).collect();
        let mut before = TokenStream::new();
        let mut bring = TokenStream::new();
        for argument in &self.function.arguments {
            let ident = &argument.ident;
            if !matches!(argument.held, Held::Shared(_)) && mention(&said, ident) {
                let kept = format_ident!("__kept_{ident}", span = Span::mixed_site());
                before.extend(quote!(let #kept = ::core::clone::Clone::clone(&#ident);));
                bring.extend(quote!(let #ident = #kept;));
            }
        }
        Settle { before, closure: quote!(move |#settle| { #bring #(#steps)* }) }
    }

    /// `__policy`: the knobs with literals, checked when the function is compiled.
    pub(super) fn policy_function(&self) -> TokenStream {
        let (name, lints, body) = (self.hidden("policy"), super::all_lints(), self.policy());
        let library = &self.function.library;
        let conditions = &self.attributes.conditions;
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #[inline]
            fn #name() -> #library::Policy { #body }
        }
    }

    fn policy_call(&self) -> TokenStream {
        if self.is_inline() {
            return self.policy();
        }
        let name = self.hidden("policy");
        quote!(Self::#name())
    }

    /// A block with the policy as a constant: a contradiction is an error at the knob, when compiling.
    fn policy(&self) -> TokenStream {
        let library = &self.function.library;
        let constant = Ident::new("__LARDER_POLICY", Span::mixed_site());
        let mut knobs = quote!(#library::__private::Knobs::new());
        for (knob, value) in &self.args.constant {
            let lit = self.function.private_at(knob.span(), "Lit");
            knobs = quote_spanned!(knob.span()=> #knobs.#knob(#lit::#value));
        }
        let decides_ttl = self.args.decisions.iter().any(|decision| decision.method == "ttl_with");
        let finish = match self.args.open.is_empty() && !decides_ttl {
            true => quote!(finish),
            false => quote!(finish_open),
        };
        quote! {{
            const #constant: #library::Policy = #knobs.#finish();
            #constant
        }}
    }

    /// Refuses an alias of `Result` that was taken for a plain value: its errors would be kept.
    pub(super) fn assert_plain(&self) -> Option<TokenStream> {
        if !self.function.shape_is_read || self.function.shape != crate::args::Shape::Plain {
            return None;
        }
        let output = &self.function.output;
        let generics = crate::generics::needed_by(&self.function.item.sig.generics, &quote!(#output));
        let open = self.in_type() || !generics.params.is_empty();
        let message = format!(
            "the return type of `{}` is a `Result` by another name: add `result` to the attribute",
            super::plain_name(self.function)
        );
        let library = &self.function.library_at(output.span());
        let assert = quote_spanned! {output.span()=> {
            #[allow(unused_imports)]
            use #library::__private::NotResult as _;
            ::core::assert!(!#library::__private::IsResult::<#output>::YES, #message)
        }};
        // A constant of its own is evaluated even if nothing calls the function, but cannot name `Self`
        // or a type parameter.
        Some(match open || names(quote!(#output), "Self") {
            true => quote!(const { #assert };),
            false => quote!(const _: () = #assert;),
        })
    }
}
