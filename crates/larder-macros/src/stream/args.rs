//! What `#[cached_stream]` says besides the knobs of `#[cached]`, and what the function yields.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Expr, GenericArgument, PathArguments, Type, TypeParamBound};

use crate::args::{Args, Knob, expression, list};
use crate::model::Function;
use crate::tokens;

/// How many items are recorded when nothing is said.
const MOST_ITEMS: usize = 10_000;

#[derive(Default)]
pub(super) struct StreamArgs {
    pub(super) max_items: Option<Expr>,
    /// How many bytes at most, and what one item counts for.
    pub(super) max_bytes: Option<(Expr, Expr)>,
}

impl StreamArgs {
    pub(super) fn parse(tokens: TokenStream) -> syn::Result<(Self, Args)> {
        const OWN: [&str; 3] = ["max_items", "max_bytes", "bytes"];
        let (own, shared): (Vec<Knob>, Vec<Knob>) = list
            .parse2(tokens)?
            .into_iter()
            .partition(|knob| OWN.iter().any(|own| knob.name == own));
        let [mut max_items, mut max_bytes, mut bytes]: [Option<(Ident, Expr)>; 3] =
            [None, None, None];
        for Knob { name, value } in own {
            let value = expression(&name, value)?;
            let place = match name.to_string().as_str() {
                "max_items" => &mut max_items,
                "max_bytes" => &mut max_bytes,
                _ => &mut bytes,
            };
            if place.replace((name.clone(), value)).is_some() {
                let message = format!("`{name}` is given twice: keep one");
                return Err(syn::Error::new(name.span(), message));
            }
        }
        let max_bytes = match (max_bytes, bytes) {
            (Some((_, most)), Some((_, bytes))) => Some((most, bytes)),
            (None, None) => None,
            (Some((name, _)), None) => {
                let message = "say what one item counts for: `bytes = |item| item.len()`";
                return Err(syn::Error::new(name.span(), message));
            }
            (None, Some((name, _))) => {
                let message = "say how many bytes are recorded at most: `max_bytes = 1_000_000`";
                return Err(syn::Error::new(name.span(), message));
            }
        };
        let said = Self {
            max_items: max_items.map(|(_, value)| value),
            max_bytes,
        };
        Ok((said, Args::of(shared)?))
    }

    /// What may be kept at most, as the library knows it.
    pub(super) fn limits(&self, library: &TokenStream) -> TokenStream {
        let items = match &self.max_items {
            Some(items) => quote!(#items),
            None => quote!(#MOST_ITEMS),
        };
        let bytes = self.max_bytes.as_ref();
        let bytes = bytes.map(|(most, bytes)| quote!(.bytes(#most, #bytes)));
        quote!(#library::__private::Limits::items(#items) #bytes)
    }
}

/// What a function yields, and how.
pub(super) struct Yields {
    pub(super) item: Type,
    kind: Kind,
    pub(super) package: Package,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Stream,
    Iterator,
}

/// In which type it is returned.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Package {
    /// `impl Trait`
    Bare,
    /// `Box<dyn Trait>`
    Boxed,
    /// `Pin<Box<dyn Trait>>`, `BoxStream`
    Pinned,
}

impl Yields {
    pub(super) fn of(function: &Function) -> syn::Result<Self> {
        if let Some(asyncness) = &function.item.sig.asyncness {
            return Err(syn::Error::new(
                asyncness.span(),
                "a stream is asked item by item, so there is nothing to await before it: write `fn`, and await inside the stream",
            ));
        }
        let (found, span) = find(&function.output);
        let Some(yields) = found else {
            return Err(syn::Error::new(
                span,
                "what is recorded is read from the return type: write `impl Stream<Item = T>` or `impl Iterator<Item = T>`; a value that is there at once is for `#[cached]`",
            ));
        };
        if yields.is_stream() && !cfg!(feature = "stream") {
            return Err(syn::Error::new(
                span,
                "a `Stream` needs the feature `stream` of `larder`; an `Iterator` does not",
            ));
        }
        Ok(yields)
    }

    pub(super) fn is_stream(&self) -> bool {
        self.kind == Kind::Stream
    }
}

fn find(output: &Type) -> (Option<Yields>, Span) {
    let span = output.span();
    let found = match output {
        Type::ImplTrait(found) => yielded(&found.bounds, Package::Bare),
        _ => boxed(output),
    };
    (found, span)
}

/// `Box<dyn Iterator<Item = T>>`, `Pin<Box<dyn Stream<Item = T>>>`, `BoxStream<'_, T>`.
fn boxed(output: &Type) -> Option<Yields> {
    let segment = tokens::last_segment(output)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let inner = arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })?;
    if segment.ident == "BoxStream" || segment.ident == "LocalBoxStream" {
        return Some(Yields {
            item: inner.clone(),
            kind: Kind::Stream,
            package: Package::Pinned,
        });
    }
    match inner {
        Type::TraitObject(object) if segment.ident == "Box" => {
            yielded(&object.bounds, Package::Boxed)
        }
        inner if segment.ident == "Pin" => {
            let yields = boxed(inner)?;
            Some(Yields {
                package: Package::Pinned,
                ..yields
            })
        }
        _ => None,
    }
}

fn yielded<'a>(
    bounds: impl IntoIterator<Item = &'a TypeParamBound>,
    package: Package,
) -> Option<Yields> {
    bounds.into_iter().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let segment = bound.path.segments.last()?;
        let kind = match segment.ident.to_string().as_str() {
            "Stream" => Kind::Stream,
            "Iterator" => Kind::Iterator,
            _ => return None,
        };
        let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
            return None;
        };
        arguments.args.iter().find_map(|argument| match argument {
            GenericArgument::AssocType(assoc) if assoc.ident == "Item" => Some(Yields {
                item: syn::parse2(assoc.ty.to_token_stream()).ok()?,
                kind,
                package,
            }),
            _ => None,
        })
    })
}
