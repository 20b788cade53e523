//! The part of a function's generics that some of its types need.

use std::collections::BTreeSet;

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{GenericParam, Generics, WherePredicate};

use crate::tokens::names;

/// The generics that `tokens` need, with everything their bounds need.
pub(crate) fn needed_by(generics: &Generics, tokens: &TokenStream) -> Generics {
    let mut kept = BTreeSet::new();
    let mut text = tokens.clone();
    loop {
        let before = kept.len();
        for param in &generics.params {
            if names(text.clone(), &name(param)) && kept.insert(name(param)) {
                text.extend(param.to_token_stream());
            }
        }
        let predicates = generics
            .where_clause
            .iter()
            .flat_map(|clause| &clause.predicates);
        for predicate in predicates.filter(|predicate| is_about(predicate, &kept)) {
            text.extend(predicate.to_token_stream());
        }
        if kept.len() == before {
            break;
        }
    }
    only(generics, &kept)
}

fn only(generics: &Generics, kept: &BTreeSet<String>) -> Generics {
    let mut generics = generics.clone();
    generics.params = generics
        .params
        .into_iter()
        .filter(|param| kept.contains(&name(param)))
        .collect();
    if generics.params.is_empty() {
        return Generics::default();
    }
    if let Some(clause) = &mut generics.where_clause {
        let predicates = std::mem::take(&mut clause.predicates);
        clause.predicates = predicates
            .into_iter()
            .filter(|predicate| is_about(predicate, kept))
            .collect();
    }
    generics
}

/// Whether a predicate bounds a type or lifetime that is kept.
fn is_about(predicate: &WherePredicate, kept: &BTreeSet<String>) -> bool {
    let subject = match predicate {
        WherePredicate::Lifetime(lifetime) => lifetime.lifetime.to_token_stream(),
        WherePredicate::Type(ty) => ty.bounded_ty.to_token_stream(),
        _ => return true,
    };
    kept.iter().any(|name| names(subject.clone(), name))
}

fn name(param: &GenericParam) -> String {
    match param {
        GenericParam::Lifetime(lifetime) => lifetime.lifetime.ident.to_string(),
        GenericParam::Type(ty) => ty.ident.to_string(),
        GenericParam::Const(constant) => constant.ident.to_string(),
    }
}

/// `::<T, N>`: what a call has to say, because lifetimes are always found.
pub(crate) fn turbofish(generics: &Generics) -> TokenStream {
    let said: Vec<&Ident> = generics
        .params
        .iter()
        .filter_map(|param| match param {
            GenericParam::Lifetime(_) => None,
            GenericParam::Type(ty) => Some(&ty.ident),
            GenericParam::Const(constant) => Some(&constant.ident),
        })
        .collect();
    if said.is_empty() {
        TokenStream::new()
    } else {
        quote!(::<#(#said),*>)
    }
}

/// The lifetimes a signature declares.
pub(crate) fn lifetimes(generics: &Generics) -> Vec<Ident> {
    generics
        .lifetimes()
        .map(|param| param.lifetime.ident.clone())
        .collect()
}
