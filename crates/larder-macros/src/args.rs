//! The grammar of `#[cached(..)]` and `#[cache_put(..)]`.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprArray, ExprLit, Lit, LitInt, LitStr, Token, token};

use crate::diagnose::Errors;
use crate::knobs;
use crate::schedule::Schedule;
use crate::tokens;

mod value;

pub(crate) use value::{alone, expression, literal, path, span_of_time, text};
use value::{idents, version};

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
            let value: Lit = input.fork().parse()?;
            let is_key = matches!(&value, Lit::Str(text) if larder_syntax::duration::parse(&text.value()).is_err());
            let name = if is_key { "key" } else { "ttl" };
            let message = format!(
                "a knob has a name: write `{name} = {}`",
                value.to_token_stream()
            );
            return Err(input.error(message));
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

pub(crate) fn list(input: ParseStream<'_>) -> syn::Result<Vec<Knob>> {
    Ok(Punctuated::<Knob, Token![,]>::parse_terminated(input)?
        .into_iter()
        .collect())
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
    /// When the function runs by itself: `#[background]`.
    pub(crate) schedule: Option<Schedule>,
    pub(crate) local: Option<Ident>,
    /// Errors of a store are errors of the function.
    pub(crate) strict: Option<Ident>,
    pub(crate) no_handle: Option<Ident>,
    pub(crate) associated: Option<Ident>,
    pub(crate) shape: Option<(Ident, Shape)>,
}

impl Args {
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        Self::of(list.parse2(tokens)?)
    }

    pub(crate) fn of(knobs: Vec<Knob>) -> syn::Result<Self> {
        let mut args = Self::default();
        let mut errors = Errors::default();
        let mut seen: Vec<Ident> = Vec::new();
        for knob in knobs {
            if seen.contains(&knob.name) {
                errors.add(
                    &knob.name,
                    format!("`{}` is given twice: keep one", knob.name),
                );
                continue;
            }
            seen.push(knob.name.clone());
            errors.keep(args.read(knob));
        }
        errors.finish().map(|()| args)
    }

    pub(crate) fn read(&mut self, knob: Knob) -> syn::Result<()> {
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
            "strict" => self.strict = Some(alone(&name, value)?),
            "no_handle" => self.no_handle = Some(alone(&name, value)?),
            "associated" => self.associated = Some(alone(&name, value)?),
            "result" => self.read_shape(alone(&name, value)?, Shape::Result)?,
            "option" => self.read_shape(alone(&name, value)?, Shape::Option)?,
            "plain" => self.read_shape(alone(&name, value)?, Shape::Plain)?,
            _ => self.forward(name, value)?,
        }
        Ok(())
    }

    /// A knob of the library, if it was said.
    pub(crate) fn knob(&self, name: &str) -> Option<&Ident> {
        let constant = self.constant.iter().map(|(knob, _)| knob);
        let open = self.open.iter().map(|(knob, _)| knob);
        constant.chain(open).find(|knob| *knob == name)
    }

    /// A sync body cannot be dropped when its time is over: it has to run apart from its caller.
    pub(crate) fn run_apart_if_sync(&mut self, is_async: bool) {
        if !is_async && self.background.is_none() {
            self.background = self.knob(knobs::HARD_TIMEOUT).cloned();
        }
    }

    pub(crate) fn decide(&mut self, method: &Ident, argument: impl ToTokens) {
        self.says_ttl |= method == "ttl_with";
        let argument = argument.into_token_stream();
        self.decisions.push(Decision {
            method: method.clone(),
            argument,
        });
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
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => {
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
        let (mut ttl, mut when) = (None, None);
        for Knob { name: part, value } in inner {
            if part == "ttl" {
                ttl = Some(span_of_time(expression(&part, value)?)?);
            } else if part == "when" {
                when = Some((
                    Ident::new("errors_when", part.span()),
                    expression(&part, value)?,
                ));
            } else {
                let message = format!(
                    "`errors` has no `{part}`: write `errors(ttl = \"30s\", when = |e| ..)`"
                );
                return Err(syn::Error::new(part.span(), message));
            }
        }
        let Some(ttl) = ttl else {
            let message = "say how long an error is kept: `errors(ttl = \"30s\", ..)`";
            return Err(syn::Error::new(name.span(), message));
        };
        // Whether this error is kept is asked of one that would be.
        self.decide(name, ttl);
        if let Some((method, when)) = when {
            self.decide(&method, when);
        }
        Ok(())
    }

    /// Everything the attribute evaluates or shows, to find the arguments it names.
    pub(crate) fn said(&self) -> TokenStream {
        let tags = self.tags.iter().map(|tag| match tag {
            Tag::Template(literal) => literal.to_token_stream(),
            Tag::Text(text) => text.to_token_stream(),
        });
        let decisions = self
            .decisions
            .iter()
            .map(|decision| decision.argument.clone());
        let open = self.open.iter().map(|(_, value)| value.to_token_stream());
        let single = [
            self.key.to_token_stream(),
            self.cache.to_token_stream(),
            self.bypass.to_token_stream(),
        ];
        tags.chain(decisions).chain(open).chain(single).collect()
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
        if name == "ttl" && matches!(value, Given::Alone) {
            return Err(syn::Error::new(name.span(), knobs::SAY_HOW_LONG));
        }
        self.hand_on(name, value)
    }

    /// A knob that only the library knows: a literal is checked by the compiler, an expression is evaluated.
    pub(crate) fn hand_on(&mut self, name: Ident, value: Given) -> syn::Result<()> {
        let value = match value {
            Given::Alone => None,
            Given::Value(value) => Some(value),
            Given::Inner(_) => {
                let message = format!("`{name}` takes one value: write `{name} = ..`");
                return Err(syn::Error::new(name.span(), message));
            }
        };
        match value {
            None => {
                let flag = quote_spanned!(tokens::placed(name.span())=> Flag);
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
