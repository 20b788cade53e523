//! What may stand behind the `=` of a knob.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit, LitInt, LitStr, UnOp};

use super::Given;
use crate::knobs;
use crate::tokens;

/// A literal as a variant of the library's `Lit`.
pub(crate) fn literal(name: &Ident, value: &Expr) -> syn::Result<Option<TokenStream>> {
    let (minus, lit) = match value {
        Expr::Lit(ExprLit { lit, .. }) => (None, lit),
        Expr::Unary(unary) => match (&unary.op, &*unary.expr) {
            (UnOp::Neg(minus), Expr::Lit(ExprLit { lit, .. })) => (Some(minus), lit),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let span = tokens::placed(value.span());
    Ok(Some(match lit {
        Lit::Str(text) => quote_spanned!(span=> Text(#text)),
        Lit::Int(int) => {
            let digits = LitInt::new(int.base10_digits(), int.span());
            quote_spanned!(span=> Int(#minus #digits))
        }
        Lit::Float(float) => {
            let digits = syn::LitFloat::new(float.base10_digits(), float.span());
            quote_spanned!(span=> Float(#minus #digits))
        }
        Lit::Bool(_) => {
            let message = match name == "ttl" {
                true => knobs::SAY_HOW_LONG.to_owned(),
                false => format!(
                    "`{name}` is not switched by `true` or `false`: write `{name}` alone, or leave it out"
                ),
            };
            return Err(syn::Error::new(value.span(), message));
        }
        _ => return Ok(None),
    }))
}

pub(crate) fn text(name: &Ident, value: Given, example: &str) -> syn::Result<LitStr> {
    match expression(name, value)? {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) => Ok(text),
        other => Err(syn::Error::new_spanned(
            other,
            format!(
                "`{name}` is a template in quotes, so that it can be checked here: write `{example}`"
            ),
        )),
    }
}

pub(super) fn version(name: &Ident, value: Given) -> syn::Result<LitInt> {
    let value = expression(name, value)?;
    if let Expr::Lit(ExprLit {
        lit: Lit::Int(int), ..
    }) = &value
        && int.base10_parse::<u32>().is_ok_and(|version| version > 0)
    {
        return Ok(LitInt::new(int.base10_digits(), int.span()));
    }
    Err(syn::Error::new_spanned(
        value,
        "a version is a whole number from 1 on: write `version = 2`",
    ))
}

pub(super) fn idents(name: &Ident, value: Given) -> syn::Result<Vec<Ident>> {
    let elems = match expression(name, value)? {
        Expr::Array(array) => array.elems.into_iter().collect(),
        one => vec![one],
    };
    let message = format!("`{name}` lists arguments: write `{name} = [conn, request]`");
    elems
        .into_iter()
        .map(|elem| match &elem {
            Expr::Path(path) => path
                .path
                .get_ident()
                .cloned()
                .ok_or_else(|| syn::Error::new_spanned(&elem, &message)),
            _ => Err(syn::Error::new_spanned(&elem, &message)),
        })
        .collect()
}

pub(crate) fn path(name: &Ident, value: Given) -> syn::Result<syn::Path> {
    match expression(name, value)? {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path),
        other => Err(syn::Error::new_spanned(
            other,
            format!("`{name}` is the path of the library: write `{name} = my_deps::larder`"),
        )),
    }
}

/// An expression; a text in it must be a span of time.
pub(crate) fn span_of_time(value: Expr) -> syn::Result<Expr> {
    if let Expr::Lit(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = &value
        && let Err(error) = larder_syntax::duration::parse(&text.value())
    {
        return Err(syn::Error::new(text.span(), error.message()));
    }
    Ok(value)
}

pub(crate) fn expression(name: &Ident, value: Given) -> syn::Result<Expr> {
    match value {
        Given::Value(value) => Ok(value),
        _ => Err(syn::Error::new(
            name.span(),
            format!(
                "`{name}` needs a value: write `{name} = {}`",
                knobs::example(&name.to_string())
            ),
        )),
    }
}

pub(crate) fn alone(name: &Ident, value: Given) -> syn::Result<Ident> {
    let span: Span = match value {
        Given::Alone => return Ok(name.clone()),
        Given::Value(value) => value.span(),
        Given::Inner(_) => name.span(),
    };
    Err(syn::Error::new(
        span,
        format!("`{name}` stands alone: write `{name}`, or leave it out"),
    ))
}
