//! What cannot be cached, and what to do instead.

use proc_macro2::Ident;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{FnArg, GenericParam, Pat, Safety, Type};

use crate::args::{Args, Shape, Tag};
use crate::diagnose::Errors;
use crate::edges::{Edge, Edges, RETURNED, Said};
use crate::expand::Does;
use crate::guards::cannot_refuse;
use crate::key::Checked;
use crate::knobs;
use crate::model::{Argument, Function, Held, Taken, is_inner};
use crate::tokens::{self, mention, mention_free, names};

/// Checks `#[cached]` and `#[cache_put]`.
pub(crate) fn entry(args: &Args, function: &Function, does: Does) -> syn::Result<()> {
    let mut errors = Errors::default();
    qualifiers(function, &mut errors);
    arguments(function, &mut errors);
    output(function, &mut errors);
    place(args, function, does, &mut errors);
    key(args, function, does, &mut errors);
    knobs(args, function, &mut errors);
    stacked(args, function, does, &mut errors);
    if does == Does::Read {
        background(args, function, &mut errors);
        handle(args, function, &mut errors);
    }
    if does == Does::Put {
        unbounded(args, &mut errors);
    }
    moved(args, function, &mut errors);
    errors.finish()
}

/// Checks `#[cached_batch]`: the function as it is, and as if it were asked for one id.
pub(crate) fn batch(args: &Args, whole: &Function, one: &Function) -> syn::Result<()> {
    let mut errors = Errors::default();
    qualifiers(whole, &mut errors);
    arguments(whole, &mut errors);
    output(whole, &mut errors);
    place(args, whole, Does::Batch, &mut errors);
    key(args, one, Does::Batch, &mut errors);
    knobs(args, one, &mut errors);
    stacked(args, whole, Does::Batch, &mut errors);
    background(args, whole, &mut errors);
    handle(args, one, &mut errors);
    moved(args, one, &mut errors);
    no_handle(args, "cached_batch", &mut errors);
    no_timeouts(args, "a call for many ids", &mut errors);
    if matches!(
        whole.receiver,
        Some(Taken::Owned | Taken::Pointer | Taken::Other)
    ) {
        let receiver = whole.item.sig.receiver();
        errors.add(receiver, "the function may be called for several chunks, and can take `self` only once: take `&self`");
    }
    errors.finish()
}

/// Checks `#[cached_stream]`: the function as it is, and as if it returned all `item`s at once.
pub(crate) fn stream(
    args: &Args,
    source: &Function,
    all: &Function,
    item: &Type,
) -> syn::Result<()> {
    let mut errors = Errors::default();
    qualifiers(source, &mut errors);
    arguments(source, &mut errors);
    if let Some(borrowed) = tokens::borrowed_part(item) {
        errors.add(borrowed, "what is kept outlives this call and cannot borrow: yield something owned (`String` for `&str`, `Arc<T>` for a large `T`)");
    }
    place(args, source, Does::Collect, &mut errors);
    key(args, all, Does::Collect, &mut errors);
    for decision in &args.decisions {
        let name = &decision.method;
        if name == "errors" || name == "errors_when" {
            errors.add(name, format!("an error among the items is passed on, and nothing is kept then: remove `{name}`"));
        } else if name == "skip_none" {
            errors.add(
                name,
                "what is kept is all items together: remove `skip_none`, or filter the source",
            );
        }
    }
    if let Some(strict) = &args.strict {
        errors.add(strict, "a stream has no place for errors of a store, which are told by events: remove `strict`");
    }
    if !args.says_ttl {
        errors.push(syn::Error::new(
            proc_macro2::Span::call_site(),
            knobs::SAY_HOW_LONG,
        ));
    }
    stacked(args, source, Does::Collect, &mut errors);
    background(args, source, &mut errors);
    handle(args, all, &mut errors);
    moved(args, all, &mut errors);
    no_handle(args, "cached_stream", &mut errors);
    no_timeouts(args, "a stream that is passed on", &mut errors);
    errors.finish()
}

/// Limits in time need one value to stand in, and one answer to refuse.
fn no_timeouts(args: &Args, what: &str, errors: &mut Errors) {
    for name in ["timeout", "hard_timeout"] {
        if let Some(knob) = args.knob(name) {
            errors.add(knob, format!("{what} cannot be left in the middle: remove `{name}`, and bound the source itself"));
        }
    }
}

fn no_handle(args: &Args, attribute: &str, errors: &mut Errors) {
    if let Some(flag) = &args.no_handle {
        errors.add(flag, format!("`#[{attribute}]` needs its handle: remove `no_handle`; in the `impl` of a trait, call an inherent method that has the attribute"));
    }
}

