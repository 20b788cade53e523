//! `#[cached_batch]`: a function over many ids, kept id by id.
//!
//! The function is read twice: as it is (`whole`), and as if it were asked for one id (`one`). Keys, tags, policy
//! and handle come from `one`, by the code of `#[cached]`.

mod args;
mod expand;

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, ItemFn, PathArguments, Type};

use crate::args::Shape;
use crate::expand::{Does, Unit};
use crate::key::KeyModel;
use crate::model::{Attributes, Function};
use crate::tokens;
use crate::validate;

use args::BatchArgs;

/// What both readings are made from.
struct Batch<'a> {
    whole: Unit<'a>,
    one: Unit<'a>,
    said: &'a BatchArgs,
    types: &'a Types,
    /// Where the ids stand among the arguments.
    at: usize,
}

/// The types of a function over many ids.
struct Types {
    /// One id.
    id: Type,
    /// What is found for one id.
    found: TokenStream,
    error: TokenStream,
}

pub(crate) fn expand(attribute: TokenStream, item: ItemFn) -> syn::Result<TokenStream> {
    let (said, args) = BatchArgs::parse(attribute)?;
    let whole = Function::new(item, &args);
    answers_by_id(&whole)?;
    let (at, id) = args::ids(&said, &whole)?;
    let each = said.each(&whole.arguments[at].ident, &whole)?;
    let types = Types::new(id, &whole);
    let one = of_one(&whole, at, &each, &types, &args, said.absent.is_some());
    validate::batch(&args, &whole, &one)?;
    let key = KeyModel::new(&args, &one)?;
    let unit = |function| Unit {
        args: &args,
        function,
        key: &key,
        attributes: Attributes::sort(&whole.item.attrs),
        does: Does::Batch,
    };
    Ok(expand::expand(&Batch {
        whole: unit(&whole),
        one: unit(&one),
        said: &said,
        types: &types,
        at,
    }))
}

/// Refuses a return type that certainly is no map.
fn answers_by_id(whole: &Function) -> syn::Result<()> {
    const NO_MAPS: [&str; 6] = ["Vec", "VecDeque", "HashSet", "BTreeSet", "Option", "String"];
    let kept = match whole.shape {
        Shape::Result => first_argument(&whole.output, &["Result"], 0),
        _ => None,
    };
    let kept = kept.as_ref().unwrap_or(&whole.output);
    let is_no_map = match kept {
        Type::Path(_) => tokens::last_segment(kept)
            .is_some_and(|last| NO_MAPS.iter().any(|name| last.ident == name)),
        Type::Slice(_) | Type::Array(_) | Type::Tuple(_) => true,
        _ => false,
    };
    if is_no_map {
        let message = "which value belongs to which id? Return a `HashMap<Id, Value>` or a `BTreeMap<Id, Value>`, or a `Result` of one";
        return Err(syn::Error::new_spanned(kept, message));
    }
    Ok(())
}

impl Types {
    fn new(id: Type, whole: &Function) -> Self {
        let span = tokens::placed(whole.output.span());
        let (shape, output) = (whole.shape_type(), &whole.output);
        let reader = whole.private_at(span, "Shape");
        let map = match whole.shape {
            Shape::Result => first_argument(output, &["Result"], 0),
            _ => Some(output.clone()),
        };
        let found = map
            .as_ref()
            .and_then(|map| first_argument(map, &["HashMap", "BTreeMap"], 1));
        let found = match found {
            Some(found) => quote!(#found),
            None => {
                let answer = whole.private_at(span, "Answer");
                quote_spanned!(span=> <<#shape as #reader<#output>>::Value as #answer>::Value)
            }
        };
        Self {
            id,
            found,
            error: quote_spanned!(span=> <#shape as #reader<#output>>::Error),
        }
    }

    /// What a call for one id returns: `Option<V>`, or a `Result` of one.
    fn answer(&self, whole: &Function) -> TokenStream {
        let (found, error) = (&self.found, &self.error);
        let option = quote!(::core::option::Option<#found>);
        match whole.shape {
            Shape::Result => quote!(::core::result::Result<#option, #error>),
            _ => option,
        }
    }
}

/// The function as if it were asked for one id, and returned what is kept for it.
fn of_one(
    whole: &Function,
    at: usize,
    each: &syn::Ident,
    types: &Types,
    args: &crate::args::Args,
    keeps_absence: bool,
) -> Function {
    let mut item = whole.item.clone();
    let receiver = usize::from(whole.receiver.is_some());
    let id = &types.id;
    let span = whole.arguments[at].ident.span();
    let argument: FnArg = syn::parse_quote_spanned!(span=> #each: &#id);
    item.sig.inputs[receiver + at] = argument;
    let found = &types.found;
    let (kept, shape) = match keeps_absence {
        true => (quote!(::core::option::Option<#found>), Shape::Option),
        false => (found.clone(), Shape::Plain),
    };
    let (kept, shape) = match whole.shape {
        Shape::Result => {
            let error = &types.error;
            (quote!(::core::result::Result<#kept, #error>), Shape::Result)
        }
        _ => (kept, shape),
    };
    let span = whole.output.span();
    let kept = tokens::respanned(kept, span);
    item.sig.output = syn::parse_quote!(-> #kept);
    let mut one = Function::new(item, args);
    one.shape = shape;
    one.shape_is_read = false;
    one
}

/// The `V` of a `HashMap<K, V>`, if the type is written so.
fn first_argument(ty: &Type, names: &[&str], at: usize) -> Option<Type> {
    let segment = tokens::last_segment(ty)?;
    if !names.iter().any(|name| segment.ident == name) {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty.clone()),
        _ => None,
    });
    types.into_iter().nth(at)
}
