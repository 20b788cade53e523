//! The function with its targets: made before the body where that is possible, forgotten after success.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::parse::{Handle, Kind, Of};
use super::{Edge, Edges, Said};
use crate::args::Shape;
use crate::expand::{body, local, local_at};
use crate::key::{Checked, View};
use crate::model::{Function, Held, Taken};
use crate::tokens::{mention, names, placed};

/// The word by which an edge names the value that the function returned.
pub(crate) const RETURNED: &str = "returned";

/// Input: `#[invalidates(user(id = order.user_id), list(org = returned.org))]`. Output:
///
/// ```text
/// async fn cancel(order: Order) -> Result<User, DbError> {
///     let mut __targets = Vec::new();
///     __targets.push(user::__target(user::__part_id(user::__parts(), &(order.user_id))));
///     let __result = (async move { BODY }).await;
///     if let Some(returned) = <AsResult as Shape<Result<User, DbError>>>::success(&__result) {
///         __targets.push(list::__target(list::__part_org(list::__parts(), &(returned.org))));
///         forget(&__targets).await;
///     }
///     __result
/// }
/// ```
pub(super) fn function(edges: &Edges, function: &Function) -> TokenStream {
    let (attributes, visibility, signature) =
        (&function.item.attrs, &function.item.vis, &function.item.sig);
    let library = &function.library;
    let (targets, result, load) = (local("__targets"), local("__result"), local("__load"));
    let (late, early): (Vec<&Edge>, Vec<&Edge>) =
        edges.edges.iter().partition(|edge| is_late(edge));
    let bind_cache = bind_cache(edges, function);
    let early = push(&early, function);
    let late_targets = push(&late, function);
    let (keep, bring) = kept(&late, function);
    let forget = forget(function);
    let before = edges.before.as_ref().map(|_| forget.clone());
    let body = body(function, &capture(&late, function));
    let (await_, success) = (function.await_(), success(function));
    let returned = returned(edges, late.is_empty());
    quote! {
        #(#attributes)*
        #visibility #signature {
            #bind_cache
            let mut #targets: ::std::vec::Vec<#library::__private::Target> = ::std::vec::Vec::new();
            #early
            #before
            #keep
            let #load = #body;
            let #result = #load() #await_;
            if let ::core::option::Option::Some(#returned) = #success {
                #bring
                #late_targets
                #forget
            }
            #result
        }
    }
}