/// Checks `#[invalidates]`.
pub(crate) fn edges(edges: &Edges, function: &Function, errors: &mut Errors) {
    qualifiers(function, errors);
    if let Some(found) = tokens::impl_trait(&function.output) {
        errors.add(
            found,
            "whether the function succeeded is read from its return type: write the type",
        );
    }
    for edge in &edges.edges {
        if let Edge::Text {
            said: Said::Template(literal),
            ..
        } = edge
        {
            errors.keep(Checked::new(literal, function, &[RETURNED]).map(drop));
        }
    }
    if let (Some(argument), true) = (function.argument(RETURNED), edges.wait_for_value()) {
        errors.add(&argument.ident, "in an edge `returned` is the value that the function returned: call this argument something else");
    }
}

/// Checks a guard. The bloom filter has an answer of its own for functions that return no `Result`.
pub(crate) fn guarded(name: &Ident, args: &Args, function: &Function, errors: &mut Errors) {
    qualifiers(function, errors);
    if let Some(found) = tokens::impl_trait(&function.output) {
        errors.add(
            found,
            "what a guard stands before needs a return type with a name: write the type",
        );
    } else if name != "bloom" {
        cannot_refuse(name, function, errors);
    }
    if args.key.is_some() || name == "bloom" {
        arguments(function, errors);
    }
    if name == "bloom" {
        handle(args, function, errors);
        if args.key.is_none() {
            without_key(args, function, errors);
        }
    }
}

/// A transaction around the body.
pub(crate) fn transactional(args: &Args, function: &Function, errors: &mut Errors) {
    qualifiers(function, errors);
    if let Some(found) = tokens::impl_trait(&function.output) {
        errors.add(
            found,
            "what is committed after it needs a return type with a name: write the type",
        );
    }
    if function.shape == Shape::Result {
        return;
    }
    let said = args.constant.iter().map(|(knob, _)| knob);
    let said = said.chain(args.open.iter().map(|(knob, _)| knob));
    for knob in said.filter(|knob| *knob == "mode" || *knob == "timeout") {
        let ty = function.output.to_token_stream();
        errors.add(
            knob,
            format!(
                "`{knob}` can keep a transaction from being committed, and `{ty}` has no place for the error: return a `Result`, add `result` if it is an alias of one, or remove `{knob}`"
            ),
        );
    }
}

