//! What `#[cached_batch]` says besides the knobs of `#[cached]`, and which argument holds the ids.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, GenericArgument, Lit, PathArguments, Type};

use crate::args::{Args, Knob, expression, list, span_of_time};
use crate::model::Function;
use crate::tokens;

#[derive(Default)]
pub(super) struct BatchArgs {
    /// The name of one id in templates and knobs.
    each: Option<Ident>,
    /// The argument that holds the ids.
    ids: Option<Ident>,
    pub(super) chunk: Option<Expr>,
    pub(super) absent: Option<Ident>,
}

/// The knobs that only a batch has.
const OWN: [&str; 4] = ["each", "ids", "chunk", "absent"];

impl BatchArgs {
    pub(super) fn parse(tokens: TokenStream) -> syn::Result<(Self, Args)> {
        let mut said = Self::default();
        let (own, shared): (Vec<Knob>, Vec<Knob>) = list
            .parse2(tokens)?
            .into_iter()
            .partition(|knob| OWN.iter().any(|own| knob.name == own));
        let mut absent = None;
        for Knob { name, value } in own {
            let value = expression(&name, value)?;
            let twice = if name == "chunk" {
                said.chunk.replace(chunk(value)?).is_some()
            } else if name == "absent" {
                absent = Some(span_of_time(value)?);
                said.absent.replace(name.clone()).is_some()
            } else {
                let place = if name == "each" {
                    &mut said.each
                } else {
                    &mut said.ids
                };
                place.replace(ident(&name, &value)?).is_some()
            };
            if twice {
                let message = format!("`{name}` is given twice: keep one");
                return Err(syn::Error::new(name.span(), message));
            }
        }
        let mut args = Args::of(shared)?;
        if let (Some(name), Some(ttl)) = (&said.absent, absent) {
            // After `ttl_with`, which speaks of values.
            args.decide(name, ttl);
        }
        Ok((said, args))
    }

    /// What one of the ids is called: said, or the argument's name without its `s`.
    pub(super) fn each(&self, ids: &Ident, function: &Function) -> syn::Result<Ident> {
        let each = match &self.each {
            Some(each) => each.clone(),
            None => {
                let many = ids.unraw().to_string();
                let one = many.strip_suffix('s');
                // Without its `s` it may be a word of the language: `types`.
                let Some(one) = one.filter(|one| syn::parse_str::<Ident>(one).is_ok()) else {
                    let message = format!(
                        "what is one of `{many}` called? Add `each = id` to the attribute, and write `{{id}}` in templates"
                    );
                    return Err(syn::Error::new(ids.span(), message));
                };
                Ident::new(one, ids.span())
            }
        };
        if let Some(other) = function.argument(&each.unraw().to_string()) {
            let message = format!(
                "`{each}` is one of `{ids}` here, and cannot be another argument too: say `each = ..` with a name of its own"
            );
            return Err(syn::Error::new(other.ident.span(), message));
        }
        Ok(each)
    }
}

fn ident(name: &Ident, value: &Expr) -> syn::Result<Ident> {
    let ident = match value {
        Expr::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    };
    ident.ok_or_else(|| {
        let example = if name == "each" { "id" } else { "ids" };
        let message = format!("`{name}` is a name: write `{name} = {example}`");
        syn::Error::new_spanned(value, message)
    })
}

fn chunk(value: Expr) -> syn::Result<Expr> {
    if let Expr::Lit(ExprLit { lit, .. }) = &value {
        let number = match lit {
            Lit::Int(int) => int.base10_parse::<usize>().ok(),
            _ => None,
        };
        if number.is_none_or(|number| number == 0) {
            let message = "a chunk is a number of ids, from 1 on: write `chunk = 100`";
            return Err(syn::Error::new(value.span(), message));
        }
    }
    Ok(value)
}

/// Which argument holds the ids, and the type of one of them.
pub(super) fn ids(said: &BatchArgs, function: &Function) -> syn::Result<(usize, Type)> {
    let lists = function.arguments.iter().enumerate();
    let lists = lists.filter_map(|(at, argument)| Some((at, element(&argument.ty)?)));
    let lists: Vec<(usize, Type)> = lists.collect();
    let Some(name) = &said.ids else {
        return match &lists[..] {
            [one] => Ok(one.clone()),
            [] => {
                let signature = &function.item.sig;
                let at = match signature.inputs.is_empty() {
                    true => signature.ident.span(),
                    false => signature.inputs.span(),
                };
                Err(syn::Error::new(
                    at,
                    "a batch is asked for many ids: take them as `ids: &[Id]` or `ids: Vec<Id>`",
                ))
            }
            [_, second, ..] => {
                let second = &function.arguments[second.0];
                let names: Vec<String> = lists
                    .iter()
                    .map(|(at, _)| format!("`{}`", function.arguments[*at].ident))
                    .collect();
                let message = format!(
                    "which of {} are the ids? Add `ids = {}` to the attribute, or another of them",
                    names.join(" and "),
                    second.ident
                );
                Err(syn::Error::new(second.ident.span(), message))
            }
        };
    };
    let argument = function
        .arguments
        .iter()
        .find(|argument| argument.ident == *name);
    let Some(argument) = argument else {
        let all = function.arguments.iter();
        let all: Vec<String> = all.map(|argument| argument.ident.to_string()).collect();
        let near =
            larder_syntax::suggest::nearest(&name.to_string(), all.iter().map(String::as_str));
        let mend = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        let message = format!("`{}` has no argument `{name}`{mend}", function.name());
        return Err(syn::Error::new(name.span(), message));
    };
    let found = lists
        .into_iter()
        .find(|(at, _)| function.arguments[*at].ident == *name);
    found.ok_or_else(|| {
        let ty = argument.ty.to_token_stream();
        let message = format!(
            "the ids are taken as `&[Id]` or `Vec<Id>`, and `{name}` is a `{ty}`: change its type"
        );
        syn::Error::new(argument.ty.span(), message)
    })
}

/// The `T` of `&[T]`, `Vec<T>` and `&Vec<T>`.
fn element(ty: &Type) -> Option<Type> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Slice(slice) => Some((*slice.elem).clone()),
            other => of_vec(other),
        },
        other => of_vec(other),
    }
}

fn of_vec(ty: &Type) -> Option<Type> {
    let segment = tokens::last_segment(ty).filter(|segment| segment.ident == "Vec")?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(element) => Some(element.clone()),
        _ => None,
    })
}
