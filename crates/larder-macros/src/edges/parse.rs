//! The grammar of `#[invalidates(..)]`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprAssign, ExprCall, ExprLit, ExprMethodCall, Lit, LitStr, Token};

use crate::args::{Given, Shape};
use crate::diagnose::Errors;

/// Everything an `#[invalidates(..)]` says.
#[derive(Default)]
pub(crate) struct Edges {
    pub(crate) edges: Vec<Edge>,
    pub(crate) cache: Option<Expr>,
    pub(crate) before: Option<Ident>,
    pub(crate) library: Option<syn::Path>,
    pub(crate) shape: Option<(Ident, Shape)>,
}

/// What is forgotten.
pub(crate) enum Edge {
    /// `user(id = order.user_id)`: the entry of a cached function.
    Handle(Box<Handle>),
    /// `keys = ..`, `prefix = ..`, `pattern = ..`, `tags = ..`
    Text { kind: Kind, said: Said },
    /// `all`
    All,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Keys,
    Prefix,
    Pattern,
    Tags,
}

/// A text: a template, or an expression that gives it.
pub(crate) enum Said {
    Template(LitStr),
    Text(Expr),
}

pub(crate) struct Handle {
    pub(crate) of: Of,
    pub(crate) parts: Vec<(Ident, Expr)>,
    pub(crate) written: Expr,
}

/// Whose handle it is.
pub(crate) enum Of {
    /// `users::user(..)`
    Function(syn::Path),
    /// `self.users.user(..)`
    Method(Expr, Ident),
    /// `Self::user(..)`, `Users::user(..)`
    Associated(syn::Path, Ident),
}

const KNOWN: &[&str] = &[
    "keys", "prefix", "pattern", "tags", "all", "cache", "before",
];

/// One item of the list; `crate = path` is no expression, because of the keyword.
enum Item {
    Library(syn::Path),
    Other(Expr),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![crate]) && input.peek2(Token![=]) {
            let name: Ident = input.call(syn::ext::IdentExt::parse_any)?;
            input.parse::<Token![=]>()?;
            return crate::args::path(&name, Given::Value(input.parse()?)).map(Item::Library);
        }
        input.parse().map(Item::Other)
    }
}

impl Edges {
    pub(crate) fn parse(tokens: TokenStream) -> syn::Result<Self> {
        let mut edges = Self::default();
        let mut errors = Errors::default();
        for item in Punctuated::<Item, Token![,]>::parse_terminated.parse2(tokens)? {
            match item {
                Item::Library(path) => edges.library = Some(path),
                Item::Other(said) => {
                    errors.keep(edges.read(said));
                }
            }
        }
        errors.finish()?;
        if edges.edges.is_empty() {
            let message = "say what is forgotten: `#[invalidates(user(id = id))]`, or `keys`, `prefix`, `pattern`, `tags`, `all`";
            return Err(syn::Error::new(proc_macro2::Span::call_site(), message));
        }
        Ok(edges)
    }

    fn read(&mut self, said: Expr) -> syn::Result<()> {
        match said {
            Expr::Assign(ExprAssign { left, right, .. }) => self.read_text(&left, *right),
            Expr::Path(flag) if flag.path.get_ident().is_some() => {
                let name = flag.path.require_ident()?.clone();
                self.read_flag(name)
            }
            Expr::Call(call) => self.read_call(call),
            Expr::MethodCall(call) => self.read_method(call),
            Expr::Lit(literal) => {
                let message = format!(
                    "say what the text is: `keys = {0}`, `prefix = {0}`, `pattern = {0}` or `tags = {0}`",
                    literal.to_token_stream()
                );
                Err(syn::Error::new_spanned(literal, message))
            }
            other => Err(syn::Error::new_spanned(
                other,
                "expected an edge: `user(id = id)`, `self.user(id = id)`, `keys = ..`, `prefix = ..`, `pattern = ..`, `tags = ..` or `all`",
            )),
        }
    }

    fn read_text(&mut self, left: &Expr, right: Expr) -> syn::Result<()> {
        let Expr::Path(path) = left else {
            return Err(syn::Error::new_spanned(left, unknown("")));
        };
        let name = path.path.require_ident()?;
        let kind = match name.to_string().as_str() {
            "keys" | "key" => Kind::Keys,
            "prefix" => Kind::Prefix,
            "pattern" => Kind::Pattern,
            "tags" | "tag" => Kind::Tags,
            "cache" => {
                self.cache = Some(right);
                return Ok(());
            }
            other => return Err(syn::Error::new(name.span(), unknown(other))),
        };
        let all = match right {
            Expr::Array(array) => array.elems.into_iter().collect(),
            one => vec![one],
        };
        for one in all {
            let said = match one {
                Expr::Lit(ExprLit {
                    lit: Lit::Str(text),
                    ..
                }) => Said::Template(text),
                Expr::Lit(other) => {
                    return Err(syn::Error::new(
                        other.span(),
                        format!("`{name}` takes text: write it in quotes"),
                    ));
                }
                text => Said::Text(text),
            };
            self.edges.push(Edge::Text { kind, said });
        }
        Ok(())
    }