/// `const`, `unsafe`, `extern` and variadic functions.
fn qualifiers(function: &Function, errors: &mut Errors) {
    let signature = &function.item.sig;
    if let Some(constant) = &signature.constness {
        errors.add(
            constant,
            "a `const fn` runs when compiling, where there is no cache: remove `const`",
        );
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.add(
            unsafety,
            "an `unsafe fn` cannot be cached, because its caller's promise does not hold for a load that runs later: cache a safe function around it",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.add(abi, "an `extern fn` is called from outside of Rust and cannot be cached: cache a function that it calls");
    }
}

fn arguments(function: &Function, errors: &mut Errors) {
    for input in &function.item.sig.inputs {
        let FnArg::Typed(typed) = input else { continue };
        if let Some(condition) = typed
            .attrs
            .iter()
            .find(|attribute| attribute.path().is_ident("cfg"))
        {
            errors.add(condition, "an argument that is not always there cannot be followed into the key: put `#[cfg]` on the whole function");
        }
        let is_name = matches!(&*typed.pat, Pat::Ident(pattern) if pattern.by_ref.is_none() && pattern.subpat.is_none());
        if !is_name {
            errors.add(&typed.pat, "the key and the handle need a name for this argument: take it as `name: Type` and match inside");
        }
    }
}

fn output(function: &Function, errors: &mut Errors) {
    let ty = &function.output;
    if let Type::Never(never) = ty {
        errors.add(
            never,
            "a function that never returns has nothing to keep: remove the attribute",
        );
    } else if let Some(found) = tokens::impl_trait(ty) {
        if names(found.to_token_stream(), "Future") {
            errors.add(found, "a future is not a value that can be kept: write `async fn`, and return what the future gives");
        } else {
            errors.add(
                found,
                "what is kept needs a type with a name: write the type, or `Arc<dyn Trait>`",
            );
        }
    } else if names(ty.to_token_stream(), "Future") && names(ty.to_token_stream(), "Pin") {
        errors.add(ty, "a future is not a value that can be kept: write `async fn`; under `#[async_trait]`, cache an inherent `async fn` and call that");
    } else if let Some(borrowed) = tokens::borrowed_part(ty) {
        errors.add(borrowed, "what is kept outlives this call and cannot borrow: return something owned (`String` for `&str`, `Vec<T>` for `&[T]`, `Arc<T>` for a large `T`)");
    }
}

/// Whether the function stands where the attribute says.
fn place(args: &Args, function: &Function, does: Does, errors: &mut Errors) {
    if let (Some(associated), Some(_)) = (&args.associated, function.receiver) {
        errors.add(
            associated,
            "a method with `self` is known to be one: remove `associated`",
        );
    }
    let inline = args.no_handle.is_some() || does == Does::Put;
    if function.receiver.is_none()
        && args.associated.is_none()
        && !inline
        && let Some(found) = tokens::self_type(&function.item)
    {
        errors.push(syn::Error::new(found, "this is a function of a type, without `self`: add `associated` to the attribute (or `no_handle` in the `impl` of a trait)"));
    }
    if let (Does::Put, Some(flag)) = (does, &args.no_handle) {
        errors.add(
            flag,
            "`#[cache_put]` never makes a handle: remove `no_handle`",
        );
    }
}

fn key(args: &Args, function: &Function, does: Does, errors: &mut Errors) {
    if let Some((skip, skipped)) = &args.skip {
        if args.key.is_some() {
            errors.add(skip, "`skip` is for keys made of all arguments, and the template names those that it shows: remove `skip`");
        }
        for ident in skipped {
            known_argument(ident, function, errors);
        }
    }
    for tag in &args.tags {
        if let Tag::Template(literal) = tag {
            errors.keep(Checked::new(literal, function, &[]).map(drop));
        }
    }
    if args.key.is_some() {
        return;
    }
    if does == Does::Put {
        let message = format!(
            "say which entry is written: `key = \"..\"`, as on the function that reads it (`{}` itself never does)",
            function.name()
        );
        errors.push(syn::Error::new(proc_macro2::Span::call_site(), message));
        return;
    }
    without_key(args, function, errors);
}

/// All arguments are the key.
fn without_key(args: &Args, function: &Function, errors: &mut Errors) {
    generic_without_key(function, errors);
    let skipped = |argument: &Argument| {
        args.skip
            .as_ref()
            .is_some_and(|(_, skip)| skip.contains(&argument.ident))
    };
    for argument in &function.arguments {
        if let (Held::Unique(_), false) = (&argument.held, skipped(argument)) {
            let name = argument.ident.unraw();
            errors.add(&argument.ty, format!("without a `key` every argument is part of it, and `{name}` is there to be changed: leave it out with `skip = [{name}]`"));
        }
    }
}

fn generic_without_key(function: &Function, errors: &mut Errors) {
    let generic = function
        .item
        .sig
        .generics
        .params
        .iter()
        .find_map(|param| match param {
            GenericParam::Type(ty) => Some(ty.ident.to_token_stream()),
            GenericParam::Const(constant) => Some(constant.ident.to_token_stream()),
            GenericParam::Lifetime(_) => None,
        });
    let hidden = function
        .arguments
        .iter()
        .find_map(|argument| tokens::impl_trait(&argument.ty));
    if let Some(generic) = generic.or_else(|| hidden.map(ToTokens::to_token_stream)) {
        errors.add(generic, "calls with other types would share their entries: give a generic function a `key = \"..\"` that tells them apart");
    }
}

fn known_argument(ident: &Ident, function: &Function, errors: &mut Errors) {
    let is_self = ident == "self" && function.receiver.is_some();
    if is_self
        || function
            .arguments
            .iter()
            .any(|argument| argument.ident == *ident)
    {
        return;
    }
    let all: Vec<String> = function
        .arguments
        .iter()
        .map(|argument| argument.ident.unraw().to_string())
        .collect();
    let meant = larder_syntax::suggest::nearest(&ident.to_string(), all.iter().map(String::as_str));
    let mend = meant.map_or_else(String::new, |meant| format!(": did you mean `{meant}`?"));
    errors.add(
        ident,
        format!("`{}` has no argument `{ident}`{mend}", function.name()),
    );
}

fn knobs(args: &Args, function: &Function, errors: &mut Errors) {
    if !args.says_ttl {
        errors.push(syn::Error::new(
            proc_macro2::Span::call_site(),
            knobs::SAY_HOW_LONG,
        ));
    }
    if let Some(knob) = args.knob(knobs::HARD_TIMEOUT) {
        cannot_refuse(knob, function, errors);
    }
    for decision in &args.decisions {
        let name = &decision.method;
        let (needs, flag, fits) = match name.to_string().as_str() {
            "skip_none" => ("an `Option`", "option", function.shape != Shape::Plain),
            "errors" | "errors_when" => ("a `Result`", "result", function.shape == Shape::Result),
            _ => continue,
        };
        if !fits {
            let ty = function.output.to_token_stream();
            let message = match function.shape_is_read {
                true => format!(
                    "`{name}` needs a function that returns {needs}, and `{ty}` does not look like one: if it is an alias of one, add `{flag}`; else remove `{name}`"
                ),
                false => format!("`{name}` needs a function that returns {needs}: remove `{name}`"),
            };
            errors.add(name, message);
        }
    }
}

/// Other attributes of Larder on the same function.
fn stacked(args: &Args, function: &Function, does: Does, errors: &mut Errors) {
    for attribute in &function.item.attrs {
        let Some(last) = attribute.path().segments.last() else {
            continue;
        };
        let name = last.ident.to_string();
        let reads = does != Does::Put;
        let is_cached = name.starts_with("cached");
        if is_cached || name == "background" || (name == "cache_put" && reads) {
            let message = match (reads, name.as_str()) {
                (true, _) if args.schedule.is_some() => {
                    "`#[background]` reads and computes by itself: keep it alone"
                }
                (true, "background") => "`#[background]` caches the function too: keep it alone",
                (true, _) if is_cached => "the function is cached already: keep one `#[cached]`",
                _ => {
                    "`#[cached]` may skip the body and `#[cache_put]` never does: keep one of them"
                }
            };
            errors.add(attribute.path(), message);
        } else if does == Does::Read && args.no_handle.is_some() && is_inner(&name) {
            errors.add(attribute.path(), format!("under `#[cached(no_handle)]` this would act on hits too: put `#[{name}]` above `#[cached]`"));
        }
    }
}

/// Whether every argument can be owned by a load that runs behind a hit.
fn background(args: &Args, function: &Function, errors: &mut Errors) {
    let Some(knob) = &args.background else { return };
    if let Some(flag) = &args.no_handle {
        errors.add(knob, format!("`{knob}` loads in the background, which needs the function's body apart from it: remove `{flag}`, or cache an inherent method and call that"));
        return;
    }
    let reason = |what: &str| {
        format!("`{knob}` loads in the background and needs copies of the arguments: {what}")
    };
    match function.receiver {
        Some(Taken::Unique) => {
            errors.add(knob, reason("`&mut self` cannot be copied; take `&self`"))
        }
        Some(Taken::Other) => errors.add(
            knob,
            reason("this `self` cannot be copied; take `&self` or `self: Arc<Self>`"),
        ),
        _ => {}
    }
    for argument in &function.arguments {
        let name = argument.ident.unraw();
        let why = match &argument.held {
            Held::Unique(_) => {
                format!("`{name}` is `&mut`, which cannot be copied; take `&` or something shared")
            }
            _ if tokens::impl_trait(&argument.ty).is_some() => {
                format!("give the type of `{name}` a name, like `<T: Clone + Send + 'static>`")
            }
            _ => match tokens::borrowed_part(argument.pointee()) {
                Some(borrowed) => format!(
                    "`{name}` holds a borrow (`{borrowed}`) that a copy of it would hold too; take something owned"
                ),
                None => continue,
            },
        };
        errors.add(knob, reason(&why));
    }
}

/// What `#[cache_put]` never waits for.
fn unbounded(args: &Args, errors: &mut Errors) {
    for name in knobs::TIMEOUTS {
        if let Some(knob) = args.knob(name) {
            errors.add(knob, format!("`{name}` bounds the wait for a load, and `#[cache_put]` always runs its body to the end: remove `{name}`"));
        }
    }
}

/// What the handle of a method cannot do.
fn handle(args: &Args, function: &Function, errors: &mut Errors) {
    let in_type = function.receiver.is_some() || args.associated.is_some();
    if args.no_handle.is_some() || !in_type {
        return;
    }
    const MOST: usize = 8;
    if let Some(ninth) = function.arguments.get(MOST) {
        errors.add(&ninth.ident, format!("the handle of a method takes at most {MOST} arguments: put some into a struct, or add `no_handle`"));
    }
    for argument in &function.arguments {
        if let Some(found) = tokens::impl_trait(&argument.ty) {
            errors.add(found, "the handle of a method needs a name for this type: write `<T: Trait>`, or add `no_handle`");
        }
        if args
            .cache
            .as_ref()
            .is_some_and(|cache| mention(cache, &argument.ident))
        {
            errors.add(&args.cache, "the handle of a method is made before its arguments are known: choose the cache by `self`, or add `no_handle`");
        }
    }
}

/// Decisions come after the body, which may have moved or changed what they look at.
fn moved(args: &Args, function: &Function, errors: &mut Errors) {
    for decision in &args.decisions {
        let said = &decision.argument;
        if names(quote!(#said), "self")
            && !matches!(
                function.receiver,
                None | Some(Taken::Shared | Taken::SharedPointer)
            )
        {
            errors.add(said, "this is decided after the body, which has taken `self`: take `&self`, or look at the value only");
        }
        for argument in &function.arguments {
            if matches!(argument.held, Held::Unique(_)) && mention_free(said, &argument.ident) {
                errors.add(said, format!("this is decided after the body, which has taken `{}`: look at the value only", argument.ident));
            }
        }
    }
}
