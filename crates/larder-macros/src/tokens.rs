//! Questions about tokens and types that do not depend on what an attribute means.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, Type, TypeReference};

/// Whether `tokens` name `word`, also from within a format string (`"{word}"`).
pub(crate) fn mention(tokens: impl ToTokens, word: &Ident) -> bool {
    names(tokens.to_token_stream(), &word.unraw().to_string())
}

/// Like [`mention`], for a word that is no identifier of the function.
pub(crate) fn names(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident.unraw() == word,
        TokenTree::Group(group) => names(group.stream(), word),
        TokenTree::Literal(literal) => captures(&literal.to_string(), word),
        TokenTree::Punct(_) => false,
    })
}

fn captures(literal: &str, word: &str) -> bool {
    literal.match_indices('{').any(|(at, _)| {
        literal[at + 1..].strip_prefix(word).is_some_and(|rest| {
            rest.starts_with(|next: char| !next.is_alphanumeric() && next != '_')
        })
    })
}

/// Like [`mention`], but not where a closure's own parameter has the name.
pub(crate) fn mention_free(tokens: &TokenStream, word: &Ident) -> bool {
    let shadowed = syn::parse2::<syn::ExprClosure>(tokens.clone())
        .is_ok_and(|closure| mention(&closure.inputs, word));
    !shadowed && mention(tokens, word)
}

/// The first lifetime in a type that is not `'static`, written or left out.
pub(crate) fn borrowed_part(ty: &Type) -> Option<TokenStream> {
    let mut finder = BorrowFinder { found: None };
    finder.visit_type(ty);
    finder.found
}

struct BorrowFinder {
    found: Option<TokenStream>,
}

impl<'ast> Visit<'ast> for BorrowFinder {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        if self.found.is_none() && reference.lifetime.is_none() {
            self.found = Some(reference.to_token_stream());
        }
        visit::visit_type_reference(self, reference);
    }

    fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
        if self.found.is_none() && lifetime.ident != "static" {
            self.found = Some(lifetime.to_token_stream());
        }
    }

    // The lifetimes of `fn(&str)` and `Fn(&str)` belong to a later call.
    fn visit_type_fn_ptr(&mut self, _: &'ast syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments(
        &mut self,
        _: &'ast syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// The first `impl Trait` in a type.
pub(crate) fn impl_trait(ty: &Type) -> Option<&syn::TypeImplTrait> {
    struct Finder<'a>(Option<&'a syn::TypeImplTrait>);
    impl<'a> Visit<'a> for Finder<'a> {
        fn visit_type_impl_trait(&mut self, found: &'a syn::TypeImplTrait) {
            self.0.get_or_insert(found);
        }
    }
    let mut finder = Finder(None);
    finder.visit_type(ty);
    finder.0
}

/// Gives every lifetime of the signature that is left out, or is one of `named`, the name `to`.
pub(crate) fn bind_lifetimes(ty: &mut Type, named: &[Ident], to: &Lifetime) {
    Binder { named, to }.visit_type_mut(ty);
}

struct Binder<'a> {
    named: &'a [Ident],
    to: &'a Lifetime,
}

impl VisitMut for Binder<'_> {
    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.to.clone());
        }
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" || self.named.contains(&lifetime.ident) {
            *lifetime = self.to.clone();
        }
    }

    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(
        &mut self,
        _: &mut syn::ParenthesizedGenericArguments,
    ) {
    }
}

/// The last segment of a type that is a path.
pub(crate) fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Where a function's body or signature says `Self`, the type of an `impl` around it.
pub(crate) fn self_type(item: &syn::ItemFn) -> Option<Span> {
    struct Finder(Option<Span>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            if ident == "Self" {
                self.0.get_or_insert(ident.span());
            }
        }
        fn visit_macro(&mut self, makro: &'ast syn::Macro) {
            if let Some(found) = find(makro.tokens.clone(), "Self") {
                self.0.get_or_insert(found);
            }
        }
        // These bring a `Self` of their own.
        fn visit_item(&mut self, _: &'ast syn::Item) {}
    }
    let mut finder = Finder(None);
    finder.visit_signature(&item.sig);
    finder.visit_block(&item.block);
    finder.0
}

fn find(tokens: TokenStream, word: &str) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == word => Some(ident.span()),
        TokenTree::Group(group) => find(group.stream(), word),
        _ => None,
    })
}

/// The tokens, for errors that belong at `span`.
pub(crate) fn respanned(tokens: TokenStream, span: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}

/// The tokens, with this span.
pub(crate) fn spanned(tokens: TokenStream, span: Span) -> TokenStream {
    let place = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(place).collect()
}

/// The place of `span` in generated code: errors point at it, and lints know that no user wrote it.
///
/// All tokens of one generated expression need spans of the same kind, or the compiler falls back to
/// pointing at the whole attribute.
pub(crate) fn placed(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}
