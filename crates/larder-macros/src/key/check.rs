//! Whether the names in a template mean something.

use larder_syntax::template::{Placeholder, Source, Transform};
use syn::ext::IdentExt;
use syn::{LitStr, Path};

use crate::diagnose::Errors;
use crate::model::Function;

pub(super) fn source(
    placeholder: &Placeholder,
    literal: &LitStr,
    function: &Function,
    more: &[&str],
    errors: &mut Errors,
) {
    let Source::Argument { name, .. } = &placeholder.source else {
        return;
    };
    if more.contains(&name.as_str()) || function.argument(name).is_some() {
        return;
    }
    let text = &placeholder.text;
    if name == "self" {
        if function.receiver.is_none() {
            let message = format!(
                "`{{{text}}}`: `{}` has no `self`; name one of its arguments",
                function.name()
            );
            errors.push(syn::Error::new(literal.span(), message));
        }
        return;
    }
    let message = format!(
        "`{{{text}}}` names no argument of `{}`{}",
        function.name(),
        mend(name, function, more)
    );
    errors.push(syn::Error::new(literal.span(), message));
}

fn mend(name: &str, function: &Function, more: &[&str]) -> String {
    let mut names: Vec<String> = function
        .arguments
        .iter()
        .map(|argument| argument.ident.unraw().to_string())
        .collect();
    names.extend(more.iter().map(ToString::to_string));
    if let Some(meant) = larder_syntax::suggest::nearest(name, names.iter().map(String::as_str)) {
        return format!(": did you mean `{{{meant}}}`?");
    }
    match names.as_slice() {
        [] => ": it has none".to_owned(),
        [one] => format!(": its only argument is `{one}`"),
        all => format!(": its arguments are `{}`", all.join("`, `")),
    }
}

pub(super) fn transforms(placeholder: &Placeholder, literal: &LitStr, errors: &mut Errors) {
    for transform in &placeholder.transforms {
        match transform {
            Transform::Jwt(_) if !cfg!(feature = "jwt") => {
                let message = format!(
                    "`{{{}}}` needs the feature `jwt` of `larder`",
                    placeholder.text
                );
                errors.push(syn::Error::new(literal.span(), message));
            }
            Transform::Path(path) => {
                let parsed = LitStr::new(path, literal.span()).parse_with(Path::parse_mod_style);
                if parsed.is_err() {
                    let message = format!(
                        "`{{{}}}`: `{path}` is not the path of a function",
                        placeholder.text
                    );
                    errors.push(syn::Error::new(literal.span(), message));
                }
            }
            _ => {}
        }
    }
}
