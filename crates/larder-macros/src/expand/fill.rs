//! The load: what is known before it (the plan), the body, and what is decided after it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, LitStr};

use super::{Unit, local, local_at};
use crate::args::{Decision, Tag};
use crate::key::{Checked, View};
use crate::knobs::HARD_TIMEOUT;
use crate::model::Held;
use crate::tokens::{mention, mention_free, names, placed};

/// The closure that fills in the plan, and what has to be evaluated before it because the body may
/// move the arguments.
pub(crate) struct Plan {
    pub(crate) before: TokenStream,
    pub(crate) closure: TokenStream,
}

/// The closure that runs the body, and statements that make it.
pub(crate) struct Load {
    pub(crate) before: TokenStream,
    pub(crate) closure: TokenStream,
    /// The closure that reloads behind what a store holds, if the function does.
    pub(crate) behind: Option<TokenStream>,
}

/// The closure that decides about a value, with copies of the arguments that it names.
pub(crate) struct Settle {
    pub(crate) before: TokenStream,
    pub(crate) closure: TokenStream,
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
    pub(crate) fn fill_function(&self) -> TokenStream {
        let library = &self.function.library;
        let lints = super::all_lints();
        let conditions = &self.attributes.conditions;
        let (cache, key, mode) = (local("__cache"), local("__key"), local("__mode"));
        let first = [
            quote!(#cache: &#library::Cache),
            quote!(#key: #library::__private::KeyBuf),
            quote!(#mode: #library::__private::Mode),
        ];
        let mut signature = self.signature(&self.hidden("fill"), &first);
        signature
            .generics
            .make_where_clause()
            .predicates
            .push(self.keepable());
        let (uncached, site) = (self.uncached(), self.hidden("site"));
        let this = self.function.self_token();
        let call = self.call(&quote!(Self::#uncached), this.as_ref(), &[]);
        let load = match self.args.background {
            None => Load {
                before: TokenStream::new(),
                closure: quote!(move || #call),
                behind: None,
            },
            Some(_) => self.load_or_reload(),
        };
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

    /// A load, and a reload behind what a store holds: whichever comes takes the arguments.
    ///
    /// Output:
    ///
    /// ```text
    /// let __arguments = Parcel::new((org, id));
    /// let __again = __key.clone();
    /// || { let (org, id) = __arguments.open(); Self::uncached(org, id) }
    /// |__ticket| { let (org, id) = __arguments.open(); Self::__reload(__ticket, __again, org, id) }
    /// ```
    fn load_or_reload(&self) -> Load {
        let library = &self.function.library;
        let [arguments, again, key, ticket, taken] =
            ["__arguments", "__again", "__key", "__ticket", "__taken"].map(local);
        let this = self.function.self_token();
        let names = self.function.names();
        let own = this.as_ref().map(|this| quote!(#this,));
        let receiver = this.as_ref().map(|_| taken.to_token_stream());
        let open = {
            let receiver = receiver.as_ref().map(|receiver| quote!(#receiver,));
            quote!(let (#receiver #(#names,)*) = #arguments.open();)
        };
        let (uncached, reload) = (self.uncached(), self.hidden("reload"));
        let load = self.call(&quote!(Self::#uncached), receiver.as_ref(), &[]);
        let first = [ticket.to_token_stream(), again.to_token_stream()];
        let reload = self.call(&quote!(Self::#reload), receiver.as_ref(), &first);
        Load {
            before: quote! {
                let #arguments = #library::__private::Parcel::new((#own #(#names,)*));
                let #again = ::core::clone::Clone::clone(&#key);
            },
            closure: quote!(|| { #open #load }),
            behind: Some(quote!(|#ticket| { #open #reload })),
        }
    }

    /// The call of the library's `fill`. `load` are statements and the closure that they end in.
    pub(super) fn fill(&self, site: &TokenStream, mode: &TokenStream, load: &Load) -> TokenStream {
        let (cache, key) = (local("__cache"), local("__key"));
        let Load {
            before: before_load,
            closure: load,
            behind,
        } = load;
        let Plan {
            before: before_plan,
            closure: plan,
        } = self.plan(View::Signature);
        let Settle {
            before: before_settle,
            closure: settle,
        } = self.settle();
        let (fill, inferred) = match (self.function.is_async(), behind) {
            (true, None) => ("fill", quote!(, _, _, _, _)),
            (true, Some(_)) => ("fill_behind", quote!(, _, _, _, _, _)),
            (false, None) => ("fill_sync", quote!(, _, _, _)),
            (false, Some(_)) => ("fill_sync_behind", quote!(, _, _, _, _)),
        };
        let behind = behind.as_ref().map(|behind| quote!(, #behind));
        let await_ = self.function.await_();
        let arguments = quote!(#cache, #site, #key, #mode, #plan, #load, #settle #behind);
        let call = self.typed_call(fill, &inferred, &arguments);
        quote! {
            #before_plan
            #before_settle
            #before_load
            #call #await_
        }
    }

    /// `view` says how the arguments stand around it.
    pub(crate) fn plan(&self, view: View) -> Plan {
        let plan = local("__plan");
        let policy = self.policy_call();
        let mut before = TokenStream::new();
        let mut steps = quote!(#plan.policy(#policy););
        for (at, tag) in self.args.tags.iter().enumerate() {
            let kept = format_ident!("__tag_{at}", span = Span::mixed_site());
            if let Tag::Template(literal) = tag {
                let text = self.tag_template(literal, view);
                before.extend(quote!(let #kept = #text;));
            }
            steps.extend(quote!(#plan.tag(#kept);));
        }
        // What follows is the user's, and expects the arguments as they are in the signature.
        if view == View::References {
            before.extend(self.values_named());
        }
        for (at, tag) in self.args.tags.iter().enumerate() {
            if let Tag::Text(text) = tag {
                let kept = format_ident!("__tag_{at}", span = Span::mixed_site());
                let text = self.tag_text(text);
                before.extend(quote!(let #kept = #text;));
            }
        }
        for (at, (knob, value)) in self.args.open.iter().enumerate() {
            let kept = local_at(&format!("__knob_{at}"), value.span());
            before.extend(quote!(let #kept = #value;));
            let plan = local_at("__plan", knob.span());
            let knob = Ident::new(&knob.to_string(), placed(knob.span()));
            steps.extend(quote_spanned!(placed(value.span())=> #plan.#knob(#kept);));
        }
        let output = &self.function.output;
        let (shape, span) = (self.function.shape_type(), placed(output.span()));
        let cloner = self.function.private_at(span, "error_cloner");
        let cloner = quote_spanned!(span=> #cloner!(#shape, #output));
        steps.extend(quote!(#plan.share_errors(#cloner);));
        let refusal = self.function.private_at(span, "refusal");
        let refusal = quote_spanned!(span=> #refusal!(#shape, #output));
        steps.extend(quote!(#plan.carry_refusals(#refusal);));
        if let Some(knob) = self.args.knob(HARD_TIMEOUT) {
            let span = placed(knob.span());
            let (plan, refuse) = (local_at("__plan", span), Ident::new("refuse_late", span));
            steps.extend(quote_spanned!(span=> #plan.#refuse();));
        }
        let wire = self.wire();
        steps.extend(quote!(#plan.wire(#wire);));
        if let Some(local) = &self.args.local {
            steps.extend(quote!(#plan.#local();));
        }
        if let Some(strict) = &self.args.strict {
            let span = placed(strict.span());
            let (plan, strict) = (local_at("__plan", span), Ident::new("strict", span));
            steps.extend(quote_spanned!(span=> #plan.#strict();));
        }
        Plan {
            before,
            closure: quote!(move |#plan| { #steps }),
        }
    }

    /// Copies of the arguments that knobs name, where they stand behind references.
    fn values_named(&self) -> TokenStream {
        let open = self.args.open.iter().map(|(_, value)| quote!(#value));
        let tags = self.args.tags.iter().filter_map(|tag| match tag {
            Tag::Text(text) => Some(quote!(#text)),
            Tag::Template(_) => None,
        });
        let decisions = self
            .args
            .decisions
            .iter()
            .map(|decision| decision.argument.clone());
        let said: TokenStream = open.chain(tags).chain(decisions).collect();
        let named = self.function.arguments.iter().filter(|argument| {
            matches!(argument.held, Held::Value) && mention(&said, &argument.ident)
        });
        named
            .map(|argument| {
                let ident = &argument.ident;
                quote!(let #ident = ::core::clone::Clone::clone(#ident);)
            })
            .collect()
    }

    fn tag_template(&self, literal: &LitStr, view: View) -> TokenStream {
        let library = &self.function.library;
        let buf = local("__buf");
        let steps = match Checked::new(literal, self.function, &[]) {
            Ok(template) => template.render(self.function, view, &buf),
            Err(error) => error.to_compile_error(),
        };
        quote! {{
            let mut #buf = #library::__private::KeyBuf::new();
            #steps
            #buf.to_key()
        }}
    }

    fn tag_text(&self, text: &Expr) -> TokenStream {
        let library = self.function.library_at(text.span());
        quote_spanned! {text.span()=>
            #library::Key::from(::core::convert::AsRef::<str>::as_ref(&#text))
        }
    }

    pub(crate) fn settle(&self) -> Settle {
        let decisions = &self.args.decisions;
        let settle = local("__settle");
        let steps = decisions.iter().map(|Decision { method, argument }| {
            let settle = local_at("__settle", method.span());
            let span = placed(method.span());
            let method = Ident::new(&method.to_string(), span);
            quote_spanned!(span=> #settle.#method(#argument);)
        });
        let mut before = TokenStream::new();
        let mut bring = TokenStream::new();
        for argument in &self.function.arguments {
            let ident = &argument.ident;
            let named = decisions
                .iter()
                .any(|decision| mention_free(&decision.argument, ident));
            if !matches!(argument.held, Held::Shared(_)) && named {
                let kept = format_ident!("__kept_{ident}", span = Span::mixed_site());
                before.extend(quote!(let #kept = ::core::clone::Clone::clone(&#ident);));
                bring.extend(quote!(let #ident = #kept;));
            }
        }
        Settle {
            before,
            closure: quote!(move |#settle| { #bring #(#steps)* }),
        }
    }

    /// `__policy`: the knobs with literals, checked when the function is compiled.
    pub(crate) fn policy_function(&self) -> TokenStream {
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

    pub(super) fn policy_call(&self) -> TokenStream {
        if self.is_inline() {
            return self.policy();
        }
        let (owner, name) = (self.owner(), self.hidden("policy"));
        quote!(#owner::#name())
    }

    /// A block with the policy as a static: a contradiction is an error at the knob, when compiling.
    fn policy(&self) -> TokenStream {
        let library = &self.function.library;
        let constant = Ident::new("LARDER_POLICY", Span::mixed_site());
        let knobs = local("__knobs");
        let steps = self.args.constant.iter().map(|(knob, value)| {
            let start = local_at("__knobs", knob.span());
            let lit = self.function.private_at(value.span(), "Lit");
            let call = quote_spanned!(placed(value.span())=> #start.#knob(#lit::#value));
            quote!(let #knobs = #call;)
        });
        let decides_ttl = self
            .args
            .decisions
            .iter()
            .any(|decision| decision.method == "ttl_with");
        let finish = match self.args.open.is_empty() && !decides_ttl {
            true => quote!(finish),
            false => quote!(finish_open),
        };
        quote! {{
            static #constant: #library::Policy = {
                let #knobs = #library::__private::Knobs::new();
                #(#steps)*
                #knobs.#finish()
            };
            #constant
        }}
    }

    /// Refuses an alias of `Result` that was taken for a plain value: its errors would be kept.
    pub(crate) fn assert_plain(&self) -> Option<TokenStream> {
        if !self.function.shape_is_read || self.function.shape != crate::args::Shape::Plain {
            return None;
        }
        let output = &self.function.output;
        let generics =
            crate::generics::needed_by(&self.function.item.sig.generics, &quote!(#output));
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