    fn read_flag(&mut self, name: Ident) -> syn::Result<()> {
        match name.to_string().as_str() {
            "all" => self.edges.push(Edge::All),
            "before" => self.before = Some(name),
            "result" => self.shape = Some((name, Shape::Result)),
            "option" => self.shape = Some((name, Shape::Option)),
            "plain" => self.shape = Some((name, Shape::Plain)),
            other if KNOWN.contains(&other) => {
                return Err(syn::Error::new(
                    name.span(),
                    format!("`{name}` needs a value: write `{name} = ..`"),
                ));
            }
            other => {
                let message = match larder_syntax::suggest::nearest(other, KNOWN.iter().copied()) {
                    Some(meant) => format!("there is no `{other}` here: did you mean `{meant}`?"),
                    None => format!(
                        "name the parts of the key: `{other}(id = ..)`, or `{other}()` if it has none"
                    ),
                };
                return Err(syn::Error::new(name.span(), message));
            }
        }
        Ok(())
    }

    fn read_call(&mut self, call: ExprCall) -> syn::Result<()> {
        let Expr::Path(function) = &*call.func else {
            return Err(syn::Error::new_spanned(
                &call.func,
                "an edge names a cached function: `user(id = id)` or `users::user(id = id)`",
            ));
        };
        let parts = parts(call.args.iter())?;
        let of = owner(&function.path)?;
        self.edges.push(Edge::Handle(Box::new(Handle {
            of,
            parts,
            written: Expr::Call(call),
        })));
        Ok(())
    }

    fn read_method(&mut self, call: ExprMethodCall) -> syn::Result<()> {
        let parts = parts(call.args.iter())?;
        let of = Of::Method((*call.receiver).clone(), call.method.clone());
        self.edges.push(Edge::Handle(Box::new(Handle {
            of,
            parts,
            written: Expr::MethodCall(call),
        })));
        Ok(())
    }
}

fn unknown(name: &str) -> String {
    match larder_syntax::suggest::nearest(name, KNOWN.iter().copied()) {
        Some(meant) => format!("there is no `{name}` here: did you mean `{meant}`?"),
        None => "an edge is a call like `user(id = id)`, or one of `keys = ..`, `prefix = ..`, `pattern = ..`, `tags = ..`, `all`".to_owned(),
    }
}

/// `Self::user` and `Users::user` belong to a type, `users::user` to a module: types begin with a capital.
fn owner(path: &syn::Path) -> syn::Result<Of> {
    let mut path = path.clone();
    let Some(last) = path.segments.last() else {
        return Ok(Of::Function(path));
    };
    if !last.arguments.is_empty() {
        return Err(syn::Error::new(
            last.arguments.span(),
            "the types of an edge follow from the parts of the key: remove this",
        ));
    }
    let name = last.ident.clone();
    let in_type = path.segments.iter().rev().nth(1).is_some_and(|segment| {
        segment.ident.to_string().starts_with(char::is_uppercase) || !segment.arguments.is_empty()
    });
    if !in_type {
        return Ok(Of::Function(path));
    }
    path.segments.pop();
    path.segments.pop_punct();
    Ok(Of::Associated(path, name))
}

fn parts<'a>(all: impl Iterator<Item = &'a Expr>) -> syn::Result<Vec<(Ident, Expr)>> {
    let mut parts: Vec<(Ident, Expr)> = Vec::new();
    for part in all {
        let named = match part {
            Expr::Assign(ExprAssign { left, right, .. }) => match &**left {
                Expr::Path(path) => path
                    .path
                    .get_ident()
                    .map(|name| (name.clone(), (**right).clone())),
                _ => None,
            },
            _ => None,
        };
        let Some((name, value)) = named else {
            let message = format!(
                "name the part of the key: `argument = {}`",
                part.to_token_stream()
            );
            return Err(syn::Error::new_spanned(part, message));
        };
        if parts.iter().any(|(other, _)| *other == name) {
            return Err(syn::Error::new(
                name.span(),
                format!("`{name}` is given twice: keep one"),
            ));
        }
        parts.push((name, value));
    }
    Ok(parts)
}
