//! The grammar of `#[cached(..)]` and `#[cache_put(..)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprArray, ExprLit, Lit, LitInt, LitStr, Token, UnOp, token};

use crate::diagnose::Errors;
use crate::knobs;

/// One knob of an attribute: `name`, `name = value` or `name(..)`.
pub(crate) struct Knob {
    pub(crate) name: Ident,
    pub(crate) value: Given,
}

pub(crate) enum Given {
    Alone,
    Value(Expr),
    Inner(Vec<Knob>),
}

impl Parse for Knob {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Lit) {
            return Err(input.error(match input.fork().parse()? {
                Lit::Str(text) => format!(
                    "a knob has a name: write `key = {0}` or `ttl = {0}`",
                    text.token()
                ),
                other => format!("a knob has a name: write `ttl = {}`", other.to_token_stream()),
            }));
        }
        let name = Ident::parse_any(input).map_err(|error| {
            syn::Error::new(error.span(), "expected a knob, like `ttl = \"10m\"`")
        })?;
        let value = if input.parse::<Option<Token![=]>>()?.is_some() {
            Given::Value(input.parse()?)
        } else if input.peek(token::Paren) {
            let inner;
            syn::parenthesized!(inner in input);
            Given::Inner(inner.call(list)?)
        } else {
            Given::Alone
        };
        if !input.is_empty() && !input.peek(Token![,]) {
            return Err(input.error(format!("expected `,` after the knob `{name}`")));
        }
        Ok(Self { name, value })
    }
}

fn list(input: ParseStream<'_>) -> syn::Result<Vec<Knob>> {
    Ok(Punctuated::<Knob, Token![,]>::parse_terminated(input)?.into_iter().collect())
}

/// How the return type is read.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Result,
    Option,
    Plain,
}

/// A tag of an entry, known before the value is.
pub(crate) enum Tag {
    Template(LitStr),
    Text(Expr),
}

/// Something that is decided when the value is there.
pub(crate) struct Decision {
    pub(crate) method: Ident,
    pub(crate) argument: TokenStream,
}

/// What the attribute says.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) library: Option<syn::Path>,
    pub(crate) key: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) skip: Option<(Ident, Vec<Ident>)>,
    pub(crate) cache: Option<Expr>,
    pub(crate) bypass: Option<Expr>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) decisions: Vec<Decision>,
    /// Knobs with a literal: part of the constant policy.
    pub(crate) constant: Vec<(Ident, TokenStream)>,
    /// Knobs with an expression: evaluated at each load.
    pub(crate) open: Vec<(Ident, Expr)>,
    pub(crate) says_ttl: bool,
    pub(crate) background: Option<Ident>,
    pub(crate) local: Option<Ident>,
    pub(crate) no_handle: Option<Ident>,
    pub(crate) associated: Option<Ident>,
    pub(crate) shape: Option<(Ident, Shape)>,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut args = Self::default();
        let mut errors = Errors::default();
        let mut seen: Vec<Ident> = Vec::new();
        for knob in list.parse2(tokens)? {
            if seen.contains(&knob.name) {
                errors.add(&knob.name, format!("`{}` is given twice: keep one", knob.name));
                continue;
            }
            seen.push(knob.name.clone());
            errors.keep(args.read(knob));
        }
        errors.finish().map(|()| args)
    }

    fn read(&mut self, knob: Knob) -> syn::Result<()> {
        let Knob { name, value } = knob;
        match name.to_string().as_str() {
            "key" => self.key = Some(text(&name, value, "key = \"user:{id}\"")?),
            "version" => self.version = Some(version(&name, value)?),
            "skip" => self.skip = Some((name.clone(), idents(&name, value)?)),
            "cache" => self.cache = Some(expression(&name, value)?),
            "bypass" => self.bypass = Some(expression(&name, value)?),
            "crate" => self.library = Some(path(&name, value)?),
            "tags" => self.read_tags(&name, value)?,
            "when" | "ttl_with" => self.decide(&name, expression(&name, value)?),
            "slower_than" => self.decide(&name, span_of_time(expression(&name, value)?)?),
            "errors" => self.read_errors(&name, value)?,
            "skip_none" => {
                alone(&name, value)?;
                self.decide(&name, TokenStream::new());
            }
            "local" => self.local = Some(alone(&name, value)?),
            "no_handle" => self.no_handle = Some(alone(&name, value)?),
            "associated" => self.associated = Some(alone(&name, value)?),
            "result" => self.read_shape(alone(&name, value)?, Shape::Result)?,
            "option" => self.read_shape(alone(&name, value)?, Shape::Option)?,
            "plain" => self.read_shape(alone(&name, value)?, Shape::Plain)?,
            _ => self.forward(name, value)?,
        }
        Ok(())
    }

    fn decide(&mut self, method: &Ident, argument: impl ToTokens) {
        self.says_ttl |= method == "ttl_with";
        let argument = argument.into_token_stream();
        self.decisions.push(Decision { method: method.clone(), argument });
    }

    fn read_shape(&mut self, name: Ident, shape: Shape) -> syn::Result<()> {
        if let Some((other, _)) = &self.shape {
            let message = format!("`{other}` and `{name}` contradict each other: keep one");
            return Err(syn::Error::new(name.span(), message));
        }
        self.shape = Some((name, shape));
        Ok(())
    }

    fn read_tags(&mut self, name: &Ident, value: Given) -> syn::Result<()> {
        let tags = match expression(name, value)? {
            Expr::Array(ExprArray { elems, .. }) => elems.into_iter().collect(),
            one => vec![one],
        };
        for tag in tags {
            match tag {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                    self.tags.push(Tag::Template(text));
                }
                Expr::Lit(other) => {
                    return Err(syn::Error::new(
                        other.span(),
                        "a tag is text: write it in quotes, like \"org:{org}\"",
                    ));
                }
                Expr::Closure(of_value) => {
                    self.decide(&Ident::new("tags_with", name.span()), of_value);
                }
                text => self.tags.push(Tag::Text(text)),
            }
        }
        Ok(())
    }

    fn read_errors(&mut self, name: &Ident, value: Given) -> syn::Result<()> {
        let inner = match value {
            Given::Inner(inner) => inner,
            value => {
                self.decide(name, span_of_time(expression(name, value)?)?);
                return Ok(());
            }
        };
        let mut says_ttl = false;
        for Knob { name: part, value } in inner {
            if part == "ttl" {
                says_ttl = true;
                self.decide(name, span_of_time(expression(&part, value)?)?);
            } else if part == "when" {
                let method = Ident::new("errors_when", part.span());
                self.decide(&method, expression(&part, value)?);
            } else {
                return Err(syn::Error::new(
                    part.span(),
                    format!("`errors` has no `{part}`: write `errors(ttl = \"30s\", when = |e| ..)`"),
                ));
            }
        }
        if !says_ttl {
            return Err(syn::Error::new(
                name.span(),
                "say how long an error is kept: `errors(ttl = \"30s\", ..)`",
            ));
        }
        Ok(())
    }

    /// Hands a knob on to the library, which knows what it means.
    fn forward(&mut self, name: Ident, value: Given) -> syn::Result<()> {
        if let Some(meant) = knobs::misspelled(&name.to_string()) {
            let message = format!("there is no knob `{name}`: did you mean `{meant}`?");
            return Err(syn::Error::new(name.span(), message));
        }
        self.says_ttl |= name == "ttl" || knobs::looks_like_ttl(&name.to_string());
        if self.background.is_none() && knobs::loads_behind(&name.to_string()) {
            self.background = Some(name.clone());
        }
        let value = match value {
            Given::Alone => None,
            Given::Value(value) => Some(value),
            Given::Inner(_) => {
                let message = format!("`{name}` takes one value: write `{name} = ..`");
                return Err(syn::Error::new(name.span(), message));
            }
        };
        match value {
            None if name == "ttl" => Err(syn::Error::new(name.span(), knobs::SAY_HOW_LONG)),
            None => {
                let flag = quote_spanned!(name.span()=> Flag);
                self.constant.push((name, flag));
                Ok(())
            }
            Some(value) => match literal(&name, &value)? {
                Some(literal) => {
                    self.constant.push((name, literal));
                    Ok(())
                }
                None => {
                    self.open.push((name, value));
                    Ok(())
                }
            },
        }
    }
}