/// What the function returned, unless it failed or returned `None`.
fn success(function: &Function) -> TokenStream {
    let (library, result, shape) = (&function.library, local("__result"), function.shape_type());
    match function.shape {
        Shape::Option => quote!(::core::option::Option::as_ref(&#result)),
        _ => quote!(<#shape as #library::__private::Shape<_>>::success(&#result)),
    }
}

/// Whether the edge needs the returned value.
fn is_late(edge: &Edge) -> bool {
    names(tokens(edge), RETURNED)
}

impl Handle {
    /// The values of its parts and the object whose handle it is; not the names of the parts.
    fn expressions(&self) -> TokenStream {
        let receiver = match &self.of {
            Of::Method(receiver, _) => receiver.to_token_stream(),
            Of::Function(_) | Of::Associated(..) => TokenStream::new(),
        };
        let values = self.parts.iter().map(|(_, value)| value);
        quote!(#receiver #(#values)*)
    }
}

impl Edges {
    /// Whether an edge needs the returned value.
    pub(crate) fn wait_for_value(&self) -> bool {
        self.edges.iter().any(is_late)
    }
}

/// What an edge evaluates.
fn tokens(edge: &Edge) -> TokenStream {
    match edge {
        Edge::Handle(handle) => handle.expressions(),
        Edge::Text {
            said: Said::Template(text),
            ..
        } => text.to_token_stream(),
        Edge::Text {
            said: Said::Text(text),
            ..
        } => text.to_token_stream(),
        Edge::All => TokenStream::new(),
    }
}

/// `returned`, with the hygiene of the word that the user wrote.
fn returned(edges: &Edges, is_unused: bool) -> Ident {
    fn find(tokens: TokenStream) -> Option<Span> {
        tokens.into_iter().find_map(|token| match token {
            proc_macro2::TokenTree::Ident(ident) if ident == RETURNED => Some(ident.span()),
            proc_macro2::TokenTree::Group(group) => find(group.stream()),
            proc_macro2::TokenTree::Literal(literal)
                if names(literal.to_token_stream(), RETURNED) =>
            {
                Some(literal.span())
            }
            _ => None,
        })
    }
    if is_unused {
        return local("_returned");
    }
    let span = edges.edges.iter().find_map(|edge| find(tokens(edge)));
    Ident::new(RETURNED, span.unwrap_or_else(Span::call_site))
}

/// Copies of the arguments that late edges name, since the body may move them.
fn kept(late: &[&Edge], function: &Function) -> (TokenStream, TokenStream) {
    let said: TokenStream = late.iter().map(|edge| tokens(edge)).collect();
    let (mut keep, mut bring) = (TokenStream::new(), TokenStream::new());
    for argument in &function.arguments {
        let ident = &argument.ident;
        if matches!(argument.held, Held::Value) && mention(&said, ident) {
            let copy = format_ident!("__kept_{ident}", span = Span::mixed_site());
            keep.extend(quote!(let #copy = ::core::clone::Clone::clone(&#ident);));
            bring.extend(quote!(#[allow(unused_variables)] let #ident = #copy;));
        }
    }
    (keep, bring)
}

/// `move`, unless a late edge looks at something that `&mut` lends to the body.
fn capture(late: &[&Edge], function: &Function) -> TokenStream {
    let said: TokenStream = late.iter().map(|edge| tokens(edge)).collect();
    let of_self = matches!(function.receiver, Some(Taken::Unique)) && names(said.clone(), "self");
    let of_argument = function.arguments.iter().any(|argument| {
        matches!(argument.held, Held::Unique(_)) && mention(&said, &argument.ident)
    });
    if of_self || of_argument {
        TokenStream::new()
    } else {
        quote!(move)
    }
}

fn bind_cache(edges: &Edges, function: &Function) -> TokenStream {
    let library = &function.library;
    let (place, cache) = (local("__place"), local("__cache"));
    let needs = edges
        .edges
        .iter()
        .any(|edge| !matches!(edge, Edge::Handle(_)));
    match &edges.cache {
        _ if !needs => TokenStream::new(),
        Some(expression) => {
            let span = placed(expression.span());
            let (as_cache, named) = (
                function.private_at(span, "as_cache"),
                local_at("__place", span),
            );
            let as_cache = quote_spanned!(span=> #as_cache(#named));
            quote! {
                let #place = &(#expression);
                let #cache: #library::Cache = ::core::clone::Clone::clone(#as_cache);
            }
        }
        None => quote! {
            let #cache: #library::Cache =
                ::core::clone::Clone::clone(&*#library::__private::default_cache());
        },
    }
}

fn forget(function: &Function) -> TokenStream {
    let library = &function.library;
    let targets = local("__targets");
    if function.is_async() {
        quote!(#library::__private::forget(&#targets).await;)
    } else {
        quote!(#library::__private::forget_sync(&#targets);)
    }
}

fn push(edges: &[&Edge], function: &Function) -> TokenStream {
    let targets = local("__targets");
    let each = edges.iter().map(|edge| target(edge, function));
    quote!(#(#targets.push(#each);)*)
}

fn target(edge: &Edge, function: &Function) -> TokenStream {
    let library = &function.library;
    let (cache, buf) = (local("__cache"), local("__buf"));
    match edge {
        Edge::Handle(handle) => resolve(handle),
        Edge::All => quote!(#library::__private::Target::all(&#cache)),
        Edge::Text { kind, said } => {
            let steps = match said {
                Said::Template(literal) => match Checked::new(literal, function, &[RETURNED]) {
                    Ok(template) => template.render(function, View::Signature, &buf),
                    Err(error) => error.to_compile_error(),
                },
                Said::Text(text) => quote_spanned! {text.span()=>
                    #buf.literal(::core::convert::AsRef::<str>::as_ref(&#text));
                },
            };
            let kind = match kind {
                Kind::Keys => quote!(keys),
                Kind::Prefix => quote!(prefix),
                Kind::Pattern => quote!(pattern),
                Kind::Tags => quote!(tag),
            };
            quote! {{
                let mut #buf = #library::__private::KeyBuf::new();
                #steps
                #library::__private::Target::#kind(&#cache, #buf.as_str())
            }}
        }
    }
}

/// `user(id = order.user_id)` as one expression, so that what its parts borrow lives long enough:
/// `user::__target(user::__part_id(user::__parts(), &(order.user_id)))`.
fn resolve(handle: &Handle) -> TokenStream {
    let last = |path: &syn::Path| {
        path.segments
            .last()
            .map_or_else(Span::call_site, |last| last.ident.span())
    };
    let of_type = |name: &Ident| format!("__larder_{}_", name.unraw());
    let (path, prefix, at) = match &handle.of {
        Of::Function(path) => (quote!(#path::), "__".to_owned(), last(path)),
        Of::Associated(path, name) => (quote!(#path::), of_type(name), name.span()),
        Of::Method(receiver, name) => (quote!(#receiver.), of_type(name), name.span()),
    };
    let parts = Ident::new(&format!("{prefix}parts"), at);
    let target = Ident::new(&format!("{prefix}target"), at);
    let mut given = quote_spanned!(at=> #path #parts());
    for (name, value) in &handle.parts {
        let part = Ident::new(&format!("{prefix}part_{}", name.unraw()), name.span());
        let borrowed = quote_spanned!(value.span()=> &(#value));
        given = quote_spanned!(name.span()=> #path #part(#given, #borrowed));
    }
    quote_spanned!(handle.written.span()=> #path #target(#given))
}
