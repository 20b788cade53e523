//! Key templates: which arguments they name, and the code that renders them.

use larder_syntax::template::{Piece, Placeholder, Source, Template, Transform};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Index, LitStr, Path};

use crate::args::Args;
use crate::diagnose::Errors;
use crate::model::{Function, Held, Taken};
use crate::tokens;

mod check;

/// A template that was checked against the function's arguments.
pub(crate) struct Checked {
    template: Template,
    literal: LitStr,
}

/// What a key is made of.
pub(crate) enum Origin {
    Template(Checked),
    /// The function's path and its arguments, without those that are skipped.
    Arguments {
        skip: Vec<Ident>,
    },
}

/// How the arguments stand in the code around: with the types of the signature, or behind references.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum View {
    Signature,
    References,
}

impl Checked {
    /// Parses a template and answers for each name in it.
    ///
    /// `more` are names besides the arguments that may be used.
    pub(crate) fn new(literal: &LitStr, function: &Function, more: &[&str]) -> syn::Result<Self> {
        let text = literal.value();
        let template = Template::parse(&text)
            .map_err(|error| syn::Error::new(literal.span(), error.message))?;
        let mut errors = Errors::default();
        for piece in &template.pieces {
            if let Piece::Value(placeholder) = piece {
                check::source(placeholder, literal, function, more, &mut errors);
                check::transforms(placeholder, literal, &mut errors);
            }
        }
        errors.finish()?;
        Ok(Self {
            template,
            literal: literal.clone(),
        })
    }

    fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.template.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(placeholder) => Some(placeholder),
            Piece::Literal(_) => None,
        })
    }

    pub(crate) fn uses(&self, name: &str) -> bool {
        self.placeholders()
            .any(|placeholder| match &placeholder.source {
                Source::Argument { name: used, .. } => used == name,
                Source::Context(_) => false,
            })
    }

    /// Statements that append the template to the buffer `buf`.
    pub(crate) fn render(&self, function: &Function, view: View, buf: &Ident) -> TokenStream {
        let span = tokens::placed(self.literal.span());
        let library = &function.library_at(span);
        let steps = self.template.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => quote_spanned!(span=> #buf.literal(#text);),
            Piece::Value(placeholder) => {
                let stop = stop(placeholder);
                match &placeholder.source {
                    Source::Context(name) if placeholder.transforms.is_empty() => quote_spanned! {span=>
                        #library::__private::transform::context(&mut #buf, #stop, #name);
                    },
                    Source::Context(name) => {
                        let place = quote_spanned!(span=> #library::__private::transform::context_value(#name));
                        let value = self.transformed(library, place, &placeholder.transforms);
                        quote_spanned!(span=> #library::__private::key_part!(#buf, #stop, #value);)
                    }
                    Source::Argument { name, fields } => {
                        let place = self.place(function, view, name, fields);
                        let value = self.transformed(library, place, &placeholder.transforms);
                        quote_spanned!(span=> #library::__private::key_part!(#buf, #stop, #value);)
                    }
                }
            }
        });
        quote!(#(#steps)*)
    }

    fn place(&self, function: &Function, view: View, name: &str, fields: &[String]) -> TokenStream {
        let span = self.literal.span();
        let fields: Vec<TokenStream> = fields.iter().map(|field| member(field, span)).collect();
        let start = match function.argument(name) {
            Some(argument) => {
                let mut ident = argument.ident.clone();
                ident.set_span(ident.span().located_at(span));
                match view {
                    View::Signature if matches!(argument.held, Held::Value) => quote!(#ident),
                    _ if fields.is_empty() => quote!(*#ident),
                    _ => quote!(#ident),
                }
            }
            None if name == "self" => self_place(function, view, span, fields.is_empty()),
            None => {
                let ident = Ident::new(name, span);
                if fields.is_empty() {
                    quote!(*#ident)
                } else {
                    quote!(#ident)
                }
            }
        };
        quote_spanned!(span=> #start #(.#fields)*)
    }

    /// The transforms, one around the other. What has been transformed can only be shown; the user's own
    /// functions take a reference and give a value again.
    fn transformed(
        &self,
        library: &TokenStream,
        place: TokenStream,
        all: &[Transform],
    ) -> TokenStream {
        let span = tokens::placed(self.literal.span());
        let (mut value, mut is_shown) = (place, false);
        let apply =
            |function: &TokenStream, value: &TokenStream| quote_spanned!(span=> #function(#value));
        for transform in all {
            let shown = match is_shown {
                true => value.clone(),
                false => quote_spanned!(span=> #library::__private::key_shown!(#value)),
            };
            let plain = match is_shown {
                true => quote_spanned!(span=> #library::__private::transform::text(#value)),
                false => value.clone(),
            };
            let own = |name: &str| {
                let name = Ident::new(name, span);
                quote_spanned!(span=> #library::__private::transform::#name)
            };
            is_shown = !matches!(transform, Transform::Path(_) | Transform::Len);
            value = match transform {
                Transform::Lower => apply(&own("lower"), &shown),
                Transform::Upper => apply(&own("upper"), &shown),
                Transform::Hash => apply(&own("hash"), &shown),
                Transform::Len => apply(&own("len"), &quote_spanned!(span=> &#plain)),
                Transform::Debug => apply(&own("debug"), &quote_spanned!(span=> &#plain)),
                Transform::Jwt(claim) => apply(&own("jwt"), &quote!(#shown, #claim)),
                Transform::Path(path) => {
                    apply(&user_path(path, span), &quote_spanned!(span=> &#plain))
                }
            };
        }
        value
    }

    pub(crate) fn text(&self) -> String {
        self.literal.value()
    }
}

fn stop(placeholder: &Placeholder) -> TokenStream {
    match placeholder.stop {
        Some(byte) => quote!(::core::option::Option::Some(#byte)),
        None => quote!(::core::option::Option::None),
    }
}

fn member(field: &str, span: Span) -> TokenStream {
    match field.parse() {
        Ok(index) => Index { index, span }.to_token_stream(),
        Err(_) => identifier(field, span).to_token_stream(),
    }
}

fn identifier(name: &str, span: Span) -> Ident {
    syn::parse_str::<Ident>(name).map_or_else(
        |_| Ident::new_raw(name, span),
        |mut ident| {
            ident.set_span(span);
            ident
        },
    )
}

fn self_place(function: &Function, view: View, span: Span, whole: bool) -> TokenStream {
    let token = function.self_token().unwrap_or_default();
    let token = tokens::respanned(token, span);
    let owned = function.receiver == Some(Taken::Owned) && view == View::Signature;
    let twice = function.receiver == Some(Taken::SharedPointer) && view == View::Signature;
    match whole {
        true if twice => quote!(**#token),
        true if !owned => quote!(*#token),
        _ => token,
    }
}

fn user_path(path: &str, span: Span) -> TokenStream {
    // Checked when the template was.
    LitStr::new(path, span)
        .parse::<Path>()
        .map_or_else(|error| error.to_compile_error(), Path::into_token_stream)
}

/// The key of a function: what it is made of, and which arguments that takes.
pub(crate) struct KeyModel {
    pub(crate) source: Origin,
    pub(crate) version: u32,
    /// Positions of the arguments that the key or the choice of the cache needs.
    pub(crate) used: Vec<usize>,
    home: Home,
}

/// Where the code that renders a key stands.
#[derive(Clone, Copy)]
enum Home {
    /// In the handle of a free function, whose type has the function's path.
    Handle,
    /// In an `impl`, whose type tells functions of the same name in one module apart.
    Type,
    /// In the function itself.
    Module,
    /// Within something that has the function's path already.
    Within,
}

impl KeyModel {
    pub(crate) fn new(args: &Args, function: &Function) -> syn::Result<Self> {
        let source = match &args.key {
            Some(literal) => Origin::Template(Checked::new(literal, function, &[])?),
            None => {
                let skip = args
                    .skip
                    .as_ref()
                    .map_or_else(Vec::new, |(_, skip)| skip.clone());
                Origin::Arguments { skip }
            }
        };
        let version = args
            .version
            .as_ref()
            .map_or(Ok(0), syn::LitInt::base10_parse)?;
        let home = match function.receiver.is_some() || args.associated.is_some() {
            true => Home::Type,
            false if args.no_handle.is_some() => Home::Module,
            false => Home::Handle,
        };
        let mut model = Self {
            source,
            version,
            used: Vec::new(),
            home,
        };
        model.used = (0..function.arguments.len())
            .filter(|at| {
                let ident = &function.arguments[*at].ident;
                model.takes(ident)
                    || args
                        .cache
                        .as_ref()
                        .is_some_and(|cache| tokens::mention(cache, ident))
            })
            .collect();
        Ok(model)
    }

    /// What a filter holds: it has the path and the version of the function in its name.
    pub(crate) fn of_elements(args: &Args, function: &Function) -> syn::Result<Self> {
        let mut model = Self::new(args, function)?;
        model.version = 0;
        model.home = Home::Within;
        Ok(model)
    }

    /// Whether the key shows this argument, or `self`.
    pub(crate) fn takes(&self, ident: &Ident) -> bool {
        match &self.source {
            Origin::Template(template) => template.uses(&ident.unraw().to_string()),
            Origin::Arguments { skip } => !skip.contains(ident),
        }
    }

    pub(crate) fn template_text(&self) -> String {
        match &self.source {
            Origin::Template(template) => template.text(),
            Origin::Arguments { .. } => String::new(),
        }
    }

    /// An expression that renders the key for the cache `cache`.
    pub(crate) fn render(
        &self,
        function: &Function,
        view: View,
        cache: &TokenStream,
    ) -> TokenStream {
        self.rendered(function, view, &quote!(.within(#cache)))
    }

    /// The same without the prefix of a cache.
    pub(crate) fn render_bare(&self, function: &Function, view: View) -> TokenStream {
        self.rendered(function, view, &TokenStream::new())
    }

    fn rendered(&self, function: &Function, view: View, end: &TokenStream) -> TokenStream {
        let library = &function.library;
        let version = self.version;
        let buf = format_ident!("__buf", span = Span::mixed_site());
        let steps = match &self.source {
            Origin::Template(template) => template.render(function, view, &buf),
            Origin::Arguments { .. } => self.render_arguments(function, view, &buf),
        };
        let version = (version != 0).then(|| {
            let text = format!("v{version}:");
            quote!(#buf.literal(#text);)
        });
        // The cache's prefix comes last: until then the place of each piece is known when this is compiled.
        quote! {{
            let mut #buf = #library::__private::KeyBuf::new();
            #version
            #steps
            #buf #end
        }}
    }

    fn render_arguments(&self, function: &Function, view: View, buf: &Ident) -> TokenStream {
        let name = function.name().unraw().to_string();
        let path = match self.home {
            Home::Handle => quote! {
                #buf.literal(::core::any::type_name::<Self>());
                #buf.literal("(");
            },
            Home::Type => quote! {
                #buf.literal(::core::any::type_name::<Self>());
                #buf.literal(::core::concat!("::", #name, "("));
            },
            Home::Within => quote!(#buf.literal("(");),
            Home::Module => quote! {
                #buf.literal(::core::concat!(::core::module_path!(), "::", #name, "("));
            },
        };
        let mut places = Vec::new();
        if let Some(receiver) = function.item.sig.receiver() {
            let span = receiver.self_token.span;
            if self.takes(&Ident::new("self", span)) {
                places.push((span, self_place(function, view, span, true)));
            }
        }
        for argument in &function.arguments {
            let ident = &argument.ident;
            if self.takes(ident) {
                let is_value = view == View::Signature && matches!(argument.held, Held::Value);
                places.push((
                    ident.span(),
                    if is_value {
                        quote!(#ident)
                    } else {
                        quote!(*#ident)
                    },
                ));
            }
        }
        let parts = places.iter().enumerate().map(|(at, (span, place))| {
            let comma = (at > 0).then(|| quote!(#buf.literal(",");));
            let part = function.private_at(*span, "auto_part");
            quote_spanned!(*span=> #comma #part!(#buf, #place);)
        });
        quote!(#path #(#parts)* #buf.literal(")");)
    }
}