/// A literal as a variant of the library's `Lit`.
fn literal(name: &Ident, value: &Expr) -> syn::Result<Option<TokenStream>> {
    let (minus, lit) = match value {
        Expr::Lit(ExprLit { lit, .. }) => (None, lit),
        Expr::Unary(unary) => match (&unary.op, &*unary.expr) {
            (UnOp::Neg(minus), Expr::Lit(ExprLit { lit, .. })) => (Some(minus), lit),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let span = value.span();
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
            let message = format!("a knob is not switched by `true` or `false`: write `{name}` alone, or leave it out");
            return Err(syn::Error::new(span, message));
        }
        _ => return Ok(None),
    }))
}

fn text(name: &Ident, value: Given, example: &str) -> syn::Result<LitStr> {
    match expression(name, value)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Ok(text),
        other => Err(syn::Error::new_spanned(
            other,
            format!("`{name}` is a template in quotes, so that it can be checked here: write `{example}`"),
        )),
    }
}

fn version(name: &Ident, value: Given) -> syn::Result<LitInt> {
    let value = expression(name, value)?;
    if let Expr::Lit(ExprLit { lit: Lit::Int(int), .. }) = &value
        && int.base10_parse::<u32>().is_ok_and(|version| version > 0)
    {
        return Ok(LitInt::new(int.base10_digits(), int.span()));
    }
    Err(syn::Error::new_spanned(
        value,
        "a version is a whole number from 1 on: write `version = 2`",
    ))
}

fn idents(name: &Ident, value: Given) -> syn::Result<Vec<Ident>> {
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
fn span_of_time(value: Expr) -> syn::Result<Expr> {
    if let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &value
        && let Err(error) = larder_syntax::duration::parse(&text.value())
    {
        return Err(syn::Error::new(text.span(), error.message()));
    }
    Ok(value)
}

fn expression(name: &Ident, value: Given) -> syn::Result<Expr> {
    match value {
        Given::Value(value) => Ok(value),
        _ => Err(syn::Error::new(
            name.span(),
            format!("`{name}` needs a value: write `{name} = {}`", knobs::example(&name.to_string())),
        )),
    }
}

fn alone(name: &Ident, value: Given) -> syn::Result<Ident> {
    let span: Span = match value {
        Given::Alone => return Ok(name.clone()),
        Given::Value(value) => value.span(),
        Given::Inner(_) => name.span(),
    };
    Err(syn::Error::new(span, format!("`{name}` stands alone: write `{name}`, or leave it out")))
}
