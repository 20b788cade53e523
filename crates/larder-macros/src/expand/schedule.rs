//! The handle of a function that runs by itself: `start`, `stop`, `status` and `reader`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;

use super::fill::Load;
use super::{Unit, background, local, local_at};
use crate::key::View;
use crate::model::{Argument, Held};
use crate::schedule::Schedule;
use crate::tokens::placed;

/// Output, for `#[background(every = "30s")] async fn rates(base: &str) -> io::Result<Rates>`:
///
/// ```text
/// async fn __run(__cache: &Cache, __key: KeyBuf, __mode: Mode, __told: &mut Told, base: &str) -> io::Result<Rates>;
/// fn start(base: &str) -> Result<()>;
/// fn stop(base: &str) -> bool;
/// fn status(base: &str) -> Option<Status>;
/// fn reader(base: &str) -> ReaderBuilder<Rates>;
/// ```
pub(super) fn functions(unit: &Unit<'_>) -> Option<TokenStream> {
    let schedule = unit.args.schedule.as_ref()?;
    let functions = [
        run(unit, schedule),
        start(unit, schedule),
        asks(
            unit,
            "stop",
            "Ends the schedule for these arguments; whether there was one. A run in progress goes on to its end: `Cache::shutdown` waits for it.",
            &quote!(bool),
        ),
        asks(
            unit,
            "status",
            "How the schedule for these arguments goes; `None` when this process has started none.",
            &{
                let library = &unit.function.library;
                quote!(::core::option::Option<#library::background::Status>)
            },
        ),
        reader(unit),
    ];
    Some(quote!(#(#functions)*))
}

/// `__run`: the fill of a scheduled run, whose source tells how it ended.
fn run(unit: &Unit<'_>, schedule: &Schedule) -> TokenStream {
    let library = &unit.function.library;
    let [cache, key, mode, told] = ["__cache", "__key", "__mode", "__told"].map(local);
    let first = [
        quote!(#cache: &#library::Cache),
        quote!(#key: #library::__private::KeyBuf),
        quote!(#mode: #library::__private::Mode),
        quote!(#told: &mut #library::__private::Told),
    ];
    let mut signature = unit.signature(&unit.hidden("run"), &first);
    let predicates = &mut signature.generics.make_where_clause().predicates;
    predicates.push(unit.keepable());
    let (uncached, site) = (unit.uncached(), unit.hidden("site"));
    let call = unit.call(&quote!(Self::#uncached), None, &[]);
    let await_ = unit.function.await_();
    let (shape, output) = (unit.function.shape_type(), &unit.function.output);
    let on_error = match &schedule.on_error {
        Some((_, closure)) => closure.to_token_stream(),
        None => quote!(|_| {}),
    };
    let saw = quote!(#told.saw::<#shape, #output>(#call #await_, #on_error));
    let closure = match unit.function.is_async() {
        true => quote!(move || async move { #saw }),
        false => quote!(move || #saw),
    };
    let load = Load {
        before: TokenStream::new(),
        closure,
        behind: None,
    };
    let fill = unit.fill(&quote!(Self::#site()), &quote!(#mode), &load);
    quote! {
        #[doc(hidden)]
        #signature { #fill }
    }
}

fn start(unit: &Unit<'_>, schedule: &Schedule) -> TokenStream {
    let library = &unit.function.library;
    let visibility = &unit.function.item.vis;
    let mut signature = unit.method("start", None, &quote!(#library::Result<()>));
    signature.asyncness = None;
    let bind_cache = unit.bind_cache(View::Signature);
    let (cache, key, beat) = (local("__cache"), local("__key"), local("__beat"));
    let (render, site) = (unit.key_call(), unit.hidden("site"));
    let (policy, wire) = (unit.policy_call(), unit.wire());
    let (make_beat, run) = (beat_of(unit, schedule), runner(unit));
    let arguments = &unit.function.arguments;
    let knob = unit.args.background.as_ref();
    let copier = knob
        .filter(|_| !arguments.is_empty())
        .map(background::copier);
    let own = arguments.iter().filter_map(background::own);
    quote! {
        #[doc = "Begins the schedule for these arguments, in the runtime that is current here."]
        #[doc = ""]
        #[doc = "# Errors"]
        #[doc = "`AlreadyStarted` when this key has a writer in this process; `InvalidPolicy` for a bad interval; `Closed`."]
        #visibility #signature {
            #copier
            #bind_cache
            let #key = #render;
            let #beat = #make_beat;
            #(#own)*
            #library::__private::start(
                #cache,
                #library::__private::Writes {
                    site: Self::#site(),
                    key: ::core::clone::Clone::clone(&#key),
                    wire: #wire,
                    policy: #policy,
                },
                #beat,
                #run,
            )
        }
    }
}

/// The closure that begins one run with copies of the arguments; what cannot run elsewhere is an error at the knob.
fn runner(unit: &Unit<'_>) -> TokenStream {
    let knob = unit.args.background.as_ref().map(Ident::span);
    let span = placed(knob.unwrap_or_else(|| unit.function.name().span()));
    let [ticket, told, cache, key, mode] =
        ["__ticket", "__told", "__cache", "__key", "__mode"].map(|name| local_at(name, span));
    let again = unit.function.arguments.iter().map(copy);
    let lent = unit.function.arguments.iter().map(background::lend);
    let turbofish = crate::generics::turbofish(&unit.function.item.sig.generics);
    let run = unit.hidden("run");
    let call = quote_spanned! {span=>
        Self::#run #turbofish(&#cache, #key, #mode, &mut #told, #(#lent),*)
    };
    let start = match unit.function.is_async() {
        true => quote_spanned! {span=>
            #ticket.run(move |#cache, #mode| async move {
                #told.begun();
                let _ = #call.await;
            });
        },
        false => quote_spanned! {span=>
            #ticket.run_blocking(move |#cache, #mode| {
                #told.begun();
                let _ = #call;
            });
        },
    };
    quote_spanned! {span=>
        move |#ticket, mut #told| {
            let #key = ::core::clone::Clone::clone(&#key);
            #(#again)*
            #start
        }
    }
}

/// A copy of an argument for one run: the schedule keeps its own.
fn copy(argument: &Argument) -> TokenStream {
    let ident = &argument.ident;
    match &argument.held {
        Held::Value => {
            // What cannot be copied is an error at the argument.
            let span = placed(ident.span());
            let copy = quote_spanned!(span=> __own(&#ident));
            quote!(let #ident = #copy;)
        }
        Held::Shared(_) | Held::Unique(_) => {
            quote!(let #ident = ::core::clone::Clone::clone(&#ident);)
        }
    }
}

/// When it runs: literals are checked when the function is compiled, expressions when the schedule is started.
fn beat_of(unit: &Unit<'_>, schedule: &Schedule) -> TokenStream {
    let library = &unit.function.library;
    let beat = local("__beat");
    let constants = schedule.constant.iter().map(|(knob, value)| {
        let start = local_at("__beat", knob.span());
        let lit = unit.function.private_at(value.span(), "Lit");
        let call = quote_spanned!(placed(value.span())=> #start.#knob(#lit::#value));
        quote!(let #beat = #call;)
    });
    let opens = schedule.open.iter().map(|(knob, value)| {
        let start = local_at("__beat", knob.span());
        let knob = Ident::new(&knob.to_string(), placed(knob.span()));
        quote_spanned!(placed(value.span())=> let #beat = #start.#knob(#value);)
    });
    // In a block of its own: what follows is the user's, who may have a constant of that name.
    quote! {{
        let #beat = {
            const LARDER_BEAT: #library::__private::Beat = {
                let #beat = #library::__private::BeatKnobs::new();
                #(#constants)*
                #beat.finish()
            };
            LARDER_BEAT
        };
        #(#opens)*
        #beat
    }}
}

/// A method that asks the library about the writer of the key.
fn asks(unit: &Unit<'_>, name: &str, doc: &str, output: &TokenStream) -> TokenStream {
    let library = &unit.function.library;
    let visibility = &unit.function.item.vis;
    let mut signature = unit.method(name, None, output);
    signature.asyncness = None;
    let bind_cache = unit.bind_cache(View::Signature);
    let (cache, render) = (local("__cache"), unit.key_call());
    let ask = &signature.ident;
    quote! {
        #[doc = #doc]
        #visibility #signature {
            #bind_cache
            #library::__private::#ask(#cache, &#render)
        }
    }
}

/// Before a run that was asked for: it does not run beside a scheduled one.
pub(super) fn turn(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let (cache, key, policy) = (local("__cache"), local("__key"), unit.policy_call());
    let turn = unit.drive(quote!(#library::__private::turn(#cache, &#key, #policy)));
    quote!(#turn;)
}

fn reader(unit: &Unit<'_>) -> TokenStream {
    let library = &unit.function.library;
    let visibility = &unit.function.item.vis;
    let value = unit.value_type();
    let output = quote!(#library::background::ReaderBuilder<#value>);
    let mut signature = unit.method("reader", None, &output);
    signature.asyncness = None;
    let predicates = &mut signature.generics.make_where_clause().predicates;
    predicates.push(unit.keepable());
    let bind_cache = unit.bind_cache(View::Signature);
    let (cache, render, wire) = (local("__cache"), unit.key_call(), unit.wire());
    quote! {
        #[doc = "A copy of the value for these arguments, pulled on an interval of its own; it never runs the body."]
        #visibility #signature {
            #bind_cache
            #library::background::ReaderBuilder::new(#cache, #render, #wire)
        }
    }
}
