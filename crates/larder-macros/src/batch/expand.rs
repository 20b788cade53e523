//! From both readings to tokens.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::Batch;
use crate::args::Shape;
use crate::expand::{all_lints, background, free, local, method, plain_name, without_attributes};
use crate::generics;
use crate::key::View;
use crate::model::{Held, Taken};
use crate::tokens;

pub(super) fn expand(batch: &Batch<'_>) -> TokenStream {
    let function = batch.function();
    let handle = match batch.whole.in_type() {
        true => batch.method_handle(),
        false => batch.free_handle(),
    };
    quote!(#function #handle)
}

impl Batch<'_> {
    /// The function that callers see.
    ///
    /// Input:
    ///
    /// ```text
    /// #[cached_batch(key = "user:{id}", ttl = "10m")]
    /// async fn users(ids: &[u64]) -> io::Result<HashMap<u64, User>> { load(ids).await }
    /// ```
    ///
    /// Output:
    ///
    /// ```text
    /// async fn users(ids: &[u64]) -> io::Result<HashMap<u64, User>> {
    ///     let __cache = ..;
    ///     let __looked = Asking::<u64, AsResult, io::Result<User>>::begin(__cache, users::__site(), ids.iter(), |id| users::__key(__cache, id));
    ///     let Some(mut __asking) = __looked else { return users::uncached_many(ids).await };
    ///     if __asking.is_done() { return __asking.finish() }
    ///     Box::pin(users::__run(__asking)).await
    /// }
    /// ```
    fn function(&self) -> TokenStream {
        let function = self.whole.function;
        let (attributes, visibility) = (&self.whole.attributes.outer, &function.item.vis);
        let signature = without_attributes(&function.item.sig);
        let bind_cache = self.whole.bind_cache(View::Signature);
        let bypass = self.whole.bypass();
        let ids = &function.arguments[self.at].ident;
        let begin = self.begin("begin", &quote!(#ids.iter()));
        let asking = local("__asking");
        let reload = self.reload();
        let finish = self.whole_call(&quote!(#asking.finish), &TokenStream::new());
        let run = self.run_call(&self.whole.owner(), function.self_token().as_ref());
        quote! {
            #(#attributes)*
            #[allow(clippy::needless_return, clippy::used_underscore_binding)]
            #visibility #signature {
                #bind_cache
                #bypass
                #begin
                #reload
                if #asking.is_done() {
                    return #finish;
                }
                #run
            }
        }
    }

    /// `let Some(mut __asking) = Asking::begin(..) else { return .. };`
    fn begin(&self, how: &str, ids: &TokenStream) -> TokenStream {
        let (asking, cache) = (local("__asking"), local("__cache"));
        let asking_type = self.asking_type(&quote!('_));
        let (owner, site) = (self.one.owner(), self.one.hidden("site"));
        let each = &self.one.function.arguments[self.at].ident;
        let key = self.one.key_call();
        let how = Ident::new(how, tokens::placed(each.span()));
        let uncached = self.whole.uncached();
        let call = self.whole.call(
            &quote!(#owner::#uncached),
            self.whole.function.self_token().as_ref(),
            &[],
        );
        let call = self.whole.boxed(call);
        quote! {
            let ::core::option::Option::Some(mut #asking) = <#asking_type>::#how(
                #cache, #owner::#site(), #ids, |#each| #key,
            ) else {
                return #call;
            };
        }
    }

    /// `Asking<'_, u64, AsResult, io::Result<User>>`
    fn asking_type(&self, lifetime: &TokenStream) -> TokenStream {
        let one = self.one.function;
        let span = tokens::placed(one.output.span());
        let (shape, output, id) = (one.shape_type(), &one.output, &self.types.id);
        let asking = one.private_at(span, "Asking");
        quote_spanned!(span=> #asking<#lifetime, #id, #shape, #output>)
    }

    /// A generic call with the whole function's shape and return type.
    fn whole_call(&self, method: &TokenStream, arguments: &TokenStream) -> TokenStream {
        let (shape, output) = (
            self.whole.function.shape_type(),
            &self.whole.function.output,
        );
        let span = tokens::placed(output.span());
        quote_spanned!(span=> #method::<#shape, #output>(#arguments))
    }

    /// Starts the reload behind of what was served and is due.
    fn reload(&self) -> Option<TokenStream> {
        self.whole.args.background.as_ref()?;
        let asking = local("__asking");
        let (owner, reload) = (self.whole.owner(), self.whole.hidden("reload"));
        let due = local("__due");
        let call = self.call_without_ids(
            &quote!(#owner::#reload),
            self.whole.function.self_token().as_ref(),
            &quote!(#due),
        );
        Some(quote! {
            if let ::core::option::Option::Some(#due) = #asking.due() {
                #call;
            }
        })
    }

    fn run_call(&self, owner: &TokenStream, receiver: Option<&TokenStream>) -> TokenStream {
        let (asking, run) = (local("__asking"), self.whole.hidden("run"));
        let call = self.call_without_ids(&quote!(#owner::#run), receiver, &quote!(#asking));
        self.whole.boxed(call)
    }

    /// A call of a function with the user's arguments, but with `first` in the place of the ids.
    fn call_without_ids(
        &self,
        path: &TokenStream,
        receiver: Option<&TokenStream>,
        first: &TokenStream,
    ) -> TokenStream {
        let names = self.rest().map(|argument| &argument.ident);
        let turbofish = generics::turbofish(&self.whole.function.item.sig.generics);
        let receiver = receiver.map(|receiver| quote!(#receiver,));
        quote!(#path #turbofish(#receiver #first, #(#names),*))
    }

    /// The arguments besides the ids.
    fn rest(&self) -> impl Iterator<Item = &crate::model::Argument> {
        let arguments = self.whole.function.arguments.iter().enumerate();
        arguments.filter_map(|(at, argument)| (at != self.at).then_some(argument))
    }

    /// The user's signature with another name, and with `first` in the place of the ids.
    fn signature_without_ids(&self, name: &Ident, first: &TokenStream) -> syn::Signature {
        let mut signature = self.whole.signature(name, &[]);
        let receiver = usize::from(self.whole.function.receiver.is_some());
        let inputs = std::mem::take(&mut signature.inputs);
        let kept = inputs.into_iter().enumerate();
        signature.inputs = kept
            .filter_map(|(at, input)| (at != receiver + self.at).then_some(input))
            .collect();
        let first: syn::FnArg = syn::parse_quote!(#first);
        signature.inputs.insert(receiver, first);
        signature
    }

    /// `__run`: asks until everything is known.
    ///
    /// Output:
    ///
    /// ```text
    /// async fn __run(mut __asking: Asking<'_, u64, AsResult, io::Result<User>>) -> io::Result<HashMap<u64, User>> {
    ///     __asking.prepare(|id, __plan| ..);
    ///     while let Some(__ids) = __asking.next().await {
    ///         if __ids.is_empty() { continue; }
    ///         let __output = __asking.run(Self::uncached_many(&__ids)).await;
    ///         __asking.judge(__output, |id, __settle| ..);
    ///         __asking.keep().await;
    ///     }
    ///     __asking.finish()
    /// }
    /// ```
    fn run_function(&self) -> TokenStream {
        let asking = local("__asking");
        let asking_type = self.asking_type(&quote!('_));
        let first = quote!(mut #asking: #asking_type);
        let mut signature = self.signature_without_ids(&self.whole.hidden("run"), &first);
        let clause = signature.generics.make_where_clause();
        clause.predicates.push(self.one.keepable());
        let assertion = self.whole.assert_plain();
        let prepare = self.prepare();
        let chunk = self.said.chunk.as_ref().map(|chunk| {
            let span = tokens::placed(chunk.span());
            quote_spanned!(span=> #asking.chunk(#chunk);)
        });
        let (ids, output) = (local("__ids"), local("__output"));
        let next = self.whole.drive(quote!(#asking.next()));
        let reload = self.reload();
        let source = self.source(&ids);
        let source = match self.whole.function.is_async() {
            true => source,
            false => quote!(async { #source }),
        };
        let run = self.whole.drive(quote!(#asking.run(#source)));
        let judge = self.judge(&output);
        let keep = self.whole.drive(quote!(#asking.keep()));
        let finish = self.whole_call(&quote!(#asking.finish), &TokenStream::new());
        let (lints, conditions) = (all_lints(), &self.whole.attributes.conditions);
        let copier = self.copier();
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #signature {
                #assertion
                #copier
                #chunk
                #prepare
                while let ::core::option::Option::Some(#ids) = #next {
                    #reload
                    if #ids.is_empty() {
                        continue;
                    }
                    let #output = #run;
                    #judge
                    #keep
                }
                #reload
                #finish
            }
        }
    }

    fn prepare(&self) -> TokenStream {
        let library = &self.whole.function.library;
        let (asking, plan) = (local("__asking"), local("__planning"));
        let each = &self.one.function.arguments[self.at].ident;
        let made = self.one.plan(View::Signature);
        let (before, closure) = (made.before, made.closure);
        quote! {
            #asking.prepare(|#each, #plan| {
                #before
                #library::__private::planned(#plan, #closure);
            });
        }
    }

    fn judge(&self, output: &Ident) -> TokenStream {
        let library = &self.whole.function.library;
        let (asking, deciding) = (local("__asking"), local("__deciding"));
        let each = &self.one.function.arguments[self.at].ident;
        let made = self.one.settle();
        let (before, closure) = (made.before, made.closure);
        let closure = quote! {
            |#each, #deciding| {
                #before
                #library::__private::decide(#deciding, #closure);
            }
        };
        let call = self.whole_call(&quote!(#asking.judge), &quote!(#output, #closure));
        quote!(#call;)
    }

    /// The call of the body for the ids `ids`, which may be one of several.
    fn source(&self, ids: &Ident) -> TokenStream {
        let function = self.whole.function;
        let uncached = self.whole.uncached();
        let arguments = function.arguments.iter().enumerate().map(|(at, argument)| {
            let ident = &argument.ident;
            match (&argument.held, at == self.at) {
                (Held::Shared(_), true) => quote!(&#ids),
                (_, true) => quote!(#ids),
                (Held::Shared(_), false) => quote!(#ident),
                (Held::Unique(_), false) => quote!(&mut *#ident),
                (Held::Value, false) => {
                    quote_spanned!(tokens::placed(ident.span())=> __again(&#ident))
                }
            }
        });
        let turbofish = generics::turbofish(&function.item.sig.generics);
        let receiver = function.self_token().map(|token| match function.receiver {
            Some(Taken::Unique) => quote!(&mut *#token,),
            _ => quote!(#token,),
        });
        quote!(Self::#uncached #turbofish(#receiver #(#arguments),*))
    }

    /// What copies arguments that are given away: the body may be called for several chunks.
    fn copier(&self) -> Option<TokenStream> {
        let given = self
            .rest()
            .any(|argument| matches!(argument.held, Held::Value));
        given.then(|| quote! {
            #[diagnostic::on_unimplemented(
                message = "the body may be called more than once, and needs a copy of `{Self}` each time, which is not `Clone`",
                label = "this is given away by each call",
                note = "take it by reference, derive or implement `Clone`, or pass it in an `Arc`"
            )]
            trait __Given: ::core::marker::Sized {
                fn again(&self) -> Self;
            }
            #[diagnostic::do_not_recommend]
            impl<T: ::core::clone::Clone> __Given for T {
                fn again(&self) -> T { ::core::clone::Clone::clone(self) }
            }
            fn __again<T: __Given>(given: &T) -> T { given.again() }
        })
    }

    /// `__reload`: starts the load of what is due, which outlives the call and therefore owns its arguments.
    fn reload_function(&self) -> Option<TokenStream> {
        let knob = self.whole.args.background.as_ref()?;
        let library = &self.whole.function.library;
        let span = tokens::placed(knob.span());
        let [due, cache, this, asking] =
            ["__due", "__cache", "__this", "__asking"].map(|name| Ident::new(name, span));
        let id = &self.types.id;
        let first = quote!(#due: #library::__private::Overdue<#id>);
        let mut signature = self.signature_without_ids(&self.whole.hidden("reload"), &first);
        signature.asyncness = None;
        signature.output = syn::ReturnType::Default;
        let function = self.whole.function;
        let own_this = function
            .receiver
            .map(|taken| background::own_self(&self.whole, taken));
        let own = self.rest().filter_map(background::own);
        let copier = background::clones(&self.whole).then(|| background::copier(knob));
        let (run, policy) = (self.whole.hidden("run"), self.whole.hidden("policy"));
        let receiver = function.receiver.map(|_| quote_spanned!(span=> &#this,));
        let lent = self.rest().map(background::lend);
        let turbofish = generics::turbofish(&function.item.sig.generics);
        let call = quote_spanned! {span=>
            let #asking = #due.ask(&#cache);
            let _ = Self::#run #turbofish(#receiver #asking, #(#lent),*)
        };
        let start = match function.is_async() {
            true => quote_spanned! {span=>
                #due.run(Self::#policy(), move |#cache, #due| async move { #call.await; });
            },
            false => quote_spanned! {span=>
                #due.run_blocking(move |#cache, #due| { #call; });
            },
        };
        let (lints, conditions) = (all_lints(), &self.whole.attributes.conditions);
        Some(quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #[cold]
            #signature {
                #copier
                #own_this
                #(#own)*
                #start
            }
        })
    }

    /// What stands in every handle of a batch, seen or not.
    fn hidden(&self) -> TokenStream {
        let hidden = [
            self.one.site_function(),
            self.one.policy_function(),
            self.one.key_function(),
            self.one.parts(),
            self.run_function(),
        ];
        let reload = self.reload_function();
        quote!(#(#hidden)* #reload)
    }

    /// A function of the handle that runs the body for one id.
    fn for_one(
        &self,
        doc: &str,
        name: &Ident,
        first: &[TokenStream],
        body: &TokenStream,
    ) -> TokenStream {
        let output = self.types.answer(self.whole.function);
        let mut signature = self.one.signature(name, first);
        signature.output = syn::parse_quote!(-> #output);
        let clause = signature.generics.make_where_clause();
        clause.predicates.push(self.one.keepable());
        let visibility = self.visibility();
        quote! {
            #[doc = #doc]
            #visibility #signature { #body }
        }
    }

    /// One id's part of an answer.
    fn picked(&self, answer: &TokenStream) -> TokenStream {
        let id = &self.one.function.arguments[self.at].ident;
        let library = &self.whole.function.library;
        let picked = self.whole_call(&quote!(#library::__private::picked), &quote!(#answer, #id));
        match self.whole.function.shape {
            Shape::Result => picked,
            _ => quote! {
                match #picked {
                    ::core::result::Result::Ok(found) => found,
                    ::core::result::Result::Err(never) => match never {},
                }
            },
        }
    }

    /// The body, asked for one id anew, or as a caller would.
    fn refresh(&self, name: &Ident, first: &[TokenStream]) -> TokenStream {
        let each = &self.one.function.arguments[self.at].ident;
        let bind_cache = first
            .is_empty()
            .then(|| self.whole.bind_cache(View::Signature));
        let (asking, cache) = (local("__asking"), local("__cache"));
        let asking_type = self.asking_type(&quote!('_));
        let (site, key) = (self.one.hidden("site"), self.one.key_call());
        let uncached = self.picked(&self.uncached_call());
        let run = self.run_call(&quote!(Self), self.whole.function.self_token().as_ref());
        let answer = self.picked(&run);
        let arguments = quote!(#cache, Self::#site(), [#each], |#each| #key);
        let anew = quote!(<#asking_type>::anew(#arguments));
        // A handle of a method asks in both ways.
        let (mode, library) = (local("__mode"), &self.whole.function.library);
        let start = match first {
            [] => anew,
            _ => quote! {
                (match #mode {
                    #library::__private::Mode::Foreground => <#asking_type>::begin(#arguments),
                    _ => #anew,
                })
            },
        };
        let body = quote! {
            #bind_cache
            let ::core::option::Option::Some(#asking) = #start else {
                return #uncached;
            };
            #answer
        };
        self.for_one(
            "Asks the body for this id and keeps what it gives, whatever is kept now.",
            name,
            first,
            &body,
        )
    }

    /// The body, asked for one id past the cache.
    fn uncached_one(&self, name: &Ident) -> TokenStream {
        let body = self.picked(&self.uncached_call());
        self.for_one(
            "Asks the body for this id, without reading or writing the cache.",
            name,
            &[],
            &body,
        )
    }

    fn uncached_call(&self) -> TokenStream {
        let each = &self.one.function.arguments[self.at].ident;
        let uncached = self.whole.uncached();
        let list = match self.whole.function.arguments[self.at].held {
            Held::Shared(_) => quote!(&::std::vec![::core::clone::Clone::clone(#each)]),
            _ => quote!(::std::vec![::core::clone::Clone::clone(#each)]),
        };
        let names = self.whole.function.arguments.iter().enumerate();
        let names = names.map(|(at, argument)| match at == self.at {
            true => list.clone(),
            false => argument.ident.to_token_stream(),
        });
        let function = self.whole.function;
        let turbofish = generics::turbofish(&function.item.sig.generics);
        let receiver = function.self_token().map(|token| quote!(#token,));
        self.whole
            .boxed(quote!(Self::#uncached #turbofish(#receiver #(#names),*)))
    }

    fn visibility(&self) -> syn::Visibility {
        match self.whole.in_type() {
            true => syn::Visibility::Inherited,
            false => self.whole.function.item.vis.clone(),
        }
    }

    /// `invalidate_many`, with the arguments of the function.
    fn invalidate_many(&self) -> TokenStream {
        let library = &self.whole.function.library;
        let (cache, ids) = (
            local("__cache"),
            &self.whole.function.arguments[self.at].ident,
        );
        let each = &self.one.function.arguments[self.at].ident;
        let (bind_cache, key) = (self.whole.bind_cache(View::Signature), self.one.key_call());
        let output = quote!(#library::Result<usize>);
        let signature = self.whole.method("invalidate_many", None, &output);
        let keys = quote!(#ids.iter().map(|#each| #key));
        let keys = quote!(::std::iter::Iterator::collect::<::std::vec::Vec<_>>(#keys));
        let call = quote!(#library::__private::invalidate_many(#cache, #keys));
        let call = self.whole.drive(call);
        let visibility = self.visibility();
        quote! {
            #[doc = "Forgets the entries of these ids; how many there were."]
            #visibility #signature {
                #bind_cache
                #call
            }
        }
    }

    fn free_handle(&self) -> TokenStream {
        let (name, visibility) = (self.whole.function.name(), &self.whole.function.item.vis);
        let conditions = &self.whole.attributes.conditions;
        let uncached = self.whole.uncached_function(visibility);
        let hidden = self.hidden();
        let named = |name: &str| format_ident!("{name}", span = self.whole.function.name().span());
        let seen = [
            free::key(&self.one),
            free::peek(&self.one),
            free::put(&self.one),
            self.refresh(&named("refresh"), &[]),
            free::invalidate(&self.one),
            free::explain(&self.one),
            free::stats(&self.one),
            self.uncached_one(&named("uncached")),
            self.invalidate_many(),
        ];
        let title = format!(
            "Handle of the cached batch `{0}`: `{0}::invalidate(..)` and its siblings take one id by reference, and the other arguments of the function.",
            plain_name(self.whole.function)
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
        let library = &self.whole.function.library;
        let function = self.whole.function;
        let (conditions, lints) = (&self.whole.attributes.conditions, all_lints());
        let uncached = self.whole.uncached_function(&syn::Visibility::Inherited);
        let (cache, mode) = (local("__cache"), local("__mode"));
        let first = [
            quote!(#cache: &#library::Cache),
            quote!(_: #library::__private::KeyBuf),
            quote!(#mode: #library::__private::Mode),
        ];
        let fill = self.refresh(&function.hidden("fill"), &first);
        let alone = self.uncached_one(&function.hidden("uncached"));
        let output = self.types.answer(function);
        let shape = self.answer_shape();
        let bound = method::bound(&self.one, &output, &shape, method::Callers::Other);
        let (hint, hidden) = (method::hint(&self.whole), self.hidden());
        quote! {
            #hint
            #uncached
            #hidden
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #fill
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #alone
            #bound
        }
    }

    /// How the answer for one id is read by a method's handle.
    fn answer_shape(&self) -> TokenStream {
        let one = self.one.function;
        if self.said.absent.is_some() {
            return one.shape_type();
        }
        let span = one.output.span();
        let found = one.private_at(span, "AsFound");
        if one.keeps_arc() {
            let around = one.private_at(span, "Arced");
            return quote!(#around<#found>);
        }
        found
    }
}
