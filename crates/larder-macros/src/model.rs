//! What the macro knows of the function under an attribute.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    AttrStyle, Attribute, FnArg, GenericArgument, ItemFn, Pat, Path, PathArguments, Receiver,
    ReceiverKind, ReturnType, Type,
};

use crate::args::{Args, Shape};
use crate::guards;
use crate::tokens;

/// A function, its arguments by name and how its return type is read.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) receiver: Option<Taken>,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) output: Type,
    pub(crate) shape: Shape,
    pub(crate) shape_is_read: bool,
    pub(crate) library: TokenStream,
}

/// How a method takes itself.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Taken {
    Shared,
    Unique,
    Owned,
    /// `self: Arc<Self>` or `self: Rc<Self>`: a copy of the pointer is as good as the pointer.
    Pointer,
    /// `self: &Arc<Self>`
    SharedPointer,
    /// Any other type of `self`.
    Other,
}

pub(crate) struct Argument {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) held: Held,
}

/// How an argument is passed, and what stands behind a reference.
#[derive(Clone)]
pub(crate) enum Held {
    Value,
    Shared(Type),
    Unique(Type),
}

impl Function {
    pub(crate) fn new(mut item: ItemFn, args: &Args) -> Self {
        for attribute in &mut item.attrs {
            // One that stood in the body would stand before the function.
            attribute.style = AttrStyle::Outer;
        }
        let receiver = item.sig.receiver().map(taken);
        let arguments = item.sig.inputs.iter().filter_map(argument).collect();
        let output = match &item.sig.output {
            ReturnType::Default => syn::parse_quote!(()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        let (shape, shape_is_read) = match &args.shape {
            Some((_, shape)) => (*shape, false),
            None => (shape_of(&output), true),
        };
        let library = library(args.library.as_ref());
        Self {
            item,
            receiver,
            arguments,
            output,
            shape,
            shape_is_read,
            library,
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.item.sig.ident
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    /// The path of a private item of the library, for errors that belong at `span`.
    pub(crate) fn private_at(&self, span: Span, item: &str) -> TokenStream {
        let span = tokens::placed(span);
        let (library, item) = (self.library_at(span), Ident::new(item, span));
        quote_spanned!(span=> #library::__private::#item)
    }

    /// The path of the library, for errors that belong at `span`.
    pub(crate) fn library_at(&self, span: Span) -> TokenStream {
        tokens::spanned(self.library.clone(), span)
    }

    /// `.await` in an async function.
    pub(crate) fn await_(&self) -> TokenStream {
        if self.is_async() {
            quote!(.await)
        } else {
            TokenStream::new()
        }
    }

    /// The type that tells how `Result`, `Option` and other values are read. What it cannot read is an error
    /// at the return type.
    pub(crate) fn shape_type(&self) -> TokenStream {
        let shape = match self.shape {
            Shape::Result => "AsResult",
            Shape::Option => "AsOption",
            Shape::Plain => "AsPlain",
        };
        let shape = self.private_at(self.output.span(), shape);
        if self.keeps_arc() {
            let around = self.private_at(self.output.span(), "Arced");
            return quote!(#around<#shape>);
        }
        shape
    }

    /// Whether what is kept is an `Arc` by its name.
    pub(crate) fn keeps_arc(&self) -> bool {
        match self.shape {
            Shape::Result => first_argument(&self.output).is_some_and(is_arc),
            Shape::Plain => is_arc(&self.output),
            Shape::Option => false,
        }
    }

    /// The name of something private that belongs to the function `user`: `__larder_user_site`.
    pub(crate) fn hidden(&self, what: &str) -> Ident {
        format_ident!(
            "__larder_{}_{}",
            self.name().unraw(),
            what,
            span = self.name().span()
        )
    }

    pub(crate) fn argument(&self, name: &str) -> Option<&Argument> {
        self.arguments
            .iter()
            .find(|argument| argument.ident.unraw() == name)
    }

    /// The arguments' names, as the call of a function with the same signature needs them.
    pub(crate) fn names(&self) -> Vec<&Ident> {
        self.arguments
            .iter()
            .map(|argument| &argument.ident)
            .collect()
    }

    /// `self`, with the hygiene that the user's `self` has.
    pub(crate) fn self_token(&self) -> Option<TokenStream> {
        self.item
            .sig
            .receiver()
            .map(|receiver| receiver.self_token.to_token_stream())
    }
}

impl Argument {
    /// A reference to the argument, in an expression where it has the type of the signature.
    pub(crate) fn by_reference(&self) -> TokenStream {
        let ident = &self.ident;
        match self.held {
            Held::Value => quote!(&#ident),
            Held::Shared(_) => quote!(#ident),
            Held::Unique(_) => quote!(&*#ident),
        }
    }

    /// Whether it is a reference that outlives every call: as good as owned.
    pub(crate) fn is_static(&self) -> bool {
        let Type::Reference(reference) = &self.ty else {
            return false;
        };
        let lifetime = reference.lifetime.as_ref();
        reference.mutability.is_none() && lifetime.is_some_and(|name| name.ident == "static")
    }

    /// What a shared reference to the argument's value points at.
    pub(crate) fn pointee(&self) -> &Type {
        match &self.held {
            Held::Value => &self.ty,
            Held::Shared(pointee) | Held::Unique(pointee) => pointee,
        }
    }
}

pub(crate) fn library(path: Option<&Path>) -> TokenStream {
    match path {
        Some(path) => path.to_token_stream(),
        None => quote!(::larder),
    }
}

fn taken(receiver: &Receiver) -> Taken {
    match &receiver.kind {
        ReceiverKind::Value => Taken::Owned,
        ReceiverKind::Reference(_, _, None) => Taken::Shared,
        ReceiverKind::Reference(_, _, Some(_)) => Taken::Unique,
        ReceiverKind::Typed(_, ty) => taken_type(ty),
        _ => Taken::Other,
    }
}

fn taken_type(ty: &Type) -> Taken {
    match ty {
        Type::Reference(reference) => match (taken_type(&reference.elem), &reference.mutability) {
            (Taken::Owned, None) => Taken::Shared,
            (Taken::Owned, Some(_)) => Taken::Unique,
            (Taken::Pointer, None) => Taken::SharedPointer,
            _ => Taken::Other,
        },
        _ => match tokens::last_segment(ty) {
            Some(segment) if segment.ident == "Self" => Taken::Owned,
            Some(segment) if segment.ident == "Arc" || segment.ident == "Rc" => Taken::Pointer,
            _ => Taken::Other,
        },
    }
}

fn argument(input: &FnArg) -> Option<Argument> {
    let FnArg::Typed(typed) = input else {
        return None;
    };
    let Pat::Ident(pattern) = &*typed.pat else {
        return None;
    };
    let held = match &*typed.ty {
        Type::Reference(reference) if reference.mutability.is_some() => {
            Held::Unique((*reference.elem).clone())
        }
        Type::Reference(reference) => Held::Shared((*reference.elem).clone()),
        _ => Held::Value,
    };
    Some(Argument {
        ident: pattern.ident.clone(),
        ty: (*typed.ty).clone(),
        held,
    })
}

/// `Result`, an alias that ends in it, `Option`, or a plain value.
pub(crate) fn shape_of(output: &Type) -> Shape {
    match tokens::last_segment(output) {
        Some(segment) if segment.ident.to_string().ends_with("Result") => Shape::Result,
        Some(segment) if segment.ident == "Option" => Shape::Option,
        _ => Shape::Plain,
    }
}

/// Attributes of the function, by where they belong in what it becomes.
pub(crate) struct Attributes {
    /// Those of the function that callers see.
    pub(crate) outer: Vec<Attribute>,
    /// Those of the function that holds the body.
    pub(crate) body: Vec<Attribute>,
    /// `#[cfg(..)]`, which everything generated needs.
    pub(crate) conditions: Vec<Attribute>,
}

/// Attributes of Larder that belong to the body: on a hit they do nothing.
pub(crate) const INNER: &[&str] = &["invalidates", "cache_put", "transactional"];

/// Whether an attribute of this name belongs to the body.
pub(crate) fn is_inner(name: &str) -> bool {
    INNER.contains(&name) || guards::is_guard(name)
}

impl Attributes {
    pub(crate) fn sort(attributes: &[Attribute]) -> Self {
        let mut sorted = Self {
            outer: Vec::new(),
            body: Vec::new(),
            conditions: Vec::new(),
        };
        for attribute in attributes {
            let name = attribute
                .path()
                .segments
                .last()
                .map(|last| last.ident.to_string());
            match name.as_deref().unwrap_or_default() {
                "cfg" => {
                    sorted.conditions.push(attribute.clone());
                    sorted.outer.push(attribute.clone());
                    sorted.body.push(attribute.clone());
                }
                "allow" | "warn" | "deny" | "forbid" => {
                    sorted.outer.push(attribute.clone());
                    sorted.body.push(attribute.clone());
                }
                // What is expected is in the body; beside it nothing may be left to complain about. Only
                // that the function itself is not used is said of the outer one.
                "expect" if !tokens::names(attribute.meta.to_token_stream(), "dead_code") => {
                    sorted.body.push(attribute.clone());
                    sorted.outer.extend(as_allow(attribute));
                }
                inner if is_inner(inner) => sorted.body.push(attribute.clone()),
                _ => sorted.outer.push(attribute.clone()),
            }
        }
        sorted
    }
}

fn as_allow(attribute: &Attribute) -> Option<Attribute> {
    let lints = &attribute.meta.require_list().ok()?.tokens;
    let allow = quote_spanned!(attribute.span()=> allow);
    Some(syn::parse_quote!(#[#allow(#lints)]))
}

/// What of the standard library has no size: an `Arc` of it is kept as it is.
const UNSIZED: [&str; 4] = ["str", "Path", "OsStr", "CStr"];

fn is_arc(kept: &Type) -> bool {
    let Type::Path(path) = kept else {
        return false;
    };
    let is_arc = path
        .path
        .segments
        .last()
        .is_some_and(|last| last.ident == "Arc");
    is_arc
        && first_argument(kept).is_some_and(|target| match target {
            Type::Path(target) => target
                .path
                .segments
                .last()
                .is_some_and(|last| !UNSIZED.iter().any(|name| last.ident == *name)),
            Type::Slice(_) | Type::TraitObject(_) => false,
            _ => true,
        })
}

/// The first type argument of the last segment: the `T` of a `Result<T, E>`.
fn first_argument(output: &Type) -> Option<&Type> {
    let Type::Path(path) = output else {
        return None;
    };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(first) => Some(first),
        _ => None,
    })
}
