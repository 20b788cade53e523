//! What `#[invalidates(user(id = ..))]` resolves to: one function for each part of the key, and one that
//! asks for all of them.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{GenericParam, Generics, Lifetime, Type};

use super::{Unit, local};
use crate::generics;
use crate::key::View;
use crate::model::Argument;
use crate::tokens;

impl Unit<'_> {
    /// Output, for the key `user:{org}:{id}`:
    ///
    /// ```text
    /// fn __parts() -> (Missing, Missing) { (Missing, Missing) }
    /// fn __part_org<'p, P1>(parts: (Missing, P1), value: &'p str) -> (&'p str, P1) { .. }
    /// fn __part_id<'p, P0>(parts: (P0, Missing), value: &'p u64) -> (P0, &'p u64) { .. }
    /// fn __target<'p, P0: Given<'p, str>, P1: Given<'p, u64>>(parts: (P0, P1)) -> Target { .. }
    /// ```
    pub(crate) fn parts(&self) -> TokenStream {
        let library = &self.function.library;
        let (lints, visibility) = (super::all_lints(), &self.function.item.vis);
        let conditions = &self.attributes.conditions;
        let missing: Vec<TokenStream> = self
            .used()
            .map(|_| quote!(#library::__private::Missing))
            .collect();
        let (name, this) = (self.hidden("parts"), self.this_parameter());
        let each = (0..missing.len()).map(|at| self.part(at));
        let target = self.target();
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #visibility fn #name(#this) -> (#(#missing,)*) { (#(#missing,)*) }
            #(#each)*
            #target
        }
    }

    fn part(&self, position: usize) -> TokenStream {
        let library = &self.function.library;
        let Some(argument) = self.used().nth(position) else {
            return TokenStream::new();
        };
        let (lints, visibility) = (super::all_lints(), &self.function.item.vis);
        let conditions = &self.attributes.conditions;
        let name = self.hidden(&format!("part_{}", argument.ident.unraw()));
        let name = syn::Ident::new(&name.to_string(), argument.ident.span());
        let declared = &self.function.item.sig.generics;
        let pointee = Pointee::new(argument, position, declared);
        let mut generics = pointee.generics(declared);
        let mut given = Vec::new();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for at in 0..self.key.used.len() {
            let part = format_ident!("__P{at}");
            let value = format_ident!("__p{at}", span = proc_macro2::Span::mixed_site());
            if at == position {
                given.push(quote!(_));
                before.push(quote!(#library::__private::Missing));
                let ty = &pointee.ty;
                after.push((quote!(__value), quote!(&'__larder #ty)));
            } else {
                generics.params.push(syn::parse_quote!(#part));
                given.push(quote!(#value));
                before.push(quote!(#part));
                after.push((quote!(#value), quote!(#part)));
            }
        }
        let (values, types): (Vec<_>, Vec<_>) = after.into_iter().unzip();
        let (ty, clause, this) = (&pointee.ty, &generics.where_clause, self.this_parameter());
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #visibility fn #name #generics(
                #this
                __parts: (#(#before,)*),
                __value: &'__larder #ty,
            ) -> (#(#types,)*)
            #clause
            {
                let (#(#given,)*) = __parts;
                (#(#values,)*)
            }
        }
    }

    fn target(&self) -> TokenStream {
        let library = &self.function.library;
        let (lints, visibility) = (super::all_lints(), &self.function.item.vis);
        let conditions = &self.attributes.conditions;
        let (name, this) = (self.hidden("target"), self.this_parameter());
        let mut all = generics_with_part_lifetime(&self.key_generics());
        let (mut parts, mut binds) = (Vec::new(), Vec::new());
        for (at, argument) in self.used().enumerate() {
            let mut pointee = Pointee::new(argument, at, &self.function.item.sig.generics);
            all.params.extend(pointee.invented.drain(..));
            let (ty, ident) = (&pointee.ty, &argument.ident);
            let span = tokens::placed(ident.span());
            let part = format_ident!("__P{at}", span = span);
            let given = self.function.private_at(span, "Given");
            // The compiler shows this bound when the part is missing, so it stands at the argument.
            let lifetime = part_lifetime();
            all.params
                .push(syn::parse_quote_spanned!(span=> #part: #given<#lifetime, #ty>));
            binds.push(quote!(let #ident: &#lifetime #ty = #given::given(#ident);));
            parts.push((ident, part));
        }
        let (idents, types): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
        let (cache, clause) = (local("__cache"), &all.where_clause);
        let bind_cache = self.bind_cache(View::References);
        let key = self.hidden("key");
        let turbofish = generics::turbofish(&self.key_generics());
        let receiver = self.function.self_token().map(|token| quote!(#token,));
        let kept: Vec<_> = idents
            .iter()
            .map(|ident| format_ident!("__ref_{}", ident.unraw()))
            .collect();
        quote! {
            #(#conditions)*
            #lints
            #[doc(hidden)]
            #visibility fn #name #all(#this __parts: (#(#types,)*)) -> #library::__private::Target #clause {
                let (#(#idents,)*) = __parts;
                #(#binds)*
                #(let #kept = #idents;)*
                #bind_cache
                #library::__private::Target::key(#cache, Self::#key #turbofish(#receiver #cache, #(#kept),*))
            }
        }
    }

    /// `&self,` for a method.
    fn this_parameter(&self) -> Option<TokenStream> {
        self.function.receiver.map(|_| {
            let token = self.function.self_token();
            quote!(&#token,)
        })
    }
}

/// The type behind a reference to an argument, with every lifetime of the call bound to `'__larder` and
/// every `impl Trait` to a parameter.
struct Pointee {
    ty: Type,
    invented: Vec<GenericParam>,
}

impl Pointee {
    fn new(argument: &Argument, position: usize, declared: &Generics) -> Self {
        let mut namer = Namer {
            position,
            invented: Vec::new(),
        };
        let mut ty = argument.pointee().clone();
        namer.visit_type_mut(&mut ty);
        tokens::bind_lifetimes(&mut ty, &generics::lifetimes(declared), &part_lifetime());
        Self {
            ty,
            invented: namer.invented,
        }
    }

    fn generics(&self, all: &Generics) -> Generics {
        let ty = &self.ty;
        let mut generics = generics_with_part_lifetime(&generics::needed_by(all, &quote!(#ty)));
        generics.params.extend(self.invented.iter().cloned());
        generics
    }
}

fn part_lifetime() -> Lifetime {
    Lifetime::new("'__larder", proc_macro2::Span::call_site())
}

fn generics_with_part_lifetime(generics: &Generics) -> Generics {
    let mut generics = generics.clone();
    let lifetime = part_lifetime();
    for param in generics.type_params_mut() {
        param.bounds.push(syn::parse_quote!(#lifetime));
    }
    generics.params.insert(0, syn::parse_quote!(#lifetime));
    generics
}

struct Namer {
    position: usize,
    invented: Vec<GenericParam>,
}

impl VisitMut for Namer {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        if let Type::ImplTrait(found) = ty {
            let name = format_ident!("__I{}_{}", self.position, self.invented.len());
            let bounds = &found.bounds;
            let lifetime = part_lifetime();
            self.invented
                .push(syn::parse_quote!(#name: #lifetime + #bounds));
            *ty = syn::parse_quote!(#name);
        }
    }
}
